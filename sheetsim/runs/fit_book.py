"""How fitted distributions look as a workbook: the ranking, quantile plots, and the points that these draw."""

from collections.abc import Mapping, Sequence

import numpy as np

from sheetsim.language import Name
from sheetsim.model.distribution_text import written_distribution
from sheetsim.model.expr import Data, Matrix
from sheetsim.model.fitting import FittedFamily
from sheetsim.model.op import Array
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.optimizers.contours import window_of
from sheetsim.summary.table import Column, Table
from sheetsim.workbook.layout import Block, Item, Page, Scatter, Sheet, Text, Trace

CHART = (470, 380)
CHART_ROWS, CHART_COLUMNS = 20, 4

# By column: its kind and style, and what it is.
COLUMNS = {
    "n": ("count", "count", "how many numbers the families were fitted to"),
    "parameters": ("count", "whole", "how many parameters were fitted"),
    "log_likelihood": ("number", "number", "the greatest sum of the logarithms of the density at the data"),
    "aic": ("number", "number", "Akaike's information criterion, 2 parameters − 2 log_likelihood"),
    "delta_aic": ("size", "number", "AIC minus the smallest AIC: the smaller, the better the fit"),
    "ks": ("share", "number", "the largest distance between the distribution function and that of the data"),
}


class FitBook:
    """The sheets.

    points: by family the quantiles of the law and of the data, n×2; left_out: why other families are not there.
    """

    def __init__(
        self,
        title: str,
        count: int,
        ranked: Sequence[FittedFamily],
        points: Mapping[str, Array],
        left_out: Mapping[str, str],
    ) -> None:
        self._title, self._ranked, self._left_out = title, ranked, left_out
        self._points = {family: _constants(numbers) for family, numbers in points.items()}
        ends = np.array([[end(numbers) for end in (np.min, np.max)] for numbers in points.values()])
        both = np.array([ends[:, 0].min(), ends[:, 1].max()])
        self._line = _constants(np.column_stack([both, both]))
        self._window = window_of(np.column_stack([both, both]))
        free = [_constant(one.free) for one in ranked]
        likelihood = [_constant(one.log_likelihood) for one in ranked]
        aic = [(2 * k - 2 * ln).placed(None) for k, ln in zip(free, likelihood, strict=True)]
        cells = {
            "n": [_constant(count) for _ in ranked],
            "parameters": free,
            "log_likelihood": likelihood,
            "aic": aic,
            "delta_aic": [one - aic[0] for one in aic],
            "ks": [_constant(one.distance) for one in ranked],
        }
        names = [one.distribution.name for one in ranked]
        columns = tuple(
            Column(name, COLUMNS[name][2], tuple(of_column), COLUMNS[name][0]) for name, of_column in cells.items()
        )
        self.table = Table("ranking", "family", names, columns)

    def sheets(self, command: str) -> list[Sheet]:
        """The sheets in their order."""
        glossary = {
            **self.table.glossary,
            "law": "the distribution with the parameters of greatest likelihood, as sheetsim simulate --input takes it",
        }
        sections: dict[str, Mapping[str, str]] = {"Columns of Overview": glossary}
        if self._left_out:
            sections["Families that could not be fitted"] = self._left_out
        about = about_page(self._title, "", command, {}, sections, scipy=True)
        return bound([self._overview(), self._quantiles(), about])

    def _overview(self) -> Page:
        wide = len(self.table.columns) + 2
        lead = (
            "Families of distributions at their greatest likelihood, the least AIC first.",
            "AIC follows the likelihoods and numbers of parameters; these, the distances and the plots are constants.",
        )
        items: list[Item] = [Text(0, 0, self._title, "title", wide)]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        top = 5
        items.append(Text(top - 1, 0, "family", "heading-left"))
        items += [Text(top - 1, c, column.name, "column") for c, column in enumerate(self.table.columns, start=1)]
        items.append(Text(top - 1, wide - 1, "law", "heading-left"))
        for row, one in enumerate(self._ranked, start=top):
            items.append(Text(row, 0, one.distribution.name, "label", is_name=True))
            items.append(Text(row, wide - 1, written_distribution(one.distribution), "hint", is_name=True))
        for c, column in enumerate(self.table.columns, start=1):
            style = COLUMNS[column.name][1]
            items += [Block(row, c, cell, style) for row, cell in enumerate(column.cells, start=top)]
        row = top + len(self._ranked) + 1
        items.append(Text(row, 0, "Quantiles of the data over those of the law: on the line, they agree", "section"))
        for k, (family, points) in enumerate(self._points.items()):
            place = row + 1 + CHART_ROWS * (k // 2), CHART_COLUMNS * (k % 2)
            trace = Trace(Name(family), points, k, "point")
            items.append(Scatter(*place, Name(family), (trace,), (self._line,), self._window, CHART, ("law", "data")))
        widths = {0: 20} | dict.fromkeys(range(1, wide - 1), 15) | {wide - 1: 62}
        return Page("Overview", tuple(items), widths, {0: 30}, freeze=None)

    def _quantiles(self) -> Page:
        """The points of the plots: for each family two columns."""
        items: list[Item] = [Text(0, 0, "Quantiles that the plots show", "title", 2 * len(self._points) + 2)]
        for k, (family, points) in enumerate(self._points.items()):
            items += [Text(1, 2 * k, family, "column", is_name=True), Text(1, 2 * k + 1, "data", "column")]
            items.append(Block(2, 2 * k, points))
        last = 2 * len(self._points)
        items += [Text(1, last, "line x", "column"), Text(1, last + 1, "line y", "column"), Block(2, last, self._line)]
        return Page("Quantiles", tuple(items), dict.fromkeys(range(last + 2), 15), {0: 30}, freeze=(2, 0))


def _constants(numbers: Array) -> Matrix:
    return Matrix(Data(np.ascontiguousarray(numbers)), (), (numbers.shape[0], numbers.shape[1]))


def _constant(number: float) -> Matrix:
    return _constants(np.array([[float(number)]]))
