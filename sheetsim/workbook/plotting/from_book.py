"""What the charts of a workbook's sheets show, as numbers: read from its file, with what its cells hold now.

Of charts as sheetsim writes them, also where another program saved them again; others are left out.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from posixpath import basename, dirname, join, normpath
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.op import Array
from sheetsim.workbook.layout import Ticks
from sheetsim.workbook.plotting.panels import (
    BarLayer,
    BarShare,
    Cell,
    DrawnLine,
    HistogramPanel,
    LinesPanel,
    Panel,
    PanelFrame,
    RowsPanel,
    ScatterPanel,
    by_place,
    cell_text,
    frame_of,
    heat_maps,
)
from sheetsim.workbook.reading.parse import rectangle
from sheetsim.workbook.reading.read import Reader
from sheetsim.workbook.writing.cover import PREFIX
from sheetsim.workbook.writing.looks import LineLook
from sheetsim.workbook.writing.styles import Look
from sheetsim.workbook.writing.theme import USUAL

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
D = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"

# English Metric Units of a point and of a pixel.
POINT, PIXEL = 12_700, 9_525

# Bytes of a sheet, beyond which it is a matrix's and no page; cells that a chart may draw.
MOST_BYTES, MOST_CELLS = 8 << 20, 4_000_000

# A column's and a row's pixels, where a sheet does not say them.
WIDTH, HEIGHT = 64, 20

# What a chart is called in its description, before what kind it is, in any language: see layout.Bars.
CALLED = re.compile(r"(?!(?:Histogram|Lines|Bars|Paths) (?:of|over)\b)(.+?: .+?)\. ")

_COLUMN = re.compile(rb'<col min="(\d{1,5})" max="(\d{1,5})" width="([\d.]{1,20})"')
_ROW = re.compile(rb'<row r="(\d{1,7})"[^>]*? ht="([\d.]{1,20})"')
_RULES = re.compile(rb'<conditionalFormatting[^>]*? sqref="([^"]+)"[^>]*>(.*?)</conditionalFormatting>', re.DOTALL)
_SCALE = re.compile(rb"<colorScale>(.*?)</colorScale>", re.DOTALL)
_END = re.compile(rb'<cfvo type="(\w+)"(?: val="([^"]*)")?')


class _Scale(NamedTuple):
    """Areas of cells that share one scale of colors, and its three numbers, if it says them."""

    areas: tuple[tuple[int, int, int, int], ...]
    at: tuple[float, float, float] | None


def charted_sheets(reader: Reader) -> dict[str, Callable[[Look], list[Panel]]]:
    """By title of a sheet that has charts, or cells in colors, what reads these.

    Charts of a person's own cover are left out.
    """
    sheets: dict[str, Callable[[Look], list[Panel]]] = {}
    for title in reader.file.titles:
        part = reader.file.part_of(title)
        if reader.file.size(part) > MOST_BYTES:
            continue
        xml = reader.file.read(part)
        drawings = [
            target
            for kind, target in _links(reader, part).values()
            if kind == "drawing" and not basename(target).startswith(PREFIX) and _has_charts(reader, target)
        ]
        scales = list(_scales(xml))
        if drawings or scales:
            sheets[title] = partial(_panels, (reader, title, xml, drawings, scales))
    return sheets


def _has_charts(reader: Reader, drawing: str) -> bool:
    """Whether a drawing has more than pictures."""
    return any(kind == "chart" for kind, _ in _links(reader, drawing).values())


def _panels(of: tuple[Reader, str, bytes, list[str], list[_Scale]], _: Look) -> list[Panel]:
    return by_place(_all_panels(*of))


def _all_panels(reader: Reader, title: str, xml: bytes, drawings: list[str], scales: list[_Scale]) -> Iterator[Panel]:
    columns, rows = _pixels(xml)
    for drawing in drawings:
        links = _links(reader, drawing)
        for anchor in _tree(reader, drawing):
            chart = anchor.find(f".//{C}chart")
            kind, part = links.get("" if chart is None else chart.get(f"{R}id", ""), ("", ""))
            if kind == "chart":
                panel = _panel(_Chart(reader, _tree(reader, part)), _frame(anchor, columns, rows))
                if panel is not None:
                    yield panel
    for scale in scales:
        cells: dict[tuple[int, int], Cell] = {}
        for row, column, high, wide in scale.areas:
            top, left = max(0, row - 3), max(0, column - 1)
            block = reader.cells(title, top + 1, left + 1, row + high, column + wide)
            cells |= {(top + r, left + c): cell for r, line in enumerate(block) for c, cell in enumerate(line)}
        yield from heat_maps(scale.areas, scale.at, {k: cell for k, cell in cells.items() if cell == cell})


def _links(reader: Reader, part: str) -> dict[str, tuple[str, str]]:
    """By identifier the kinds and parts that a part refers to."""
    name = join(dirname(part), "_rels", f"{basename(part)}.rels")
    if name not in reader.file.parts:
        return {}
    links = {}
    for link in reader.file.elements(name, {"Relationship": 10_000}):
        target = link.attributes.get("Target", "")
        place = target.lstrip("/") if target.startswith("/") else normpath(join(dirname(part), target))
        links[link.attributes.get("Id", "")] = (link.attributes.get("Type", "").rpartition("/")[2], place)
    return links


def _tree(reader: Reader, part: str) -> ElementTree.Element:
    xml = reader.file.read(part)
    if b"<!DOCTYPE" in xml:
        raise SheetsimError(
            f"{reader.path} is refused: the part {part!r} declares a document type, which no workbook has"
        )
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise SheetsimError(f"{reader.path} is damaged in the part {part}: {error}") from None


def _pixels(xml: bytes) -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Where a column and a row of a sheet, from 0, begin."""
    head, _, _ = xml.partition(b"<sheetData")
    wide: dict[int, float] = {}
    for low, high, width in _COLUMN.findall(head):
        wide |= dict.fromkeys(range(int(low) - 1, min(int(high), 16_384)), round(float(width) * 7))
    high_rows = {int(row) - 1: float(height) / 0.75 for row, height in _ROW.findall(xml)}
    return partial(_sum_before, wide, WIDTH), partial(_sum_before, high_rows, HEIGHT)


def _sum_before(sizes: Mapping[int, float], usual: float, place: int) -> float:
    return place * usual + sum(size - usual for at, size in sizes.items() if at < place)


def _frame(anchor: ElementTree.Element, columns: Callable[[int], float], rows: Callable[[int], float]) -> PanelFrame:
    """Where a chart stands, how large it is, and what its description says that it shows."""
    place = {
        f"{end}{part}": int(anchor.findtext(f"{D}{end}/{D}{part}", "0"))
        for end in ("from", "to")
        for part in ("col", "row", "colOff", "rowOff")
    }
    left, right = (columns(place[f"{end}col"]) + place[f"{end}colOff"] / PIXEL for end in ("from", "to"))
    top, bottom = (rows(place[f"{end}row"]) + place[f"{end}rowOff"] / PIXEL for end in ("from", "to"))
    size = max(1, round(right - left)), max(1, round(bottom - top))
    described = anchor.find(f".//{D}cNvPr")
    called = CALLED.match("" if described is None else described.get("descr", ""))
    return PanelFrame(place["fromrow"], place["fromcol"], size, "", called[1] if called else "")


class _Chart:
    """A chart's part, and the numbers that it refers to."""

    def __init__(self, reader: Reader, tree: ElementTree.Element) -> None:
        self.reader, self.tree = reader, tree
        legend = tree.find(f".//{C}legend")
        entries = [] if legend is None else legend.findall(f"{C}legendEntry")
        unnamed = {_value(entry, "idx") for entry in entries if entry.find(f"{C}delete") is not None}
        self.unnamed: set[str] | None = None if legend is None else unnamed

    def series(self, kind: str) -> list[ElementTree.Element]:
        """The series of the first chart of a kind."""
        return self.tree.findall(f".//{C}plotArea/{C}{kind}/{C}ser")

    def cells(self, series: ElementTree.Element, role: str) -> list[Cell]:
        """What the cells hold that a series draws, NaN where one is empty."""
        text = series.findtext(f"{C}{role}//{C}f", "")
        if not text:
            return []
        sheet, _, block = text.rpartition("!")
        try:
            area = rectangle(block)
        except ValueError as error:
            raise SheetsimError(f"{self.reader.path}: a chart refers to {text!r}: {error}") from None
        if area.size > MOST_CELLS:
            raise SheetsimError(f"{self.reader.path}: a chart draws {area.size:,} cells")
        rows = self.reader.cells(sheet.strip("'").replace("''", "'"), *area)
        return [cell for row in rows for cell in row]

    def numbers(self, series: ElementTree.Element, role: str = "val") -> Array:
        """The same as numbers."""
        return np.array([np.nan if isinstance(cell, str) else cell for cell in self.cells(series, role)])

    def look(self, number: int, series: ElementTree.Element) -> LineLook:
        """A line's look."""
        line = series.find(f"{C}spPr/{A}ln")
        seen = line is not None and line.find(f"{A}noFill") is None
        marker = series.find(f"{C}marker")
        shape = "none" if marker is None else _value(marker, "symbol", "none")
        color = _color(line) or _color(None if marker is None else marker.find(f"{C}spPr")) or USUAL.keys.colors.muted
        look = LineLook(color, int("0" if line is None else line.get("w", "28575")) / POINT if seen else 0)
        if line is not None and line.find(f"{A}prstDash") is not None:
            look = look._replace(dashed=line.find(f"{A}prstDash").get("val") != "solid")  # type: ignore[union-attr]
        if shape != "none" and marker is not None:
            look = look._replace(marker=shape, size=float(_value(marker, "size", "5")))
        return look._replace(named=self.unnamed is not None and str(number) not in self.unnamed)

    def axis(self, kind: str, number: int = 0) -> ElementTree.Element:
        """An axis of a kind, by its place among these."""
        axes = self.tree.findall(f".//{C}plotArea/{C}{kind}")
        return axes[number] if number < len(axes) else ElementTree.Element("none")


def _panel(chart: _Chart, frame: PanelFrame) -> Panel | None:
    title = _text(chart.tree.find(f".//{C}chart/{C}title"))
    frame = frame_of(*frame[:3], title, frame.title)
    bars = chart.series("barChart")
    if bars and _value(chart.tree.find(f".//{C}barChart"), "barDir") == "col":
        return _histogram(chart, frame, bars)
    if bars:
        names = tuple(cell_text(cell) for cell in chart.cells(bars[0], "cat"))
        parts = tuple(
            BarLayer(chart.numbers(one), _color(one.find(f"{C}spPr")) or USUAL.keys.colors.muted, _name(one))
            for one in bars
        )
        stacked = _value(chart.tree.find(f".//{C}barChart"), "overlap") == "100"
        return RowsPanel(frame, parts, names, _text(chart.axis("valAx").find(f"{C}title")), stacked)
    points = chart.series("scatterChart")
    if points:
        lines = tuple(
            DrawnLine(_name(one), chart.numbers(one, "yVal"), chart.look(k, one), chart.numbers(one, "xVal"))
            for k, one in enumerate(points)
        )
        axes = [chart.axis("valAx", number) for number in (0, 1)]
        windows = [_window(axis) for axis in axes]
        if windows[0] is None or windows[1] is None:
            return None
        across, up = (_text(axis.find(f"{C}title")) for axis in axes)
        return ScatterPanel(frame, lines, (windows[0], windows[1]), (across, up))
    drawn = chart.series("lineChart")
    if not drawn:
        return None
    lines = tuple(DrawnLine(_name(one), chart.numbers(one), chart.look(k, one)) for k, one in enumerate(drawn))
    scale = chart.axis("valAx").find(f"{C}scaling")
    axis = _text(chart.axis("catAx").find(f"{C}title"))
    logarithmic = scale is not None and scale.find(f"{C}logBase") is not None
    return LinesPanel(frame, lines, tuple(chart.cells(drawn[0], "cat")), axis, logarithmic, _value(scale, "max") == "1")


def _histogram(chart: _Chart, frame: PanelFrame, bars: list[ElementTree.Element]) -> HistogramPanel:
    labels = tuple(cell_text(cell) for cell in chart.cells(bars[0], "cat"))
    layers = []
    for one in bars:
        heights = np.zeros(len(labels))
        numbers = np.nan_to_num(chart.numbers(one))[: len(labels)]
        heights[: len(numbers)] = numbers
        layers.append(BarLayer(heights, _color(one.find(f"{C}spPr")), _name(one)))
    axis = chart.axis("catAx")
    share = None
    for one in chart.series("lineChart")[:1]:
        numbers = chart.numbers(one)
        shown = one.find(f".//{C}numFmt")
        name = "" if shown is None else shown.get("formatCode", "").partition('"')[2].partition('"')[0].strip()
        share = BarShare(len(numbers) - 1, float(numbers[-1]), name)
    every = int(_value(axis, "tickLblSkip", "1"))
    return HistogramPanel(frame, tuple(layers), labels, _text(axis.find(f"{C}title")), every, share)


def _window(axis: ElementTree.Element) -> Ticks | None:
    scale = axis.find(f"{C}scaling")
    ends = _value(scale, "min"), _value(scale, "max"), _value(axis, "majorUnit")
    return Ticks(*map(float, ends)) if all(ends) else None


def _value(element: ElementTree.Element | None, tag: str, otherwise: str = "") -> str:
    """The attribute `val` of a part of an element."""
    part = None if element is None else element.find(f"{C}{tag}")
    return otherwise if part is None else part.get("val", otherwise)


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None else "".join(part.text or "" for part in element.iter(f"{A}t"))


def _name(series: ElementTree.Element) -> str:
    """A series' name."""
    texts = series.findall(f"{C}tx//{C}v")
    return (texts[0].text or "") if texts else ""


def _color(element: ElementTree.Element | None) -> str:
    """The color that an element is filled with, if any."""
    fill = None if element is None else element.find(f"{A}solidFill/{A}srgbClr")
    color = "" if fill is None else fill.get("val", "")
    return f"#{color.upper()}" if re.fullmatch("[0-9A-Fa-f]{6}", color) else ""


def _scales(xml: bytes) -> Iterator[_Scale]:
    """The color scales of a sheet, without a matrix's, whose ends are formulas."""
    for cells, rules in _RULES.findall(xml):
        for scale in _SCALE.findall(rules):
            ends = _END.findall(scale)
            if any(kind == b"formula" for kind, _ in ends):
                continue
            blocks = [rectangle(block) for block in cells.decode().split()]
            areas = tuple(
                (area.top - 1, area.left - 1, area.bottom - area.top + 1, area.right - area.left + 1) for area in blocks
            )
            fixed = len(ends) == 3 and all(kind == b"num" for kind, _ in ends)
            low, middle, high = (float(number) for _, number in ends) if fixed else (0.0, 0.0, 0.0)
            yield _Scale(areas, (low, middle, high) if fixed else None)
