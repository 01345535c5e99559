"""Native charts: histograms and lines, from the places of the cells that they show. It places none on a sheet."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array
from sheetsim.workbook.formulas import address
from sheetsim.workbook.layout import Area, Bars, HorizontalBars, Lines, Scatter, Spike, Ticks
from sheetsim.workbook.writing.looks import CONTOUR_LOOK, Look, line_looks, trace_look
from sheetsim.workbook.writing.styles import (
    BAR,
    FONT,
    GAP,
    INK,
    LINES,
    MUTED,
    OUTSIDE,
    RULE_COLOR,
    RULED,
    SPIKE,
    axis_format,
    line_colors,
)

Places = Mapping[Matrix, Area]

SMALL_FONT = {"size": 8, "color": MUTED, "name": FONT["font_name"]}
# Of a chart in Excel.
MOST_SERIES = 255

# A second scale for shares, 0 to 1 of which lie near its top.
# Without labels and not deleted: LibreOffice draws the series of an axis that is deleted on the first one.
HIDDEN = {
    "min": -30,
    "max": 1,
    "major_gridlines": {"visible": False},
    "label_position": "none",
    "line": {"none": True},
    "major_tick_mark": "none",
}

GRIDLINES = {"visible": True, "line": {"color": RULED, "width": 0.5}}


def bars_chart(book: Any, item: Bars, places: Places) -> tuple[Any, str]:
    """A histogram as a column chart without gaps, and what it shows in words.

    Its series stand in one place, each over the ones before.
    """
    chart = book.add_chart({"type": "column"})
    label_area = places[item.labels]
    labels = _range(label_area._replace(shape=(label_area.shape[0] + 1, 1)))
    counts = places[item.counts]
    last = counts.shape[0] - 1

    def add(area: Area, fill: dict[str, Any], **more: Any) -> None:
        look = {"categories": labels, "gap": 0, "overlap": 100, "border": {"none": True}}
        chart.add_series({**look, "values": _range(area), **fill, **more})

    # An unseen bar as tall as the charts that share its cell: the only way to one scale that follows the formulas.
    add(places[item.height], {"fill": {"none": True}})
    if item.spike is not None:
        above, gap, below = (_up(places[part], item.spike.at) for part in item.spike.parts)
        add(above, {"fill": {"color": SPIKE}})
        add(gap, {"fill": {"color": GAP}})
        add(below, {"fill": {"color": SPIKE}}, name=item.spike.name)
    line = {"color": BAR, "width": 0.25}
    outside = {"fill": {"color": OUTSIDE}}
    add(counts, outside, name=item.outside[1], data_labels=_named(item.outside[1], last))
    inside = counts._replace(shape=(last, 1))
    add(inside, {"fill": {"color": BAR}}, name=item.counts.name, border=line)
    add(counts._replace(shape=(1, 1)), outside, name=item.outside[0], data_labels=_named(item.outside[0], 0))
    if item.spike is not None:
        chart.combine(_share(book, item.spike, labels, places))
        chart.set_y2_axis(HIDDEN)
    chart.set_legend({"none": True})
    chart.set_x_axis(_x_axis(item.axis, item.every))
    chart.set_y_axis(
        {"num_font": SMALL_FONT, "num_format": "#,##0", "min": 0, "major_gridlines": GRIDLINES, "line": {"none": True}}
    )
    _frame(chart, item)
    return chart, f"Histogram of {item.counts.name}"


def _named(name: str, last: int) -> dict[str, Any]:
    """A name at the last of so many bars, by a number format that shows it where the number is not 0."""
    font = {**SMALL_FONT, "color": OUTSIDE, "rotation": -90}
    hidden = [{"delete": True}] * last
    return {"value": True, "num_format": f'"{name}";;', "font": font, "position": "outside_end", "custom": hidden}


def _share(book: Any, spike: Spike, labels: list[Any], places: Places) -> Any:
    """An unseen point with a share as its label, at the top of a scale on which no share is far from there."""
    chart = book.add_chart({"type": "line"})
    shown = {
        "value": True,
        "num_format": f'"{spike.name} "0.0%;;',
        "font": {**SMALL_FONT, "color": INK},
        "position": "right",
    }
    cells = _range(_up(places[spike.share], spike.at))
    series = {"categories": labels, "values": cells, "line": {"none": True}, "marker": {"type": "none"}}
    hidden = [{"delete": True}] * spike.at
    chart.add_series({**series, "data_labels": {**shown, "custom": hidden}, "y2_axis": True})
    chart.set_y2_axis(HIDDEN)
    return chart


def _up(area: Area, rows: int) -> Area:
    """The cell with so many above it."""
    return area._replace(row=area.row - rows, shape=(rows + 1, 1))


def lines_chart(book: Any, item: Lines, places: Places, values: Mapping[Matrix, Array]) -> tuple[Any, str]:
    """Lines with error bars where they have them, and what they show in words."""
    chart = book.add_chart({"type": "line"})
    labels = {"categories": _down(item.labels, places)} if item.labels else {}
    looks = line_looks(item)
    longest = max(sum(node.shape[0] for node in line.cells) for line in item.lines)
    for line, look in zip(item.lines, looks, strict=True):
        chart.add_series({"name": line.name, "values": _down(line.cells, places), **labels, **_look(look)})
    unseen = [number for number, look in enumerate(looks) if not look.named]
    several = len(item.lines) - len(unseen) > 1
    legend = {
        "position": "right" if len(item.lines) - len(unseen) > len(LINES) else "bottom",
        "font": SMALL_FONT,
        "delete_series": unseen,
    }
    chart.set_legend(legend if several else {"none": True})
    every = max(1, values[item.labels[0]].size // 8) if len(item.labels) == 1 else max(1, longest // 10)
    chart.set_x_axis({**_x_axis(item.axis, every), **_label_format(item.labels, values)})
    scale = {"log_base": 10, "crossing": "min"} if item.logarithmic else {}
    shown = "[>=100000]0E+00;[<0.001]0E+00;General" if item.logarithmic else "General"
    if item.share:
        scale["max"] = 1
        shown = "0.0##%" if item.logarithmic else "0%"
    chart.set_y_axis(
        {"num_font": SMALL_FONT, "num_format": shown, "major_gridlines": GRIDLINES, "line": {"none": True}, **scale}
    )
    _frame(chart, item)
    return chart, f"Lines of {', '.join(line.name for line in item.lines)}"


def horizontal_chart(book: Any, item: HorizontalBars, places: Places) -> tuple[Any, str]:
    """Bars from left to right with the names of their rows, and what they show in words."""
    chart = book.add_chart({"type": "bar"})
    first = places[item.parts[0].cells[0]]
    rows = sum(node.shape[0] for node in item.parts[0].cells)
    names = _range(first._replace(column=item.names, shape=(rows, 1)))
    for part, color in zip(item.parts, line_colors(len(item.parts)), strict=True):
        look = {"fill": {"color": color}, "border": {"none": True}, "gap": 40, "overlap": 100 if item.stacked else 0}
        chart.add_series({"name": part.name, "categories": names, "values": _down(part.cells, places), **look})
    chart.set_legend({"position": "bottom", "font": SMALL_FONT} if len(item.parts) > 1 else {"none": True})
    # The first row on top puts the scale there too, unless its labels stand at its high end.
    chart.set_y_axis(
        {
            "reverse": True,
            "interval_unit": 1,
            "num_font": {**SMALL_FONT, "color": INK},
            "label_position": "low",
            "line": {"color": RULE_COLOR},
            "major_tick_mark": "none",
        }
    )
    chart.set_x_axis(
        {
            "name": item.axis,
            "name_font": {**SMALL_FONT, "bold": False},
            "num_font": SMALL_FONT,
            "num_format": "General",
            "major_gridlines": GRIDLINES,
            "line": {"none": True},
            "label_position": "high",
        }
    )
    _frame(chart, item)
    return chart, f"Bars of {', '.join(part.name for part in item.parts)} by {item.axis or 'row'}"


def scatter_chart(book: Any, item: Scatter, places: Places) -> tuple[Any, str]:
    """Paths with markers over contour lines without, and what they show in words."""
    if len(item.traces) + len(item.contours) > MOST_SERIES:
        raise ValueError(f"a chart has {MOST_SERIES} series at most")
    chart = book.add_chart({"type": "scatter", "subtype": "straight_with_markers"})
    for points in item.contours:
        chart.add_series({**_points(points, places), **_look(CONTOUR_LOOK)})
    for trace in item.traces:
        chart.add_series({"name": trace.name, **_points(trace.points, places), **_look(trace_look(trace))})
    unseen = list(range(len(item.contours)))
    legend = {"position": "bottom", "font": SMALL_FONT, "delete_series": unseen}
    chart.set_legend(legend if len(item.traces) > 1 else {"none": True})
    for set_axis, name, ticks in zip((chart.set_x_axis, chart.set_y_axis), item.axes, item.window, strict=True):
        set_axis(_fixed_axis(name, ticks))
    _frame(chart, item)
    return chart, f"Paths of {', '.join(trace.name for trace in item.traces)} over contour lines"


def _points(points: Matrix, places: Places) -> dict[str, list[Any]]:
    """Two columns of cells as a series' x and y."""
    area = places[points]
    x = area._replace(shape=(area.shape[0], 1))
    return {"categories": _range(x), "values": _range(x._replace(column=area.column + 1))}


def _look(look: Look) -> dict[str, Any]:
    """A line's look in XlsxWriter's terms."""
    dash = {"dash_type": "dash"} if look.dashed else {}
    fill = {"color": look.color}
    shape = {"type": look.marker, "size": look.size, "fill": fill, "border": fill} if look.marker else {"type": "none"}
    return {"line": {**fill, "width": look.width, **dash} if look.width else {"none": True}, "marker": shape}


def _fixed_axis(name: str, ticks: Ticks) -> dict[str, Any]:
    return {
        "name": name,
        "name_font": {**SMALL_FONT, "bold": False},
        "num_font": {**SMALL_FONT, "rotation": 360} if name == "x" else SMALL_FONT,
        "min": ticks.low,
        "max": ticks.high,
        "major_unit": ticks.tick,
        "crossing": "min",
        "line": {"color": RULE_COLOR},
        "major_gridlines": {"visible": False},
        "major_tick_mark": "outside",
        "label_position": "low",
    }


def _label_format(labels: Sequence[Matrix], values: Mapping[Matrix, Array]) -> dict[str, str]:
    """Digits for labels that are no whole numbers."""
    numbers = np.concatenate([values[node][:, 0] for node in labels]) if labels else np.zeros(1)
    if not np.isfinite(numbers).all() or (numbers == np.floor(numbers)).all():
        return {}
    return {"num_format": axis_format(numbers.min(), numbers.max())}


def _frame(chart: Any, item: Bars | HorizontalBars | Lines | Scatter) -> None:
    font = {"size": 10, "color": INK, "bold": True, "name": FONT["font_name"]}
    chart.set_title({"name": item.title, "name_font": font} if item.title else {"none": True})
    chart.set_chartarea({"border": {"color": RULED}})
    chart.set_size({"width": item.size[0], "height": item.size[1]})


def _x_axis(name: str, every: int) -> dict[str, Any]:
    return {
        "name": name,
        "name_font": {**SMALL_FONT, "bold": False},
        # Level in Excel, where 360 is XlsxWriter's word for 0; LibreOffice slants what is close.
        "num_font": {**SMALL_FONT, "rotation": 360},
        "interval_unit": every,
        "interval_tick": every,
        "line": {"color": RULE_COLOR},
        "major_tick_mark": "outside",
        "label_position": "low",
    }


def _down(cells: Sequence[Matrix], places: Places) -> list[Any]:
    """The range from the first cell to the last, which must stand under it."""
    first, last = places[cells[0]], places[cells[-1]]
    rows = last.row + last.shape[0] - first.row
    if first.sheet != last.sheet or first.column != last.column or rows != sum(node.shape[0] for node in cells):
        raise ValueError(f"the cells of a line stand not one under another: {first} to {last}")
    return _range(first._replace(shape=(rows, 1)))


def _range(area: Area) -> list[Any]:
    rows, columns = area.shape
    return [area.sheet, area.row, area.column, area.row + rows - 1, area.column + columns - 1]


def _reference(cells: list[Any]) -> str:
    """The range as a formula: XlsxWriter takes error bars' cells in no other way."""
    sheet, row, column, last_row, last_column = cells
    return f"={address(sheet, row, column, (last_row - row + 1, last_column - column + 1))}"
