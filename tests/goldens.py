"""What a person sees of a book, as text: sheet by sheet its cells, formats, rules, charts and names.

`python tests/goldens.py` writes the files of tests/goldens/ anew; the difference that git then shows is what a change
of the code does to the books. `test_goldens.py` compares.
"""

import hashlib
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
from openpyxl.worksheet.formula import ArrayFormula
from real_workbooks import plan_book

import sheetsim

FOLDER = Path(__file__).parent / "goldens"

TINY = {"samples": 6, "inputs": 4, "layers": [3, 2], "histogram.bins": 4}
SWEEP = {
    "template": "relu-he",
    "replicates": 3,
    "set": {"samples": 6, "inputs": 4, "layers": [3, 2]},
    "grid": {"initializer": [0.1, 0.5], "activation": ["relu", "tanh"]},
}


def _run(template: str, **other: Any) -> Callable[[Path], object]:
    return lambda path: sheetsim.run(template, **other).to_excel(path)


def _model(path: Path) -> object:
    model = sheetsim.Model("A model", seed=1)
    x = model.input("x", sheetsim.normal(), (4, 3))
    W = model.weights("W_1", sheetsim.he(), (3, 2))
    kind = model.choice("kind", ["relu", "tanh"], "relu")
    a = model.define("a_1", x @ W)
    model.define("z_1", sheetsim.choose(kind, {"relu": sheetsim.relu(a), "tanh": sheetsim.tanh(a)}))
    model.define("average", sheetsim.mean(model["z_1"]))
    model.series("h", x, lambda h, t: 0.5 * h + t, steps=3, columns=["u", "v", "w"])
    return sheetsim.run(model).to_excel(path)


def _simulated(path: Path) -> object:
    plain, book = plan_book(path.with_name("plain.xlsx")), path.with_name("plan.xlsx")
    # Not deflated: the book's digest would be that of the machine's zlib.
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(book, "w") as out:
        for member in source.infolist():
            out.writestr(zipfile.ZipInfo(member.filename), source.read(member))
    inputs = {"price": "normal(10, 1)", "B2": "uniform(900, 1100)"}
    run = sheetsim.workbook(book).simulate(
        inputs, ["B12"], trials=9, seed=1, correlations=[("price", "B2", 0.5)], verify=0
    )
    return run.to_excel(path)


# Of the templates that differ in a scheme alone, some.
NETWORKS = ("relu-he", "sigmoid-std1", "tanh-std1", "gradient-flow", "gradient-flow-sigmoid-std1")
NAMES = (*NETWORKS, "optimizers", "rnn-gradients", "rnn-gradients-tanh", "symmetry", "training-in-cells")
NAMES += ("jacobian-linear", "phase-diagram", "finite-width", "layer-norm", "bayesian-search")
SEARCH = {
    "template": "symmetry",
    "value": "small.loss_end",
    "goal": "min",
    "method": ["random", "bayes"],
    "trials": 6,
    "replicates": 2,
    "repeats": 2,
    "set": {"samples": 4, "steps": 3},
    "space": {"rate": {"from": 0.1, "to": 20.0, "scale": "log"}, "activation": ["tanh", "sigmoid"]},
}
STEPS = {
    "bayesian-search": {"steps": 1, "grid": 7},
    "optimizers": {"steps": 3},
    "rnn-gradients": {"steps": 3},
    "symmetry": {"steps": 3, "samples": 4},
    "training-in-cells": {"steps": 2, "pictures": 4},
    "finite-width": {"networks": 4, "inputs": 9, "layers": [9, 8], "bins": 3},
    "phase-diagram": {"steps": 2, "points": [[1.0, 0.1]], "pairs": 2, "units": 4, "layers": 2},
    "layer-norm": {"samples": 4, "units": 3, "layers": 2},
    "jacobian-linear": {"units": 4, "layers": 2, "bins": 3},
}

BOOKS: dict[str, Callable[[Path], object]] = {
    **{name: _run(name, **STEPS.get(name.removesuffix("-tanh"), TINY)) for name in NAMES},
    "training": _run("training", data="iris", samples=12, layers=[3], batch=6, steps=2, every=1, seeds=2),
    "simulated": _simulated,
    "summary": _run("relu-he", **TINY, report="summary"),
    "correlated": _run("tanh-xavier", **TINY, input={"distribution": "normal", "correlation": 0.5}),
    "redraw": _run("relu-he", **TINY, draws="live"),
    "values-only": lambda path: sheetsim.run("sigmoid-std1", **TINY).to_excel(path, values_only=True),
    "replicates": lambda path: sheetsim.replicate("relu-he", 4, **TINY).to_excel(path),
    "sweep": lambda path: sheetsim.sweep(SWEEP).to_excel(path),
    "search": lambda path: sheetsim.search(SEARCH).to_excel(path),
    "model": _model,
}

# What depends on the machine.
OF_THE_MACHINE = re.compile(r'^([A-Z]+\d+ \w{6} (?:sheetsim \d.* NumPy\b|\{"sheetsim": "[^"]*", "NumPy")).*')

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")


# A row of numbers, and how many of them one under another are all written.
PLAIN = re.compile(r"[A-Z]+\d+ \w{6} [-\d.]")
MOST_ROWS = 24


def described(path: Path) -> Iterator[str]:
    """The lines of a book."""
    formulas = openpyxl.load_workbook(path, rich_text=False)
    values = openpyxl.load_workbook(path, data_only=True)
    styles: dict[str, str] = {}
    for name, defined in sorted(formulas.defined_names.items()):
        yield f"name {name} = {defined.attr_text}"
    for sheet in formulas:
        yield ""
        yield f"# {sheet.title} {sheet.dimensions} {_facts(sheet)}"
        yield from (f"columns {key}: {one.width:g}" for key, one in sheet.column_dimensions.items())
        heights = [(row, one.height) for row, one in sheet.row_dimensions.items() if one.height]
        yield from (f"row {row}: {height:g}" for row, height in heights)
        yield from (f"merged {one}" for one in sorted(map(str, sheet.merged_cells.ranges)))
        yield from _shortened(line for row in sheet.iter_rows() for line in _cells(row, values[sheet.title], styles))
        for area, rules in sheet.conditional_formatting._cf_rules.items():
            yield from (f"rule {area.sqref}: {_rule(rule)}" for rule in rules)
        for one in sheet.data_validations.dataValidation:
            said = one.type, one.operator, one.formula1, one.formula2, one.error, one.prompt
            yield f"validation {one.sqref}: {' '.join(map(str, said))}"
    yield ""
    yield from (f"style {digest}: {text}" for text, digest in sorted(styles.items(), key=lambda pair: pair[1]))
    with zipfile.ZipFile(path) as archive:
        for part in sorted(archive.namelist()):
            if part.startswith(("xl/charts/", "xl/drawings/drawing")):
                yield from ("", f"# {part}", *_xml(archive.read(part)))


def _shortened(lines: Iterator[str]) -> Iterator[str]:
    """The lines; of many rows of numbers one under another the first, the last, and the sum of all."""
    for is_plain, run in groupby(lines, key=lambda line: bool(PLAIN.match(line))):
        several = list(run)
        if not is_plain or len(several) <= MOST_ROWS:
            yield from several
            continue
        yield from several[:3]
        numbers = [float(word) for line in several for word in line.split()[2:]]
        yield f"… {len(several)} rows, sum of magnitudes {sum(map(abs, numbers)):.9g}"
        yield several[-1]


def _facts(sheet: Any) -> str:
    page = sheet.page_setup
    found = {
        "freeze": sheet.freeze_panes,
        "grid": sheet.sheet_view.showGridLines,
        "tab": sheet.sheet_properties.tabColor and sheet.sheet_properties.tabColor.rgb,
        "state": sheet.sheet_state,
        "area": sheet.print_area,
        "titles": sheet.print_title_rows,
        "scale": page.scale,
        "fit": f"{page.fitToWidth}×{page.fitToHeight}" if sheet.sheet_properties.pageSetUpPr else None,
        "paper": page.paperSize,
        "turned": page.orientation,
        "breaks": [one.id for one in sheet.row_breaks.brk],
    }
    return " ".join(f"{key}={value}" for key, value in found.items() if value)


def _cells(row: Any, values: Any, styles: dict[str, str]) -> Iterator[str]:
    """The cells of a row; numbers beside one another in one format are one line."""
    used = [cell for cell in row if cell.value is not None or cell.has_style or cell.comment]
    for (is_plain, style), run in groupby(used, key=lambda cell: (_is_plain(cell), _style(cell, styles))):
        cells = list(run)
        if is_plain:
            numbers = " ".join(_said(cell.value) for cell in cells)
            yield f"{cells[0].coordinate} {style} {numbers}"
            continue
        for cell in cells:
            yield f"{cell.coordinate} {style} {_formula(cell.value)}{_shown(cell, values)}"


def _is_plain(cell: Any) -> bool:
    return isinstance(cell.value, int | float) and not cell.comment and not cell.hyperlink


def _formula(value: Any) -> str:
    if isinstance(value, ArrayFormula):
        return f"{{{value.text}}} over {value.ref}"
    return "" if value is None else str(value) if isinstance(value, str) else _said(value)


def _shown(cell: Any, values: Any) -> str:
    said = ""
    if isinstance(cell.value, ArrayFormula) or (isinstance(cell.value, str) and cell.value.startswith("=")):
        said += f" → {_said(values[cell.coordinate].value)}"
    if cell.hyperlink:
        said += f" link {cell.hyperlink.location}"
    if cell.comment:
        said += f" note {cell.comment.text!r}"
    return said


def _said(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _style(cell: Any, styles: dict[str, str]) -> str:
    font, fill, where = cell.font, cell.fill, cell.alignment
    sides = {side: getattr(cell.border, side) for side in ("left", "right", "top", "bottom")}
    text = f"{cell.number_format} | {font.name} {font.sz:g} {font.color.rgb if font.color else ''}"
    text += f"{' bold' if font.b else ''}{' italic' if font.i else ''}{' underlined' if font.u else ''}"
    text += f" | {fill.fgColor.rgb if fill.fill_type else '-'} | {where.horizontal} {where.vertical}"
    text += f"{' wrapped' if where.wrap_text else ''} {where.indent:g} {where.textRotation} | "
    text += " ".join(
        f"{name} {side.style} {side.color and side.color.rgb}" for name, side in sides.items() if side and side.style
    )
    return styles.setdefault(text, hashlib.blake2s(text.encode()).hexdigest()[:6])


def _rule(rule: Any) -> str:
    said = [rule.type, rule.operator, rule.priority, rule.stopIfTrue, rule.text, *rule.formula]
    if rule.dxf is not None:
        form = rule.dxf
        said += [form.numFmt and form.numFmt.formatCode, form.fill and form.fill.bgColor.rgb]
        said += [form.font and form.font.color and form.font.color.rgb]
    if rule.colorScale is not None:
        said += [f"{one.type} {one.val}" for one in rule.colorScale.cfvo] + [one.rgb for one in rule.colorScale.color]
    return " ".join(str(one) for one in said if one is not None)


def _xml(text: bytes) -> Iterator[str]:
    """The elements of a part that say something, indented by depth."""
    root = ElementTree.fromstring(text)
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        tag = node.tag.partition("}")[2]
        attributes = " ".join(f"{key.rpartition('}')[2]}={value}" for key, value in node.attrib.items())
        content = (node.text or "").strip()
        if attributes or content:
            yield f"{'  ' * min(depth, 12)}{tag} {attributes} {content}".rstrip()
        # A chart's copy of its cells' numbers is left out: the cells stand above.
        stack += [(child, depth + 1) for child in reversed(node) if not child.tag.endswith("Cache")]


def lines_of(name: str, path: Path) -> list[str]:
    BOOKS[name](path)
    return [OF_THE_MACHINE.sub(r"\1 …", line) for line in described(path)]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or BOOKS:
        with tempfile.TemporaryDirectory() as folder:
            text = "\n".join(lines_of(name, Path(folder) / f"{name}.xlsx"))
        (FOLDER / f"{name}.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
