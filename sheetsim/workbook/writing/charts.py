"""Native charts: histograms and lines, from the places of the cells that they show. It places none on a sheet."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np

from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array
from sheetsim.workbook.formulas import address
from sheetsim.workbook.layout import Area, Bars, HorizontalBars, Lines, Scatter, Spike, Ticks
from sheetsim.workbook.writing.looks import LineLook, contour_look, line_looks, row_colors, trace_look
from sheetsim.workbook.writing.styles import GAP, Look, axis_format, first_section
from sheetsim.workbook.writing.xlsxwriter_parts import new_chart

Places = Mapping[Matrix, Area]

# Of a chart in Excel.
MOST_SERIES = 255

# Labels of an axis over powers of ten, and the pixels of a chart's width that such a one takes.
SMALL_LABELS, SMALL_LABEL = "[<0.01]0.0000;0.00", 48

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


def bars_chart(book: Any, look: Look, item: Bars, places: Places) -> tuple[Any, str]:
    """A histogram as a column chart without gaps, and what it shows in words.

    Its series stand in one place, each over the ones before.
    """
    chart = new_chart(book, {"type": "column"})
    label_area = places[item.labels]
    labels = _range(label_area._replace(shape=(label_area.shape[0] + 1, 1)))
    counts = places[item.counts]
    last = counts.shape[0] - 1

    def add(area: Area, fill: dict[str, Any], **more: Any) -> None:
        drawn = {"categories": labels, "gap": 0, "overlap": 100, "border": {"none": True}}
        chart.add_series({**drawn, "values": _range(area), **fill, **more})

    # An unseen bar as tall as the charts that share its cell: the only way to one scale that follows the formulas.
    add(places[item.height], {"fill": {"none": True}})
    if item.spike is not None:
        above, gap, below = (_up(places[part], item.spike.at) for part in item.spike.parts)
        add(above, {"fill": {"color": look.theme.colors.zeros}})
        add(gap, {"fill": {"color": GAP}})
        add(below, {"fill": {"color": look.theme.colors.zeros}}, name=item.spike.name)
    line = {"color": look.theme.colors.bar, "width": 0.25}
    outside = {"fill": {"color": look.theme.colors.outside}}
    add(counts, outside, name=item.outside[1], data_labels=_named(look, item.outside[1], last))
    inside = counts._replace(shape=(last, 1))
    add(inside, {"fill": {"color": look.theme.colors.bar}}, name=item.counts.name, border=line)
    add(counts._replace(shape=(1, 1)), outside, name=item.outside[0], data_labels=_named(look, item.outside[0], 0))
    if item.spike is not None:
        chart.combine(_share(book, look, item.spike, labels, places))
        chart.set_y2_axis(HIDDEN)
    chart.set_legend({"none": True})
    chart.set_x_axis(_x_axis(look, item.axis, item.every))
    chart.set_y_axis(
        {
            "num_font": look.small_font,
            "num_format": look.theme.numbers.count,
            "min": 0,
            "major_gridlines": look.gridlines,
            "line": {"none": True},
        }
    )
    _frame(look, chart, item)
    return chart, f"Histogram of {item.counts.name}"


def _named(look: Look, name: str, last: int) -> dict[str, Any]:
    """A name at the last of so many bars, by a number format that shows it where the number is not 0."""
    font = {**look.small_font, "color": look.theme.colors.outside, "rotation": -90}
    hidden = [{"delete": True}] * last
    return {"value": True, "num_format": f'"{name}";;', "font": font, "position": "outside_end", "custom": hidden}


def _share(book: Any, look: Look, spike: Spike, labels: list[Any], places: Places) -> Any:
    """An unseen point with a share as its label, at the top of a scale on which no share is far from there."""
    chart = new_chart(book, {"type": "line"})
    shown = {
        "value": True,
        "num_format": f'"{spike.name} "{first_section(look.theme.numbers.percent)};;',
        "font": {**look.small_font, "color": look.theme.colors.ink},
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


def lines_chart(book: Any, look: Look, item: Lines, places: Places, values: Mapping[Matrix, Array]) -> tuple[Any, str]:
    """Lines with error bars where they have them, and what they show in words."""
    chart = new_chart(book, {"type": "line"})
    labels = {"categories": _down(item.labels, places)} if item.labels else {}
    looks = line_looks(look, item)
    longest = max(sum(node.shape[0] for node in line.cells) for line in item.lines)
    for line, of in zip(item.lines, looks, strict=True):
        chart.add_series({"name": line.name, "values": _down(line.cells, places), **labels, **_drawn(of)})
    unseen = [number for number, of in enumerate(looks) if not of.named]
    several = len(item.lines) - len(unseen) > 1
    legend = {
        "position": "right" if len(item.lines) - len(unseen) > len(look.theme.colors.lines) else "bottom",
        "font": look.small_font,
        "delete_series": unseen,
    }
    chart.set_legend(legend if several else {"none": True})
    every = max(1, values[item.labels[0]].size // 8) if len(item.labels) == 1 else max(1, longest // 10)
    shown_as = _label_format(item.labels, values)
    if shown_as.get("num_format") == SMALL_LABELS:
        every = max(every, ceil(longest * SMALL_LABEL / item.size[0]))
    chart.set_x_axis({**_x_axis(look, item.axis, every), **shown_as})
    scale = {"log_base": 10, "crossing": "min"} if item.logarithmic else {}
    shown = "[>=100000]0E+00;[<0.001]0E+00;General" if item.logarithmic else "General"
    if item.share:
        scale["max"] = 1
        shown = "0.0##%" if item.logarithmic else "0%"
    chart.set_y_axis(
        {
            "num_font": look.small_font,
            "num_format": shown,
            "major_gridlines": look.gridlines,
            "line": {"none": True},
            **scale,
        }
    )
    _frame(look, chart, item)
    return chart, f"Lines of {', '.join(line.name for line in item.lines)}"


def horizontal_chart(book: Any, look: Look, item: HorizontalBars, places: Places) -> tuple[Any, str]:
    """Bars from left to right with the names of their rows, and what they show in words."""
    chart = new_chart(book, {"type": "bar"})
    first = places[item.parts[0].cells[0]]
    rows = sum(node.shape[0] for node in item.parts[0].cells)
    names = _range(first._replace(column=item.names, shape=(rows, 1)))
    for part, color in zip(item.parts, row_colors(look, len(item.parts)), strict=True):
        drawn = {"fill": {"color": color}, "border": {"none": True}, "gap": 40, "overlap": 100 if item.stacked else 0}
        chart.add_series({"name": part.name, "categories": names, "values": _down(part.cells, places), **drawn})
    chart.set_legend({"position": "bottom", "font": look.small_font} if len(item.parts) > 1 else {"none": True})
    # The first row on top puts the scale there too, unless its labels stand at its high end.
    chart.set_y_axis(
        {
            "reverse": True,
            "interval_unit": 1,
            "num_font": {**look.small_font, "color": look.theme.colors.ink},
            "label_position": "low",
            "line": {"color": look.theme.colors.rule},
            "major_tick_mark": "none",
        }
    )
    chart.set_x_axis(
        {
            "name": item.axis,
            "name_font": {**look.small_font, "bold": False},
            "num_font": look.small_font,
            "num_format": "General",
            "major_gridlines": look.gridlines,
            "line": {"none": True},
            "label_position": "high",
        }
    )
    _frame(look, chart, item)
    return chart, f"Bars of {', '.join(part.name for part in item.parts)} by {item.axis or 'row'}"


def scatter_chart(book: Any, look: Look, item: Scatter, places: Places) -> tuple[Any, str]:
    """Paths with markers over contour lines without, and what they show in words."""
    if len(item.traces) + len(item.contours) > MOST_SERIES:
        raise ValueError(f"a chart has {MOST_SERIES} series at most")
    chart = new_chart(book, {"type": "scatter", "subtype": "straight_with_markers"})
    for points in item.contours:
        chart.add_series({**_points(points, places), **_drawn(contour_look(look))})
    for trace in item.traces:
        chart.add_series({"name": trace.name, **_points(trace.points, places), **_drawn(trace_look(look, trace))})
    unseen = list(range(len(item.contours)))
    legend = {"position": "bottom", "font": look.small_font, "delete_series": unseen}
    chart.set_legend(legend if len(item.traces) > 1 else {"none": True})
    for set_axis, name, ticks in zip((chart.set_x_axis, chart.set_y_axis), item.axes, item.window, strict=True):
        set_axis(_fixed_axis(look, name, ticks))
    _frame(look, chart, item)
    return chart, f"Paths of {', '.join(trace.name for trace in item.traces)} over contour lines"


def _points(points: Matrix, places: Places) -> dict[str, list[Any]]:
    """Two columns of cells as a series' x and y."""
    area = places[points]
    x = area._replace(shape=(area.shape[0], 1))
    return {"categories": _range(x), "values": _range(x._replace(column=area.column + 1))}


def _drawn(look: LineLook) -> dict[str, Any]:
    """A line's look in XlsxWriter's terms."""
    dash = {"dash_type": "dash"} if look.dashed else {}
    fill = {"color": look.color}
    shape = {"type": look.marker, "size": look.size, "fill": fill, "border": fill} if look.marker else {"type": "none"}
    return {"line": {**fill, "width": look.width, **dash} if look.width else {"none": True}, "marker": shape}


def _fixed_axis(look: Look, name: str, ticks: Ticks) -> dict[str, Any]:
    return {
        "name": name,
        "name_font": {**look.small_font, "bold": False},
        "num_font": {**look.small_font, "rotation": 360} if name == "x" else look.small_font,
        "min": ticks.low,
        "max": ticks.high,
        "major_unit": ticks.tick,
        "crossing": "min",
        "line": {"color": look.theme.colors.rule},
        "major_gridlines": {"visible": False},
        "major_tick_mark": "outside",
        "label_position": "low",
    }


def _label_format(labels: Sequence[Matrix], values: Mapping[Matrix, Array]) -> dict[str, str]:
    """Digits for labels that are no whole numbers."""
    numbers = np.concatenate([values[node][:, 0] for node in labels]) if labels else np.zeros(1)
    if not np.isfinite(numbers).all() or (numbers == np.floor(numbers)).all():
        return {}
    low, high = numbers.min(), numbers.max()
    # Over powers of ten two digits after the point would show the small ones as 0.00; E notation would wrap.
    small = 0.0001 <= low < 0.005 and high >= 100 * low
    return {"num_format": SMALL_LABELS if small else axis_format(low, high)}


def _frame(look: Look, chart: Any, item: Bars | HorizontalBars | Lines | Scatter) -> None:
    font = {"size": 10, "color": look.theme.colors.ink, "bold": True, "name": look.font_name}
    chart.set_title({"name": item.title, "name_font": font} if item.title else {"none": True})
    chart.set_chartarea({"border": {"color": look.theme.colors.grid}})
    chart.set_size({"width": item.size[0], "height": item.size[1]})


def _x_axis(look: Look, name: str, every: int) -> dict[str, Any]:
    return {
        "name": name,
        "name_font": {**look.small_font, "bold": False},
        # Level in Excel, where 360 is XlsxWriter's word for 0; LibreOffice slants what is close.
        "num_font": {**look.small_font, "rotation": 360},
        "interval_unit": every,
        "interval_tick": every,
        "line": {"color": look.theme.colors.rule},
        "major_tick_mark": "outside",
        "label_position": "low",
    }


def down(cells: Sequence[Matrix], places: Places) -> Area:
    """The area from the first cell to the last, which must stand under it."""
    first, last = places[cells[0]], places[cells[-1]]
    rows = last.row + last.shape[0] - first.row
    if first.sheet != last.sheet or first.column != last.column or rows != sum(node.shape[0] for node in cells):
        raise ValueError(f"the cells of a line are not below one another: {first} to {last}")
    return first._replace(shape=(rows, 1))


def _down(cells: Sequence[Matrix], places: Places) -> list[Any]:
    return _range(down(cells, places))


def _range(area: Area) -> list[Any]:
    rows, columns = area.shape
    return [area.sheet, area.row, area.column, area.row + rows - 1, area.column + columns - 1]


def _reference(cells: list[Any]) -> str:
    """The range as a formula: XlsxWriter takes error bars' cells in no other way."""
    sheet, row, column, last_row, last_column = cells
    return f"={address(sheet, row, column, (last_row - row + 1, last_column - column + 1))}"
