"""How long sheetsim takes to write workbooks, next to the other .xlsx writers of Python, on the same numbers.

    python benchmarks/export.py [--json FILE] [--quick] [--sizes]

The standard data are 1.15 million doubles, standard normal, in 16 sheets. Every writer gets them in the form that it
takes (arrays, lists, frames) before the clock starts, and writes no headings, while sheetsim writes its usual workbook:
row and column numbers, defined names, a colour scale, a list of the sheets. A competitor that is not installed is
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
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

Blocks = dict[str, np.ndarray]
Write = Callable[[Path], object]

STANDARD = [(1000, 100)] * 11 + [(100, 100)] * 5
SIZES = {0.1: [(1000, 100)], 1: [(10000, 100)], 10: [(10000, 100)] * 10, 50: [(10000, 100)] * 50}
PACKAGES = ["sheetsim", "numpy", "orjson", "isal", "xlsxwriter", "openpyxl", "pandas", "pyexcelerate", "polars"]
PACKAGES += ["xlsxturbo"]
SLOW = 3.0  # seconds from which a writer runs 3 times instead of 5
TEMPLATE = "relu-he"


def blocks_of(shapes: Iterable[tuple[int, int]]) -> Blocks:
    """Standard normal draws, the same on every call, by sheet title."""
    generator = np.random.default_rng(20260101)
    return {f"m_{k}": generator.standard_normal(shape) for k, shape in enumerate(shapes, 1)}


# --- The writers: each takes the blocks and returns what is timed -------------------------------------------------


def ours(blocks: Blocks) -> Write:
    import sheetsim
    import sheetsim.workbook.write  # loaded on first use otherwise

    model = sheetsim.Model("Benchmark")
    for name, block in blocks.items():
        model.input(name, block)
    return model.run().to_excel


def xlsxwriter_loop(blocks: Blocks, **options: Any) -> Write:
    import xlsxwriter

    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path, options) as book:
            for name, block in blocks.items():
                write_number = book.add_worksheet(name).write_number
                for r, row in enumerate(block.tolist()):
                    for c, value in enumerate(row):
                        write_number(r, c, value)

    return write


def xlsxwriter_constant_memory(blocks: Blocks) -> Write:
    return xlsxwriter_loop(blocks, constant_memory=True)


def openpyxl_write_only(blocks: Blocks) -> Write:
    import openpyxl

    def write(path: Path) -> None:
        book = openpyxl.Workbook(write_only=True)
        for name, block in blocks.items():
            sheet = book.create_sheet(name)
            for row in block.tolist():
                sheet.append(row)
        book.save(path)

    return write


def pandas_xlsxwriter(blocks: Blocks) -> Write:
    import pandas as pd

    frames = {name: pd.DataFrame(block) for name, block in blocks.items()}

    def write(path: Path) -> None:
        with pd.ExcelWriter(path, engine="xlsxwriter") as book:
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
    import xlsxwriter

    library = import_module("polars")
    frames = {name: library.DataFrame(block) for name, block in blocks.items()}

    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            for name, frame in frames.items():
                frame.write_excel(book, name, include_header=False, autofilter=False)

    return write


def xlsxturbo(blocks: Blocks, level: int | None = None) -> Write:
    library, frames_of = import_module("xlsxturbo"), import_module("polars").DataFrame
    # Polars' frames: it takes pandas' as well, and is slower with them.
    sheets = [(frames_of(block), name) for name, block in blocks.items()]
    return lambda path: library.dfs_to_xlsx(sheets, str(path), header=False, compression_level=level)


def xlsxturbo_fastest(blocks: Blocks) -> Write:
    return xlsxturbo(blocks, level=1)


OURS = "sheetsim"
COMPETITORS: dict[str, Callable[[Blocks], Write]] = {
    "XlsxWriter": xlsxwriter_loop,
    "XlsxWriter constant_memory": xlsxwriter_constant_memory,
    "openpyxl write-only": openpyxl_write_only,
    "pandas + XlsxWriter": pandas_xlsxwriter,
    "PyExcelerate": pyexcelerate,
    "polars": polars,
    "xlsxturbo": xlsxturbo,
    "xlsxturbo, level 1": xlsxturbo_fastest,
}
WRITERS = {OURS: ours, **COMPETITORS}


class PlainBook:
    """A run's workbook by XlsxWriter alone: its own worksheets, a call a cell, the same styles and formulas.

    It shares no code with sheetsim.workbook.write, so that it stays what it is when that changes. What is left out is
    to its advantage: charts' fonts and colours, exact digits, types of cached error values, the fixed date of creation.
    """

    def __init__(self, path: Path, run: Any) -> None:
        import xlsxwriter

        from sheetsim.workbook.styles import FONT, STYLES, VERDICTS

        self.layout, self.values = run._layout, run._values
        self.book = xlsxwriter.Workbook(path, {"default_format_properties": FONT, "nan_inf_to_errors": True})
        self.styles = {name: self.book.add_format(FONT | style) for name, style in STYLES.items()}
        self.verdicts = {text: self.book.add_format(style) for text, style in VERDICTS.items()}

    def save(self) -> None:
        from sheetsim.workbook.formulas import address
        from sheetsim.workbook.layout import MatrixSheet

        for sheet in self.layout.sheets:
            worksheet = self.book.add_worksheet(sheet.title)
            (self._matrix if isinstance(sheet, MatrixSheet) else self._page)(worksheet, sheet)
            worksheet.set_landscape()
            worksheet.fit_to_pages(1, 0)
            worksheet.set_footer("&L&A&RPage &P of &N")
        for node in self.layout.named():
            self.book.define_name(str(node.name), f"={address(*self.layout.places[node])}")
        self.book.close()

    def _matrix(self, worksheet: Any, sheet: Any) -> None:
        (rows, columns), heading = sheet.matrix.shape, self.styles["index"]
        worksheet.write_string(0, 0, sheet.corner, heading)
        for column in range(1, columns + 1):
            worksheet.write_number(0, column, column, heading)
        for row in range(1, rows + 1):
            worksheet.write_number(row, 0, row, heading)
        self._cells(worksheet, 1, 1, sheet.matrix, self.styles["matrix"])
        worksheet.freeze_panes(1, 1)
        worksheet.set_column(0, columns, 8)
        colours = {"min_color": "#7FB2E5", "mid_color": "#FFFFFF", "max_color": "#F2A65A"}
        worksheet.conditional_format(1, 1, rows, columns, {"type": "3_color_scale", **colours})
        worksheet.repeat_rows(0)

    def _cells(self, worksheet: Any, row: int, column: int, node: Any, style: Any) -> None:
        from sheetsim.workbook.formulas import needs_array

        rows = self.values[node].tolist()
        text = self.layout.formulas.get(node)
        for r, numbers in enumerate(rows, row):
            for c, value in enumerate(numbers, column):
                if (r, c) == (row, column) and text is not None:
                    if needs_array(node, self.layout.reference):
                        last = row + len(rows) - 1, column + len(numbers) - 1
                        worksheet.write_array_formula(r, c, *last, f"{{={text}}}", style, cached(value))
                    else:
                        worksheet.write_formula(r, c, f"={text}", style, cached(value))
                elif isinstance(value, str):
                    worksheet.write_string(r, c, value, style)
                else:
                    worksheet.write_number(r, c, value, style)

    def _page(self, worksheet: Any, page: Any) -> None:
        from sheetsim.workbook import layout

        for column, width in page.widths.items():
            worksheet.set_column(column, column, width)
        for row, height in page.heights.items():
            worksheet.set_row(row, height)
        if page.freeze:
            worksheet.freeze_panes(*page.freeze)
        worksheet.hide_gridlines(0 if page.gridlines else 2)
        worksheet.set_paper(9)
        for item in page.items:
            if isinstance(item, layout.Bars):
                self._bars(worksheet, item)
                continue
            style = self.styles[item.style]
            if isinstance(item, layout.Text):
                if item.columns > 1:
                    worksheet.merge_range(item.row, item.column, item.row, item.column + item.columns - 1, "", style)
                worksheet.write_string(item.row, item.column, item.text, style)
            elif isinstance(item, layout.Number):
                worksheet.write_number(item.row, item.column, item.number, style)
            else:
                self._shown(worksheet, item, style)

    def _shown(self, worksheet: Any, item: Any, style: Any) -> None:
        """A block that lives on the page, or a reference to one that lives elsewhere."""
        from sheetsim.workbook.formulas import address
        from sheetsim.workbook.layout import Block

        if isinstance(item, Block):
            self._cells(worksheet, item.row, item.column, item.matrix, style)
        else:
            text = f"={address(*self.layout.places[item.matrix])}"
            worksheet.write_formula(item.row, item.column, text, style, cached(self.values[item.matrix].item()))
        cell = item.row, item.column, item.row, item.column
        if isinstance(item, Block) and hasattr(item.matrix.source, "options"):
            worksheet.data_validation(*cell, {"validate": "list", "source": list(item.matrix.source.options)})
        for text, verdict in self.verdicts.items() if item.style == "verdict" else ():
            rule = {"type": "text", "criteria": "begins with", "value": text, "format": verdict}
            worksheet.conditional_format(*cell, rule)

    def _bars(self, worksheet: Any, item: Any) -> None:
        chart = self.book.add_chart({"type": "column"})
        nodes = [item.counts] if item.largest is None else [item.counts, item.largest]
        for area in (self.layout.places[node] for node in nodes):
            ranges = {"categories": chart_range(item.labels), "values": chart_range(area)}
            chart.add_series({**ranges, "gap": 0, "overlap": 100})
        chart.set_title({"name": item.title} if item.title else {"none": True})
        chart.set_legend({"none": True})
        chart.set_x_axis({"name": item.axis, "interval_unit": item.every, "interval_tick": item.every})
        chart.set_size({"width": item.size[0], "height": item.size[1]})
        worksheet.insert_chart(item.row, item.column, chart, {"description": f"Histogram of {item.counts.name}"})


def cached(value: float | str) -> float | str:
    return value if isinstance(value, str) or np.isfinite(value) else "#N/A"


def chart_range(area: Any) -> list[Any]:
    sheet, row, column, (rows, columns) = area
    return [sheet, row, column, row + rows - 1, column + columns - 1]


# --- Measuring ----------------------------------------------------------------------------------------------------


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
    medians = {"ours_s": statistics.median(mine), "theirs_s": statistics.median(others)}
    return {"ratio": statistics.median(ratios), **medians, "runs": len(others), "ratios": ratios}


def worksheets(path: Path) -> Iterable[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                yield archive.read(name)


def exact_share(path: Path, blocks: Blocks) -> float:
    """The share of the doubles that stand in the file's cells bit by bit."""
    found = [np.array(re.findall(rb"<v>([^<]+)</v>", part)).astype(np.float64) for part in worksheets(path)]
    data = np.concatenate([block.ravel() for block in blocks.values()])
    if sum(map(len, found)) < len(data):
        raise RuntimeError(f"{path.name} holds fewer numbers than it should")
    return float(np.isin(data, np.concatenate(found)).mean())


def peak_memory() -> float:
    """The most memory that this process has held so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: a child inherits the peak of the process that started it.
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1000  # type: ignore[index]
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure_one(name: str, path: Path, size: float | None) -> dict[str, float]:
    """For a process of its own. The peak before writing is that of imports, data and their preparation."""
    blocks = blocks_of(STANDARD if size is None else SIZES[size])
    write = WRITERS[name](blocks)
    before = peak_memory()
    spent = seconds(lambda: write(path))
    peak = peak_memory()
    return {"seconds": spent, "peak_mb": peak, "extra_mb": peak - before, "file_mb": path.stat().st_size / 1e6}


def in_process(name: str, path: Path, size: float | None = None) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", name, str(path)]
    if size is not None:
        command += ["--cells", str(size)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


# --- The sections -------------------------------------------------------------------------------------------------


def standard(folder: Path, quick: bool) -> dict[str, dict[str, Any]]:
    blocks = blocks_of(STANDARD)
    our_path, results = folder / "ours.xlsx", dict[str, dict[str, Any]]()
    write_ours = ours(blocks)
    ours(blocks_of([(10, 10)]))(our_path)  # what is loaded or cached by the first file of each is not timed
    for name, prepare in COMPETITORS.items():
        path = folder / "theirs.xlsx"
        try:
            write = prepare(blocks)
            prepare(blocks_of([(10, 10)]))(path)
        except ImportError as error:
            results[name] = {"skipped": str(error)}
            continue
        results[name] = compare(lambda: write_ours(our_path), lambda write=write, path=path: write(path), quick)
        results[name] |= {"file_mb": path.stat().st_size / 1e6, "exact": exact_share(path, blocks)}
    times = [result["ours_s"] for result in results.values() if "ours_s" in result]
    mine = {"ratio": 1.0, "theirs_s": statistics.median(times), "file_mb": our_path.stat().st_size / 1e6}
    return {OURS: {**mine, "exact": exact_share(our_path, blocks)}, **results}


def live_book(folder: Path, quick: bool) -> dict[str, Any]:
    import sheetsim

    run = sheetsim.run(TEMPLATE)
    our_path, path = folder / "ours.xlsx", folder / "theirs.xlsx"
    run.to_excel(our_path)
    result = compare(lambda: run.to_excel(our_path), lambda: PlainBook(path, run).save(), quick)
    for who, file in (("ours", our_path), ("theirs", path)):
        parts = list(worksheets(file))
        result[f"{who}_cells"] = sum(len(re.findall(rb"<c ", part)) for part in parts)
        result[f"{who}_formulas"] = sum(len(re.findall(rb"<f[ >]", part)) for part in parts)
        result[f"{who}_file_mb"] = file.stat().st_size / 1e6
    return result


def memory(folder: Path, installed: Iterable[str]) -> dict[str, dict[str, float]]:
    return {name: in_process(name, folder / "memory.xlsx") for name in installed}


def commands(folder: Path, quick: bool) -> dict[str, float]:
    def median(*arguments: str) -> float:
        def work() -> None:
            subprocess.run([sys.executable, "-m", "sheetsim", *arguments], check=True, capture_output=True)

        return statistics.median(seconds(work) for _ in range(1 if quick else 5))

    return {
        f"sheetsim run {TEMPLATE}": median("run", TEMPLATE, "--output", str(folder / "command.xlsx")),
        "sheetsim list": median("list"),
        "sheetsim --help": median("--help"),
    }


def shares(folder: Path, quick: bool) -> dict[str, Any]:
    """Each piece alone on the standard data, one after the other; `rest` is the whole minus the pieces in use.

    Where deflate runs on threads beside the formatting, the whole is shorter than its pieces and the rest is negative.
    """
    import orjson

    from sheetsim.workbook import cells

    blocks = blocks_of(STANDARD)
    write = ours(blocks)

    def median(work: Callable[[], object]) -> float:
        return statistics.median(seconds(work) for _ in range(1 if quick else 5))

    def format_numbers() -> None:
        for block in blocks.values():
            orjson.dumps(block.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)

    def rows() -> list[bytes]:
        return [cells.matrix_rows(block, None, 1, 2, 0) for block in blocks.values()]

    result: dict[str, Any] = {"whole": median(lambda: write(folder / "ours.xlsx"))}
    result["formatting (orjson)"] = median(format_numbers)
    try:
        parts = rows()
    except (AttributeError, TypeError) as error:
        return {**result, "skipped": f"sheetsim.workbook.cells.matrix_rows has changed: {error}"}
    result["cell prefixes and joining"] = median(rows) - result["formatting (orjson)"]
    own_package = find_spec("sheetsim.workbook.package") is not None
    used = "deflate: zlib, level 6"
    result[used] = median(lambda: [zlib.compress(part, 6) for part in parts])
    if find_spec("isal") is not None:
        isal_zlib, igzip_threaded = import_module("isal.isal_zlib"), import_module("isal.igzip_threaded")

        def threaded() -> None:
            with igzip_threaded.open(folder / "parts.gz", "wb", compresslevel=1, threads=os.cpu_count() or 1) as file:
                for part in parts:
                    file.write(part)

        result["deflate: ISA-L, level 1"] = median(lambda: [isal_zlib.compress(part, 1) for part in parts])
        result["deflate: ISA-L, level 1, threads"] = median(threaded)
        used = "deflate: ISA-L, level 1" if own_package else used
    pieces = ("formatting (orjson)", "cell prefixes and joining", used)
    return {**result, "rest (structure)": result["whole"] - sum(result[piece] for piece in pieces), "in_use": used}


def sizes(folder: Path) -> dict[str, dict[str, float]]:
    return {str(size): in_process(OURS, folder / "size.xlsx", size) for size in SIZES}


# --- The report ---------------------------------------------------------------------------------------------------


def machine() -> str:
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}; {', '.join(found)}"


def table(title: str, headings: list[str], rows: Iterable[Iterable[Any]]) -> None:
    texts = [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    align = [str.ljust] + [str.rjust] * (len(headings) - 1)
    lines = [[f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)] for row in (headings, *texts)]
    lines.insert(1, ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]])
    print(f"\n{title}\n", *(f"| {' | '.join(line)} |" for line in lines), sep="\n", flush=True)


def print_standard(results: dict[str, dict[str, Any]]) -> None:
    table(
        "Standard block data: 1.15 million doubles in 16 sheets, median times; ratio = theirs / ours",
        ["writer", "ratio", "seconds", "ours beside it", "file MB", "digits exact", "runs"],
        (
            [name, "—", f"skipped: {r['skipped']}", "—", "—", "—", "—"]
            if "skipped" in r
            else [
                name,
                f"{r['ratio']:.2f}",
                f"{r['theirs_s']:.2f}",
                f"{r['ours_s']:.2f}" if "ours_s" in r else "—",
                f"{r['file_mb']:.1f}",
                f"{r['exact']:.1%}",
                r.get("runs", "—"),
            ]
            for name, r in results.items()
        ),
    )


def print_live_book(r: dict[str, Any]) -> None:
    table(
        f"The full live workbook of {TEMPLATE}: plain XlsxWriter / ours = {r['ratio']:.2f} ({r['runs']} runs)",
        ["writer", "seconds", "file MB", "cells", "formulas"],
        (
            [name, f"{r[who + '_s']:.2f}", f"{r[who + '_file_mb']:.1f}", r[who + "_cells"], r[who + "_formulas"]]
            for who, name in (("ours", OURS), ("theirs", "plain XlsxWriter"))
        ),
    )


def measure(folder: Path, quick: bool, with_sizes: bool) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": machine(), "quick": quick, "load": os.getloadavg()[0]}
    print(report["machine"])
    report["standard"] = standard(folder, quick)
    print_standard(report["standard"])
    report["live_book"] = live_book(folder, quick)
    print_live_book(report["live_book"])
    report["memory"] = memory(folder, [name for name, r in report["standard"].items() if "skipped" not in r])
    peaks = ([name, f"{r['peak_mb']:.0f}", f"{r['extra_mb']:.0f}"] for name, r in report["memory"].items())
    table("Peak memory, standard block data", ["writer", "MB in all", "MB more than imports and data"], peaks)
    report["commands"] = commands(folder, quick)
    plain = report["standard"]["XlsxWriter"]["theirs_s"]
    times = [*report["commands"].items(), ("(XlsxWriter, standard block data)", plain)]
    table("Whole commands, start of Python included", ["command", "seconds"], ([n, f"{s:.2f}"] for n, s in times))
    report["shares"] = shares(folder, quick)
    whole = report["shares"]["whole"]
    parts = ((name, s) for name, s in report["shares"].items() if isinstance(s, float))
    title = f"Where our time goes, standard block data; in use: {report['shares'].get('in_use', 'unknown')}"
    table(title, ["piece, measured alone", "seconds", "share"], ([n, f"{s:.3f}", f"{s / whole:.0%}"] for n, s in parts))
    if with_sizes:
        report["sizes"] = sizes(folder)
        rows = (
            [cells, f"{r['seconds']:.2f}", f"{r['seconds'] / float(cells):.2f}"]
            + [f"{r[key]:.0f}" for key in ("file_mb", "peak_mb", "extra_mb")]
            for cells, r in report["sizes"].items()
        )
        headings = ["million cells", "seconds", "seconds per million", "file MB", "peak MB", "MB more than data"]
        table("Ours by size", headings, rows)
    return report


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
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), arguments.quick, arguments.sizes)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
