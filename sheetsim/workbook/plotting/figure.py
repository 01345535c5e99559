"""Draws panels by matplotlib: the one module that imports it, and is imported only when a picture is asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from itertools import groupby, pairwise
from math import ceil
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import rcParams, style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter, ScalarFormatter

from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH, Language, wide_letters
from sheetsim.model.op import Array
from sheetsim.whole_file import whole_file
from sheetsim.workbook.layout import Ticks
from sheetsim.workbook.plotting.panels import (
    DrawnLine,
    HeatMapPanel,
    HistogramPanel,
    LinesPanel,
    Panel,
    RowsPanel,
    ScatterPanel,
)
from sheetsim.workbook.writing.looks import LineLook
from sheetsim.workbook.writing.styles import USUAL_LOOK, Look
from sheetsim.workbook.writing.theme import RoleColors

# Pixels of the books' charts on an inch, and of a picture's.
PIXELS, DOTS = 96, 144

# Inches: between charts, above a row with a heading and above the picture, and a further line of its title.
GAP, HEADING, TITLE, LINE = 0.12, 0.26, 0.4, 0.2

# Inches of a picture's width at least.
LEAST = 5.0

# Letters of the title on an inch.
LETTERS = 8.5

MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "x": "x"}

# matplotlib's own font.
OWN = "DejaVu Sans"

# Fonts with a language's letters, and letters that such a font has.
FONTS_OF = {
    "ja": (
        *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAGothic", "TakaoPGothic"),
        *("Yu Gothic", "Meiryo", "MS Gothic", "Hiragino Sans"),
    )
}
LETTERS_OF = {"ja": "あア層"}

# Beside matplotlib's own, which has no characters of East Asia, those of these that are there.
FONTS = (
    *FONTS_OF["ja"],
    *("Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei"),
    *("Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", "Arial Unicode MS"),
)

# Of a map of colors: columns and cells, beyond which its numbers are not written into it.
MOST_COLUMNS, MOST_CELLS = 14, 300

# Pixels of a letter, and of a row's name in a map of colors.
LETTER, CELL_HEIGHT = 7, 14

# How far, relatively, steps between labels may differ that are rounded.
ROUNDED = 0.05

# The magnitudes beyond which matplotlib's arithmetic overflows.
EXTREME = 1e300

# The share of a histogram's height at which a bar's name begins at most.
NAME_AT = 0.78

# A range of powers of ten that has ticks between them.
NARROW = 30

# In place of a character that no font has.
MISSING = "□"

# Names of a legend in a row below the chart; more stand at its right, of which so many are named.
BELOW, MOST_NAMED = 6, 20

# Of a person's own settings nothing is taken, so that the same run gives the same picture.
SETTINGS = {
    "font.family": ["sans-serif"],
    "font.size": 8,
    "svg.hashsalt": "sheetsim",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}

# Dates and versions, left out so that the same run gives the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


class Picture(Figure):  # type: ignore[misc, unused-ignore]
    """A matplotlib Figure that notebooks show without pyplot. fonts: of all that is written, the first that has it."""

    fonts: tuple[str, ...] = ()

    def _repr_png_(self) -> bytes:
        return saved(self, "png")


def draw(panels: Sequence[Panel], title: str, look: Look, spoken: Language) -> Picture:
    """The panels as small multiples: in rows as on their page, those alike on one scale.

    spoken: the language of the panels' texts. The figure belongs to no pyplot, and needs no display.
    Raises SheetsimError where no font has the language's letters.
    """
    fonts = fonts_for(look, spoken.code)
    rows = [list(row) for _, row in groupby(panels, key=lambda panel: panel.frame.row)]
    headings = _headings(rows)
    with _settings(fonts):
        wide = max(LEAST, *(sum(panel.frame.size[0] / PIXELS + GAP for panel in row) for row in rows))
        heights = [
            max(panel.frame.size[1] for panel in row) / PIXELS + GAP + (HEADING if heading else 0)
            for row, heading in zip(rows, headings, strict=True)
        ]
        narrow = len(title) / (len(title) + 0.4 * wide_letters(title)) if title else 1.0
        lines = wrap(_shown(title), max(20, round(wide * LETTERS * narrow)))
        high = sum(heights) + (TITLE + LINE * (len(lines) - 1) if title else 0)
        close = ConstrainedLayoutEngine(w_pad=GAP / 2, h_pad=GAP / 2, wspace=0, hspace=0)
        figure = Picture(figsize=(wide, high), layout=close, dpi=DOTS)
        figure.fonts = fonts
        if title:
            figure.suptitle("\n".join(lines), fontsize=11, fontweight="bold", **_words())
        scales: dict[Any, Axes] = {}
        parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, row, heading in zip(parts, rows, headings, strict=True):
            if heading:
                part.suptitle(_shown(heading), x=0.01, ha="left", fontsize=10, fontweight="bold", **_words())
            for axes, panel in zip(_row(part, row, wide, scales), row, strict=True):
                if panel.frame.title:
                    axes.set_title(_shown(panel.frame.title), fontsize=9, fontweight="bold", **_words())
                _DRAWN[type(panel)](axes, panel, look.theme.colors)
                if isinstance(panel, LinesPanel) and not _numbers(panel).size:
                    _say_empty(axes, spoken.say("no numbers"), look.theme.colors)
    return figure


def _headings(rows: Sequence[Sequence[Panel]]) -> list[str]:
    """What all of a row have above them, where the row before has something else."""
    headings = [{panel.frame.heading for panel in row if panel.frame.heading} for row in rows]
    shown = [of_row.pop() if len(of_row) == 1 else "" for of_row in headings]
    return [heading if heading != before else "" for before, heading in pairwise(["", *shown])]


def _row(part: Any, row: Sequence[Panel], wide: float, scales: dict[Any, Axes]) -> Iterator[Axes]:
    """Axes side by side, as wide as their charts; of panels that are alike the scales are shared."""
    widths = [panel.frame.size[0] / PIXELS + GAP for panel in row]
    rest = wide - sum(widths) if wide > LEAST else 0.0
    grid = part.add_gridspec(1, len(row) + (rest > GAP), width_ratios=[*widths, *([rest] if rest > GAP else [])])
    for k, panel in enumerate(row):
        like = _scale(panel)
        first = scales.get(like) if like is not None else None
        axes = part.add_subplot(grid[0, k], sharex=first, sharey=first)
        if like is not None:
            scales.setdefault(like, axes)
            # Beside one that has the same scale its numbers need not stand again.
            again = k > 0 and _scale(row[k - 1]) == like
            axes.tick_params(left=not again, labelleft=not again)
            axes.yaxis.label.set_visible(not again)
        yield axes


def _scale(panel: Panel) -> Any:
    """Equal for panels whose axes are the same; None where a panel has its own."""
    if isinstance(panel, HistogramPanel):
        return HistogramPanel, panel.height, panel.labels
    if isinstance(panel, ScatterPanel):
        return ScatterPanel, panel.window
    return None


def _draw_histogram(axes: Axes, panel: HistogramPanel, colors: RoleColors) -> None:
    bars = len(panel.labels)
    edges = np.arange(bars + 1) - 0.5
    for layer in panel.layers:
        if layer.color:
            axes.stairs(layer.heights, edges, fill=True, color=layer.color, label=layer.name)
    top = 1.06 * (panel.height or 1.0)
    axes.set_ylim(0, top)
    axes.set_xlim(edges[0] - 0.5, edges[-1] + 0.5)
    axes.set_xticks(*_bar_ticks(panel), **_words())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    for place, layer in panel.outside:
        if layer.name and layer.heights[place] > 0:
            at = min(layer.heights[place], NAME_AT * top)
            _beside(axes, colors, layer.name, place, at, rotation=90, ha="center", va="bottom")
    if panel.share is not None and panel.share.value > 0:
        at, value, name = panel.share
        left = at < bars / 2
        x, side = (at + 0.5, "left") if left else (at - 0.5, "right")
        _beside(axes, colors, f" {name} {value:.1%} ", x, top, ha=side)
    _named(axes, colors, panel.axis)


def _bar_ticks(panel: HistogramPanel) -> tuple[list[float], list[str]]:
    """Places on a histogram's axis, and what stands there: round numbers, where the bars have equal widths.

    A label is its bar's upper end.
    """
    *ends, _ = panel.labels
    bars = len(panel.labels)
    room = 0.8 * panel.frame.size[0] / (LETTER * (1 + max(map(_length, panel.labels))))
    try:
        numbers = np.array(ends, dtype=np.float64)
    except ValueError:
        numbers = np.zeros(0)
    width = (numbers[-1] - numbers[0]) / (len(numbers) - 1) if len(numbers) > 1 else 0.0
    even = numbers[0] + width * np.arange(len(numbers)) if len(numbers) else numbers
    if width > 0 and np.isfinite(width) and (np.abs(numbers - even) < 0.6 * width).all():
        ticks, shown = np.zeros(0), [""]
        for most in range(6, 1, -1):
            ticks = np.asarray(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(numbers[0], numbers[-1]))
            ticks = ticks[(ticks > numbers[0] - 0.5 * width) & (ticks < numbers[-1] + 0.5 * width)]
            shown = [_shown(_minus(f"{tick + 0.0:.6g}")) for tick in np.round(ticks, 12)]
            if LETTER * sum(len(text) + 2 for text in shown) < 0.9 * panel.frame.size[0]:
                break
        return [float((tick - numbers[0]) / width + 0.5) for tick in ticks], shown
    places = range(0, bars - 1, max(min(panel.every, max(1, (bars - 2) // 3)), ceil(bars / room)))
    return [place + 0.5 for place in places], [_shown(_minus(panel.labels[place])) for place in places]


def _beside(axes: Axes, colors: RoleColors, text: str, x: float, y: float, *, va: str = "top", **where: Any) -> None:
    axes.text(x, y, _shown(text), fontsize=7, color=colors.muted, va=va, **where, **_words())


def _draw_lines(axes: Axes, panel: LinesPanel, colors: RoleColors) -> None:
    longest = max(len(curve.y) for curve in panel.curves)
    x = _places(panel.labels, longest)
    for curve in panel.curves:
        axes.plot(x[: len(curve.y)], np.where(np.isfinite(curve.y), curve.y, np.nan), **_line(curve.look))
    _scale_y(axes, panel, _numbers(panel))
    _label_x(axes, panel.labels, x)
    _named(axes, colors, panel.axis)
    _legend(axes, colors, panel.curves, panel.frame.size[0])


def _numbers(panel: LinesPanel) -> Array:
    """The numbers of a chart of lines that its scale can show."""
    numbers: Array = np.concatenate([curve.y for curve in panel.curves])
    numbers = numbers[np.isfinite(numbers)]
    return numbers[numbers > 0] if panel.logarithmic else numbers


def _say_empty(axes: Axes, text: str, colors: RoleColors) -> None:
    """In place of lines that are not there."""
    where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, _shown(text), color=colors.muted, **where, **_words())


def _places(labels: Sequence[float | str], longest: int) -> Array:
    """Where a line's points stand: at their labels where these are numbers at equal distances, else at 1, 2, 3."""
    if labels and not any(isinstance(label, str) for label in labels):
        numbers = np.array(labels, dtype=np.float64)
        steps = np.diff(numbers)
        if len(steps) and np.isfinite(numbers).all() and np.ptp(steps) < ROUNDED * steps.mean():
            return numbers
    return np.arange(1.0, 1 + max(longest, len(labels)))


def _label_x(axes: Axes, labels: Sequence[float | str], x: Array) -> None:
    if labels and list(x) != list(labels):
        shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), 8)).round().astype(int))
        texts = [label if isinstance(label, str) else _minus(f"{label:.5g}") for label in (labels[k] for k in shown)]
        slanted = sum(map(_length, texts)) > 40
        look: dict[str, Any] = {"rotation": 30, "ha": "right"} if slanted else {}
        axes.set_xticks(x[shown], [_shown(text) for text in texts], **look, **_words())
    else:
        whole = not labels or all(label == round(label) for label in x)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    if len(x) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)


def _scale_y(axes: Axes, panel: LinesPanel, numbers: Array) -> None:
    """The scale of y, as Excel has it: a linear one begins at 0 unless the numbers lie close together."""
    if not numbers.size:
        axes.set_yticks([])
        return
    low, high = float(max(numbers.min(), -EXTREME)), float(min(numbers.max(), EXTREME))
    if panel.logarithmic:
        low, high = max(low, 1 / EXTREME), max(high, 1 / EXTREME)
        beyond = (high / low) ** 0.05 if high > low else 10.0
        # Before the scale, by which matplotlib would look for limits that may overflow.
        axes.set_ylim(low / beyond, high * beyond)
        axes.set_yscale("log", nonpositive="mask")
        axes.yaxis.set_minor_locator(NullLocator())
        if low < high < NARROW * low:
            axes.set_yticks(_between(low, high))
        if high < 1e5 and low > 1e-3:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        if panel.share:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
            axes.set_ylim(top=1.0)
        return
    high = max(high, 1.0) if panel.share else high
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    close = high - low < (high if low >= 0 else -low) / 6
    bottom, top = low - margin, high + margin
    if low >= 0 and not (close and low > 0):
        bottom = 0.0
    elif high <= 0 and not (close and high < 0):
        top = 0.0
    if panel.share:
        top = 1.0
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        shown = ScalarFormatter(useOffset=False)
        shown.set_powerlimits((-3, 5))
        axes.yaxis.set_major_formatter(shown)
    axes.set_ylim(bottom, top if top > bottom else bottom + 1)


def _between(low: float, high: float) -> list[float]:
    """Ticks of a narrow logarithmic scale: few digits, and three or more ticks where one digit gives so many."""
    power = 10.0 ** np.floor(np.log10(low))
    ticks: list[float] = []
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), np.arange(10, 100) / 10):
        ticks = [float(f"{digit * power * ten:.3g}") for ten in (1, 10, 100) for digit in digits]
        ticks = [tick for tick in ticks if 0.99 * low <= tick <= 1.01 * high]
        if len(ticks) > 2:
            break
    return ticks


def _line(look: LineLook) -> dict[str, Any]:
    """A line's look in matplotlib's terms."""
    return {
        "color": look.color,
        "linestyle": "none" if not look.width else "--" if look.dashed else "-",
        "linewidth": look.width,
        "marker": MARKERS.get(look.marker, ""),
        "markersize": 0.8 * look.size,
    }


def _draw_scatter(axes: Axes, panel: ScatterPanel, colors: RoleColors) -> None:
    for curve in panel.curves:
        x = np.arange(1.0, len(curve.y) + 1) if curve.x is None else curve.x
        axes.plot(x, curve.y, **_line(curve.look))
    across, up = panel.window
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(up.low, up.high)
    axes.set_xticks(_ticks(across))
    axes.set_yticks(_ticks(up))
    _named(axes, colors, *panel.axes)
    _legend(axes, colors, panel.curves, panel.frame.size[0])


def _ticks(axis: Ticks) -> list[float]:
    return [axis.low + k * axis.tick for k in range(round((axis.high - axis.low) / axis.tick) + 1)]


def _draw_rows(axes: Axes, panel: RowsPanel, colors: RoleColors) -> None:
    rows = np.arange(len(panel.names))
    thick = 0.7 if panel.stacked else 0.7 / len(panel.parts)
    for k, part in enumerate(panel.parts):
        shift = 0 if panel.stacked else (k - (len(panel.parts) - 1) / 2) * thick
        axes.barh(rows + shift, np.clip(np.nan_to_num(part.heights), -EXTREME, EXTREME), thick, color=part.color)
    every = max(1, len(rows) // 40)
    axes.set_yticks(rows[::every], [_shown(name) for name in panel.names[::every]], **_words())
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvline(0, color=colors.rule, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    _named(axes, colors, panel.axis)
    axes.grid(axis="x", color=colors.grid, linewidth=0.5)
    axes.grid(visible=False, axis="y")
    if len(panel.parts) > 1:
        names = [part.name for part in panel.parts]
        _put_legend(axes, colors, axes.containers, names, panel.frame.size[0])


def _draw_heat_map(axes: Axes, panel: HeatMapPanel, colors: RoleColors) -> None:
    low, middle, high = panel.at
    if low < middle < high:
        norm: Normalize = TwoSlopeNorm(middle, low, high)
        stops = [colors.negative, colors.zero, colors.positive]
    else:
        norm = Normalize(low, high if high > low else low + 1)
        stops = [colors.negative, colors.zero] if low < middle else [colors.zero, colors.positive]
    scale = LinearSegmentedColormap.from_list("sheetsim", stops)
    image = axes.imshow(np.ma.masked_invalid(panel.numbers), scale, norm, aspect="auto", interpolation="nearest")
    columns = panel.numbers.shape[1]
    for set_ticks, names in ((axes.set_xticks, panel.columns), (axes.set_yticks, panel.rows)):
        room = panel.frame.size[0] / LETTER if names is panel.columns else panel.frame.size[1] / CELL_HEIGHT
        needed = sum(_length(name) + 2 for name in names) if names is panel.columns else len(names)
        shown = range(0, len(names) if any(names) else 0, max(1, ceil(needed / room)))
        set_ticks(list(shown), [_shown(names[k]) for k in shown], **_words())
    axes.tick_params(length=0, labelsize=7)
    if columns > MOST_COLUMNS or panel.numbers.size > MOST_CELLS:
        bar = axes.figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.outline.set_visible(False)
    else:
        for (row, column), number in np.ndenumerate(panel.numbers):
            if np.isfinite(number):
                axes.text(column, row, _minus(f"{number:.3g}"), ha="center", va="center", fontsize=7, color=colors.ink)
    if panel.corner and _length(panel.corner) < 80:
        axes.set_xlabel(_shown(panel.corner), fontsize=7, color=colors.muted, **_words())
    axes.spines[:].set_visible(False)


def _minus(number: str) -> str:
    """A number with the sign that is as wide as plus."""
    return number.replace("-", "−")


def _named(axes: Axes, colors: RoleColors, x: str, y: str = "") -> None:
    """The axes' names, and what all charts have alike."""
    axes.set_xlabel(_shown(x), fontsize=8, color=colors.muted, labelpad=2, **_words())
    axes.set_ylabel(_shown(y), fontsize=8, color=colors.muted, **_words())
    axes.tick_params(labelsize=8, colors=colors.muted, labelcolor=colors.muted, length=3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colors.rule)
    axes.grid(axis="y", color=colors.grid, linewidth=0.5)
    axes.set_axisbelow(True)


def _legend(axes: Axes, colors: RoleColors, curves: Sequence[DrawnLine], width: int) -> None:
    """Names of the lines, where there are several that have one."""
    named = [(line, curve.name) for line, curve in zip(axes.lines, curves, strict=False) if curve.look.named]
    if len(named) > 1:
        _put_legend(axes, colors, [line for line, _ in named], [name for _, name in named], width)


def _put_legend(axes: Axes, colors: RoleColors, handles: Sequence[Any], names: Sequence[str], width: int) -> None:
    chosen = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_NAMED)).round().astype(int))
    handles, names = [handles[k] for k in chosen], [_shown(names[k]) for k in chosen]
    look: dict[str, Any] = {"fontsize": 7, "frameon": False, "labelcolor": colors.ink, "handlelength": 1.8}
    # Numbers, and the names afterwards: matplotlib leaves out what begins with an underscore.
    numbers = list(map(str, chosen))
    if len(names) > BELOW:
        legend = axes.legend(handles, numbers, loc="center left", bbox_to_anchor=(1, 0.5), borderaxespad=0.3, **look)
    else:
        # Points of a name: its letters, the sample of the line and what parts them.
        fit = int(0.75 * width / (4 * max(map(_length, names)) + 34))
        columns = max(1, min(len(names), fit))
        look |= {"bbox_to_anchor": (0.5, 0), "borderaxespad": 4.0, "ncols": columns, "columnspacing": 1.2}
        legend = axes.legend(handles, numbers, loc="upper center", **look)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=name, **_words())


_DRAWN: dict[type, Callable[[Axes, Any, RoleColors], None]] = {
    HistogramPanel: _draw_histogram,
    LinesPanel: _draw_lines,
    ScatterPanel: _draw_scatter,
    RowsPanel: _draw_rows,
    HeatMapPanel: _draw_heat_map,
}


def save(figure: Picture, path: Path) -> Path:
    """Writes the picture. Raises SheetsimError when it cannot be written."""
    with whole_file(path) as file:
        file.write(saved(figure, path.suffix[1:].lower()))
    return path


def saved(figure: Figure, form: str) -> bytes:
    """The picture's file in a format: the same bytes for the same run."""
    stream = BytesIO()
    # matplotlib declares fonts with cubic outlines, as most Japanese ones are, as TrueType: readers refuse such a PDF.
    wide = any(wide_letters(text.get_text()) for text in figure.findobj(Text))
    with _settings(getattr(figure, "fonts", ()) or fonts_for(), {"pdf.fonttype": 3} if wide else {}):
        figure.savefig(stream, format=form, metadata=METADATA[form], dpi=DOTS)
    return stream.getvalue()


def _settings(fonts: tuple[str, ...], more: Mapping[str, Any] = MappingProxyType({})) -> Any:
    return style.context(["default", SETTINGS, {"font.sans-serif": list(fonts)}, dict(more)])


def fonts_for(look: Look = USUAL_LOOK, lang: str = ENGLISH) -> tuple[str, ...]:
    """The fonts that are there, of which the first that has a letter shows it.

    A theme's font goes before those of the language, and these before matplotlib's own.
    Raises SheetsimError where none of the first two has the language's letters.
    """
    named = look.theme.font.name
    there = _there()
    of_language = FONTS_OF.get(lang, ())
    if of_language and not any(_has(name, lang) for name in (named, *of_language) if name in there):
        _add_fonts()
        there = _there()
        if not any(_has(name, lang) for name in (named, *of_language) if name in there):
            fonts = f"{', '.join(of_language[:-1])} or {of_language[-1]}"
            raise SheetsimError(f"a picture in this language needs a font with its letters: install one of {fonts}")
    return tuple(dict.fromkeys(name for name in (named, *of_language, OWN, *FONTS) if name in there))


def _there() -> set[str]:
    """The names of the fonts that matplotlib knows."""
    return {font.name for font in fontManager.ttflist}


@cache
def _add_fonts() -> None:
    """Makes the system's fonts known that were installed after matplotlib made its list, which it keeps in a file."""
    listed = {font.fname for font in fontManager.ttflist}
    for path in sorted({*findSystemFonts()} - listed):
        # Damaged fonts, and those of pictures.
        with suppress(OSError, RuntimeError, ValueError, KeyError, NotImplementedError):
            fontManager.addfont(path)


def _has(name: str, lang: str) -> bool:
    """Whether a font has a language's letters."""
    return _characters((name,)).issuperset(map(ord, LETTERS_OF[lang]))


@cache
def _characters(fonts: tuple[str, ...]) -> frozenset[int]:
    """The characters that these fonts have, whatever the first one has."""
    files = (findfont(FontProperties(family=name)) for name in fonts)
    return frozenset(code for file in files for code in get_font(file).get_charmap())


def _length(text: str) -> int:
    """Letters of a text, of which a wide one counts as two."""
    return len(text) + wide_letters(text)


def _words() -> dict[str, Any]:
    """How a text is set: in the fonts of the settings, and with no formulas between dollar signs."""
    return {"family": rcParams["font.sans-serif"], "parse_math": False}


def _shown(text: str) -> str:
    """The text with a mark for each character that no font has, of which matplotlib would warn."""
    there = _characters(tuple(rcParams["font.sans-serif"]))
    return "".join(sign if ord(sign) in there else MISSING for sign in text)
