"""What the results have in common whose workbook is laid out when it is asked for: it is written, and it is drawn."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sheetsim.engine.evaluate import Values
from sheetsim.runs.plots import Pages, Plotted, layout_pages

if TYPE_CHECKING:
    from sheetsim.language import Language
    from sheetsim.runs.manifest import Manifest
    from sheetsim.runs.themes import ThemeLike
    from sheetsim.workbook.layout import Layout


class Written(Plotted):
    """Results with a workbook of their own."""

    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        values_only: bool = False,
        lang: str | None = None,
        theme: "ThemeLike" = None,
    ) -> Path:
        """Write the workbook and return its path.

        Parameters
        ----------
        path
            The .xlsx file; an existing one is replaced.
        values_only
            Leave the formulas out.
        lang
            The language of the workbook, `en` or `ja` (Japanese); that of what was run if None.
        theme
            A file with a house style.
        """
        from sheetsim.runs.themes import write_book

        layout, values = self.book(values_only, lang)
        return write_book(path, self.manifest(layout, values_only), layout, values, theme)

    def book(self, values_only: bool = False, lang: str | None = None) -> "tuple[Layout, Values]":
        """What stands where in the workbook, and its numbers; lang: its language, where that is asked for."""
        raise NotImplementedError

    def manifest(self, layout: "Layout", values_only: bool) -> "Manifest":
        """What the book of that layout says about itself."""
        raise NotImplementedError

    def _pages(self) -> Pages:
        return layout_pages(*self.book())

    def _spoken(self, lang: str | None = None) -> "Language":
        raise NotImplementedError
