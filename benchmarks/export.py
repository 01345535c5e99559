"""How long sheetsim takes to write workbooks, next to the other .xlsx writers of Python, on the same numbers.

    python benchmarks/export.py [--json FILE] [--quick] [--sizes]

The standard data are 1.15 million doubles, standard normal, in 16 sheets. Every writer gets them in the form that it
takes (arrays, lists, frames) before the clock starts, and writes no headings, while sheetsim writes its usual workbook:
row and column numbers, defined names, a color scale, a list of the sheets. A competitor that is not installed is
skipped: pip install pyexcelerate polars xlsxturbo pyarrow.

Ratios are theirs / ours. Runs alternate in one process, ours before and after each of theirs, and the ratio is the
median over such rounds, so that a machine with other work slows both. Peaks of memory come from processes of their own.
"""

import argparse
import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import xlsxwriter

import sheetsim
from sheetsim.workbook import layout
from sheetsim.workbook.formulas import address
from sheetsim.workbook.writing.styles import Look
from sheetsim.workbook.writing.theme import USUAL
from sheetsim.workbook.writing.write import _Writer
from sheetsim.workbook.writing.xlsxwriter_parts import ExactWorksheet

Blocks = dict[str, np.ndarray]
Write = Callable[[Path], object]
Rows = list[dict[str, Any]]

COMPETING = ("pyexcelerate", "polars", "xlsxturbo")  # of no use to sheetsim itself, so perhaps not there
STANDARD = [(1000, 100)] * 11 + [(100, 100)] * 5
SIZES = {0.1: [(1000, 100)], 1: [(10000, 100)], 10: [(10000, 100)] * 10, 50: [(10000, 100)] * 50}
PACKAGES = ["sheetsim", "numpy", "orjson", "isal", "xlsxwriter", "openpyxl", "pandas", *COMPETING]
SLOW = 3.0  # seconds from which a writer runs 3 times instead of 5
TEMPLATE = "relu-he"


def blocks_of(shapes: Iterable[tuple[int, int]]) -> Blocks:
    """Standard normal draws, the same on every call, by sheet title."""
    generator = np.random.default_rng(20260101)
    return {f"m_{k}": generator.standard_normal(shape) for k, shape in enumerate(shapes, 1)}


# The writers: each takes the blocks and returns what is timed.


def ours(blocks: Blocks) -> Write:
    import_module("sheetsim.workbook.writing.write")  # loaded on first use otherwise
    model = sheetsim.Model("Benchmark")
    for name, block in blocks.items():
        model.input(name, block)
    return model.run().to_excel


def xlsxwriter_loop(blocks: Blocks, **options: Any) -> Write:
    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path, options) as book:
            for name, block in blocks.items():
                write_number = book.add_worksheet(name).write_number
                for r, row in enumerate(block.tolist()):
                    for c, value in enumerate(row):
                        write_number(r, c, value)

    return write


def openpyxl_write_only(blocks: Blocks) -> Write:
    openpyxl = import_module("openpyxl")

    def write(path: Path) -> None:
        book = openpyxl.Workbook(write_only=True)
        for name, block in blocks.items():
            sheet = book.create_sheet(name)
            for row in block.tolist():
                sheet.append(row)
        book.save(path)

    return write


def pandas_xlsxwriter(blocks: Blocks) -> Write:
    pandas = import_module("pandas")
    frames = {name: pandas.DataFrame(block) for name, block in blocks.items()}

    def write(path: Path) -> None:
        with pandas.ExcelWriter(path, engine="xlsxwriter") as book:
            for name, frame in frames.items():
                frame.to_excel(book, sheet_name=name, header=False, index=False)

    return write


def pyexcelerate(blocks: Blocks) -> Write:
    library = import_module("pyexcelerate")
    # Lists of Python numbers: it takes arrays as well, and is slower with them.
    lists = {name: block.tolist() for name, block in blocks.items()}

    def write(path: Path) -> None:
        book = library.Workbook()
        for name, rows in lists.items():
            book.new_sheet(name, data=rows)
        book.save(str(path))

    return write


def polars(blocks: Blocks) -> Write:
    frames = {name: import_module("polars").DataFrame(block) for name, block in blocks.items()}

    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            for name, frame in frames.items():
                frame.write_excel(book, name, include_header=False, autofilter=False)

    return write


def xlsxturbo(blocks: Blocks, level: int | None = None) -> Write:
    library, frame = import_module("xlsxturbo"), import_module("polars").DataFrame
    # Polars' frames: it takes pandas' as well, and is slower with them.
    sheets = [(frame(block), name) for name, block in blocks.items()]
    return lambda path: library.dfs_to_xlsx(sheets, str(path), header=False, compression_level=level)


OURS = "sheetsim"
COMPETITORS: dict[str, Callable[[Blocks], Write]] = {
    "XlsxWriter": xlsxwriter_loop,
    "XlsxWriter constant_memory": partial(xlsxwriter_loop, constant_memory=True),
    "openpyxl write-only": openpyxl_write_only,
    "pandas + XlsxWriter": pandas_xlsxwriter,
    "PyExcelerate": pyexcelerate,
    "polars": polars,
    "xlsxturbo": xlsxturbo,
    "xlsxturbo, level 1": partial(xlsxturbo, level=1),
}
WRITERS = {OURS: ours, **COMPETITORS}


class PlainBook(_Writer):
    """A run's workbook by XlsxWriter alone, which writes each matrix too, a call a cell, and the file.

    The other pages are made by the code that sheetsim makes them with, so that both books hold the same.
    """

    def save(self, path: Path) -> None:
        for sheet in self.layout.sheets:
            worksheet = self.book.add_worksheet(sheet.title, ExactWorksheet)
            if isinstance(sheet, layout.Page):
                self._page(worksheet, sheet)
            else:
                self._plain(worksheet, sheet)
        for node in self.layout.named():
            self.book.define_name(str(node.name), f"={address(*self.layout.places[node])}")
        self.book.close()
        path.write_bytes(self.structure.getvalue())

    def _plain(self, worksheet: Any, sheet: Any) -> None:
        (rows, columns), heading = sheet.matrix.shape, self.styles["index"]
        worksheet.write_string(0, 0, sheet.corner, heading)
        for column in range(1, columns + 1):
            worksheet.write_number(0, column, column, heading)
        for row in range(1, rows + 1):
            worksheet.write_number(row, 0, row, heading)
        self._block(worksheet, layout.Block(1, 1, sheet.matrix, "matrix"))
        worksheet.freeze_panes(1, 1)
        worksheet.set_column(0, columns, 8)
        worksheet.conditional_format(1, 1, rows, columns, Look().color_scale)


# Measuring.


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(our: Callable[[], object], their: Callable[[], object], quick: bool) -> dict[str, Any]:
    """Ours, theirs, ours, …, ours: each of theirs against the mean of ours before and after it."""
    mine, others = [seconds(our)], list[float]()
    while len(others) < (1 if quick else 3 if others and others[0] >= SLOW else 5):
        others.append(seconds(their))
        mine.append(seconds(our))
    ratios = [other / (before + after) * 2 for other, before, after in zip(others, mine, mine[1:], strict=False)]
    return {"ratio": median(ratios), "seconds": median(others), "ours beside it": median(mine), "runs": len(others)}


def worksheets(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist() if re.match(r"xl/worksheets/.*xml$", name))


def exact_share(path: Path, blocks: Blocks) -> str:
    """How many of the doubles stand in the file's cells bit by bit."""
    found = np.array(re.findall(rb"<v>([^<]+)</v>", worksheets(path))).astype(np.float64)
    data = np.concatenate([block.ravel() for block in blocks.values()])
    if len(found) < len(data):
        raise RuntimeError(f"{path.name} holds fewer numbers than it should")
    return f"{np.isin(data, found).mean():.1%}"


def megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def peak_memory() -> float:
    """The most memory that this process has held so far, or since `forget_peak`, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: a child inherits the peak of the process that started it.
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) * 1024 / 1e6
    resource = import_module("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def forget_peak() -> None:
    """Sets the peak back to what is held now, so that what preparing took hides nothing; on Linux alone."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure_one(name: str, path: Path, size: float | None) -> dict[str, Any]:
    """For a process of its own. What is held before writing is imports, data and their preparation."""
    try:
        write = WRITERS[name](blocks_of(STANDARD if size is None else SIZES[size]))
    except ImportError as error:
        return {"skipped": str(error)}
    gc.collect()
    forget_peak()
    before = peak_memory()
    spent = seconds(lambda: write(path))
    peak = peak_memory()
    return {"seconds": spent, "file MB": megabytes(path), "peak MB": peak, "of which writing": peak - before}


def in_process(name: str, path: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, str(path), *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


# The sections: each returns the rows of a table.


def standard(folder: Path, quick: bool) -> Rows:
    blocks, our_path, path = blocks_of(STANDARD), folder / "ours.xlsx", folder / "theirs.xlsx"
    write_ours, tiny = ours(blocks), blocks_of([(10, 10)])
    ours(tiny)(our_path)  # what is loaded or cached by the first file of each is not timed
    rows: Rows = []
    for name, prepare in COMPETITORS.items():
        try:
            prepare(tiny)(path)
            write = partial(prepare(blocks), path)
        except ImportError as error:
            rows.append({"writer": name, "skipped": str(error)})
            continue
        compared = compare(lambda: write_ours(our_path), write, quick)
        rows.append({"writer": name, **compared, "file MB": megabytes(path), "exact": exact_share(path, blocks)})
    times = [row["ours beside it"] for row in rows if "ratio" in row]
    mine = {"writer": OURS, "ratio": 1.0, "seconds": median(times), "ours beside it": median(times), "runs": len(times)}
    return [{**mine, "file MB": megabytes(our_path), "exact": exact_share(our_path, blocks)}, *rows]


def live_book(folder: Path, quick: bool) -> Rows:
    run, our_path, path = sheetsim.run(TEMPLATE), folder / "ours.xlsx", folder / "theirs.xlsx"
    run.to_excel(our_path)
    compared = compare(
        lambda: run.to_excel(our_path), lambda: PlainBook(run._layout, run._values, {}, [], USUAL, {}).save(path), quick
    )
    rows: Rows = [{"writer": OURS, "ratio": 1.0, "seconds": compared["ours beside it"]}]
    rows.append({"writer": "plain XlsxWriter", **compared})
    for row, file in zip(rows, (our_path, path), strict=True):
        text = worksheets(file)
        row |= {"file MB": megabytes(file), "cells": text.count(b"<c ")}
        row["formulas"] = len(re.findall(rb"<f[ >]", text))
    return rows


def memory(folder: Path, quick: bool) -> Rows:
    return [{"writer": name, **in_process(name, folder / "memory.xlsx")} for name in WRITERS]


def commands(folder: Path, quick: bool) -> Rows:
    book = str(folder / "command.xlsx")
    rows: Rows = []
    for arguments in (["run", TEMPLATE, "--output", book], ["list"], ["--help"]):
        command = [sys.executable, "-m", "sheetsim", *arguments]
        work = partial(subprocess.run, command, check=True, capture_output=True)
        rows.append({"command": f"sheetsim {' '.join(arguments[:2])}", "seconds": middle(work, quick)})
    plain = partial(xlsxwriter_loop(blocks_of(STANDARD)), folder / "theirs.xlsx")
    return [*rows, {"command": "(XlsxWriter, standard block data)", "seconds": middle(plain, quick)}]


def middle(work: Callable[[], object], quick: bool) -> float:
    return median(seconds(work) for _ in range(1 if quick else 5))


def shares(folder: Path, quick: bool) -> Rows:
    """Each piece alone on the standard data, one after the other; the rest is the whole minus the pieces in use.

    In the whole, deflate's threads run beside the formatting: where they overlap well, the rest is negative.
    """
    try:
        bands_of = import_module("sheetsim.workbook.writing.cells").matrix_bands
        write_package = import_module("sheetsim.workbook.writing.package").write_package
    except (ImportError, AttributeError) as error:
        return [{"piece": "all", "skipped": f"sheetsim has other parts now: {error}"}]
    orjson, isal = import_module("orjson"), import_module("isal.isal_zlib")
    blocks = blocks_of(STANDARD)

    def numbers() -> list[bytes]:
        return [orjson.dumps(block.ravel(), option=orjson.OPT_SERIALIZE_NUMPY) for block in blocks.values()]

    def bands() -> list[bytes]:
        return [band for block in blocks.values() for band in bands_of(block, None, 1, 2, (0, 2))]

    def package(threads: int | None) -> None:
        with (folder / "package.zip").open("wb") as file:
            write_package(file, [("cells", xml)], threads)

    xml = bands()
    whole, formatting = middle(partial(ours(blocks), folder / "ours.xlsx"), quick), middle(numbers, quick)
    used = {
        "formatting (orjson)": formatting,
        "cell prefixes, joining": middle(bands, quick) - formatting,
        "deflate and packing, all threads": middle(partial(package, None), quick),
    }
    used["rest (structure, overlap)"] = whole - sum(used.values())
    others = {
        "instead: deflate and packing, one thread": middle(partial(package, 1), quick),
        "instead: ISA-L, level 1, one thread": middle(lambda: [isal.compress(band, 1) for band in xml], quick),
        "instead: zlib, level 6, one thread": middle(lambda: [zlib.compress(band, 6) for band in xml], quick),
    }
    pieces = {"whole": whole, **used, **others}
    return [{"piece": name, "seconds": spent, "share": f"{spent / whole:.0%}"} for name, spent in pieces.items()]


def sizes(folder: Path, quick: bool) -> Rows:
    rows = [{"million cells": n, **in_process(OURS, folder / "size.xlsx", "--cells", str(n))} for n in SIZES]
    return [row | {"seconds per million": row["seconds"] / row["million cells"]} for row in rows]


SECTIONS: dict[str, tuple[Callable[[Path, bool], Rows], str]] = {
    "standard": (standard, "Standard block data: 1.15 million doubles in 16 sheets; ratio = theirs / ours"),
    "live_book": (live_book, f"The full live workbook of {TEMPLATE}; ratio = theirs / ours"),
    "memory": (memory, "Peak memory while writing the standard block data, imports and data included"),
    "commands": (commands, "Whole commands, start of Python included"),
    "shares": (shares, "Where our time goes on the standard block data: pieces measured alone"),
    "sizes": (sizes, "Ours by size"),
}


def machine(packages: Iterable[str] = PACKAGES) -> str:
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}; {', '.join(found)}"


def print_table(title: str, rows: Rows) -> None:
    headings = list(dict.fromkeys(key for row in rows for key in row))
    texts = [headings, *([shown(row.get(heading, "—")) for heading in headings] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in texts]
    lines.insert(1, ["-" * width for width in widths])
    print(f"\n{title}\n", *(f"| {' | '.join(line)} |" for line in lines), sep="\n", flush=True)


def shown(cell: Any) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Times sheetsim and other .xlsx writers on the same numbers.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="one round of each instead of 3 or 5")
    parser.add_argument("--sizes", action="store_true", help="ours at 0.1, 1, 10 and 50 million cells as well")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "PATH"), help="one writer alone, result as JSON")
    parser.add_argument("--cells", type=float, choices=SIZES, help="with --one: so many million cells")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # what competitors say of themselves
    if arguments.one:
        print(json.dumps(measure_one(arguments.one[0], Path(arguments.one[1]), arguments.cells)))
        return
    report: dict[str, Any] = {"machine": machine(), "quick": arguments.quick}
    print(report["machine"])
    with tempfile.TemporaryDirectory() as folder:
        for name, (section, title) in SECTIONS.items():
            if name != "sizes" or arguments.sizes:
                report[name] = section(Path(folder), arguments.quick)
                print_table(title, report[name])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
