"""Pictures of what was run: the charts of its workbook, drawn by matplotlib and without a workbook."""

import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sheetsim import arguments
from sheetsim.engine.evaluate import Values
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.language import ENGLISH, Language, language
from sheetsim.workbook.layout import Layout
from sheetsim.workbook.plotting.panels import (
    DrawnLine,
    HistogramPanel,
    LinesPanel,
    Panel,
    PanelFrame,
    charted,
    panels_of,
)
from sheetsim.workbook.writing.looks import MOST_MARKERS, LineLook
from sheetsim.workbook.writing.styles import USUAL_LOOK, Look

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.runs.themes import ThemeLike
    from sheetsim.workbook.plotting.figure import Picture

FORMATS = (".png", ".svg", ".pdf")

# Of a table that no page draws: charts side by side, their pixels, and charts at most.
ACROSS, CHART, MOST_CHARTS = 3, (400, 260), 120

# Pages that a picture's heading does not name.
UNTOLD = ("Overview",)

# Charts that a notebook shows below a table.
MOST_SHOWN = 24

# By title of a page, its charts in a look. Those of a book that is read have the look of its file.
Pages: TypeAlias = Mapping[str, Callable[[Look], list[Panel]]]


class Plotted:
    """What has a workbook with charts, which can be drawn without it."""

    title: str

    def plot(
        self, what: str = "", *, path: str | os.PathLike[str] | None = None, theme: "ThemeLike" = None
    ) -> "Picture":
        """Charts of the workbook as a matplotlib Figure: small multiples in rows as on their page, on the same scales.

        what: a page's title, or the name of a table, of which each column of numbers is a chart (of a histogram: each
        layer); capitals do not matter, and without it it is the first page that has charts. See `plots()`.
        path: a .png, .svg or .pdf to write too, with the same bytes for the same run.
        theme: a file with a house style, whose colors and font are taken; charts of a book that was read keep theirs.
        The figure is matplotlib's, to be changed and saved further; it belongs to no pyplot and needs no display.
        Texts are in the language of what was run, or of the book that was read.
        Raises SheetsimError for a page or table that is not there or has nothing to draw, for another kind of file,
        where no font has the language's letters, and without matplotlib (pip install 'sheetsim[plot]').
        """
        from sheetsim.runs.themes import theme_of

        target = None if path is None else picture_path(path)
        look = Look(theme_of(theme).keys)
        figure = drawing()
        spoken = self._spoken()
        name, panels = self._chosen(arguments.text("what to plot", what), look)
        heading = spoken.say(self._heading())
        picture: Picture = figure.draw(panels, heading if name in UNTOLD else f"{heading}: {name}", look, spoken)
        if target is not None:
            figure.save(picture, target)
        return picture

    def plots(self) -> list[str]:
        """What `plot` draws by name: pages with charts, then tables."""
        pages = list(self._pages())
        taken = {title.casefold() for title in pages}
        return pages + [name for name in self._table_names() if name.casefold() not in taken]

    def _pages(self) -> Pages:
        """By title of a page with charts, what gives these."""
        raise NotImplementedError

    def _spoken(self) -> Language:
        """The language of the pages."""
        return language(ENGLISH)

    def _heading(self) -> str:
        """What stands above the charts, in English."""
        return self.title

    def _table_names(self) -> list[str]:
        """The tables that can be drawn."""
        return []

    def _table_of(self, name: str) -> "pd.DataFrame":
        """One of them."""
        raise NotImplementedError

    def _counts_of(self, name: str) -> set[str]:
        """The names of the counts of a histogram by layer, none where the table is no histogram."""
        return set()

    def _chosen(self, what: str, look: Look) -> tuple[str, list[Panel]]:
        """The name of what is drawn, and its charts."""
        pages = self._pages()
        by_name = {title.casefold(): title for title in reversed(list(pages))}
        if not what:
            if not pages:
                raise SheetsimError(f"there are no charts to plot{_listed(self._table_names())}")
            name = next(iter(pages))
            return name, pages[name](look)
        if what.casefold() in by_name:
            name = by_name[what.casefold()]
            return name, pages[name](look)
        tables = {name.casefold(): name for name in self._table_names()}
        if what.casefold() not in tables:
            names = self.plots()
            close = get_close_matches(what, names, 1)
            said = f": did you mean {close[0]!r}?" if close else _listed(names) or ": it has none"
            raise SheetsimError(f"there is no plot {what!r}{said}")
        name = tables[what.casefold()]
        counts = self._counts_of(name)
        panels = (
            _histograms(pages, counts, look) if counts else table_panels(self._table_of(name), look, self._spoken())
        )
        if not panels:
            raise SheetsimError(f"the table {name!r} has no numbers to plot")
        return name, panels

    def _picture_html(self) -> str:
        """The charts for a notebook, below a table: empty where there are none, too many, or no matplotlib."""
        try:
            figure = drawing()
            _, panels = self._chosen("", USUAL_LOOK)
            if len(panels) > MOST_SHOWN:
                return ""
            picture = figure.draw(panels, "", USUAL_LOOK, self._spoken())
        except SheetsimError:
            return ""
        data = b64encode(figure.saved(picture, "png")).decode()
        wide = round(picture.get_figwidth() * figure.PIXELS)
        return f'<img alt="charts" style="max-width: 100%" width="{wide}" src="data:image/png;base64,{data}">'


def drawing() -> ModuleType:
    """The module that draws. Raises SheetsimError without matplotlib."""
    try:
        import sheetsim.workbook.plotting.figure as figure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise SheetsimError("plots need matplotlib: pip install 'sheetsim[plot]'") from None
    return figure


def check_fonts(lang: str | None, theme: "ThemeLike" = None) -> None:
    """Raises SheetsimError where a picture in a language has no font with its letters, or there is no matplotlib."""
    from sheetsim.runs.themes import theme_of

    drawing().fonts_for(Look(theme_of(theme).keys), lang or ENGLISH)


def picture_path(path: str | os.PathLike[str]) -> Path:
    """The path of a picture. Raises SheetsimError for another kind of file."""
    target = path_of(path)
    if target.suffix.lower() not in FORMATS:
        raise SheetsimError(f"{target} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}: it is a picture")
    return target


def layout_pages(layout: Layout, values: Values) -> Pages:
    """The pages of a layout with charts. values: of every matrix that has a place."""
    return {title: partial(panels_of, page, layout, values) for title, page in charted(layout).items()}


def table_panels(frame: "pd.DataFrame", look: Look, spoken: Language) -> list[Panel]:
    """A chart per column of numbers over the table's index, named in a language.

    If labels repeat, a line per label over the first column of numbers. Raises SheetsimError for too many columns.
    """
    from sheetsim.runs.sweep_book import steep_scale

    index = ", ".join(spoken.say(str(name)) for name in frame.index.names if name is not None)
    columns = [name for name in frame.columns if frame[name].dtype.kind in "iuf" and frame[name].notna().any()]
    if len(columns) > MOST_CHARTS:
        raise SheetsimError(f"the table has {len(columns)} columns of numbers; at most {MOST_CHARTS} can be plotted")
    parts = [("", frame)]
    if frame.index.has_duplicates and columns:
        parts = [(str(label), frame.loc[[label]]) for label in frame.index.unique()]
        over = columns.pop(0)
        index = spoken.say(str(over))
    longest = max((part for _, part in parts), key=len)
    labels = tuple(_label(label, spoken) for label in (longest.index if len(parts) == 1 else longest[over]))
    marker = "circle" if len(labels) <= MOST_MARKERS else ""
    panels: list[Panel] = []
    for k, name in enumerate(columns):
        title = spoken.say(str(name))
        place = PanelFrame(k // ACROSS, k % ACROSS, CHART, "", title)
        lines = tuple(
            DrawnLine(
                spoken.say(label) or title, part[name].to_numpy(dtype=np.float64), LineLook(color, 1.75, marker=marker)
            )
            for (label, part), color in zip(parts, look.line_colors(len(parts)), strict=True)
        )
        panels.append(LinesPanel(place, lines, labels, index, steep_scale(frame[name].to_numpy(float)), False))
    return panels


def _label(label: Any, spoken: Language) -> float | str:
    """A label of a table's row: of several levels a text."""
    if isinstance(label, tuple):
        return ", ".join(spoken.say(str(part)) for part in label)
    return spoken.say(label) if isinstance(label, str) else float(label)


def _histograms(pages: Pages, counts: Iterable[str], look: Look) -> list[Panel]:
    """The charts of these counts, on the first page that has some."""
    wanted = set(counts)
    for panels in pages.values():
        of_page = (panel for panel in panels(look) if isinstance(panel, HistogramPanel))
        drawn: list[Panel] = [panel for panel in of_page if wanted & {layer.name for layer in panel.layers}]
        if drawn:
            return drawn
    return []


def _listed(names: Sequence[str]) -> str:
    return f"; there are {', '.join(names)}" if names else ""
