"""Distributions fitted to a column of data: the ranking as a DataFrame, and a workbook with quantile plots."""

import os
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from sheetsim.arguments import listed, said, text
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution
from sheetsim.model.fitting import FittedFamily, fitted_families, suited_families
from sheetsim.model.op import Array
from sheetsim.runs.fit_book import FitBook
from sheetsim.runs.manifest import manifest
from sheetsim.runs.templates import writing
from sheetsim.studies.data_column import data_column
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.runs.themes import ThemeLike

# Families whose quantiles are plotted, and points of a plot.
PLOTTED, POINTS = 4, 200


class Fit:
    """Families of distributions fitted to data, least AIC first.

    data: the numbers, 1-D; name: of their column; left_out: by family why it could not be fitted.
    """

    def __init__(
        self, data: Array, name: str, ranked: Sequence[FittedFamily], left_out: dict[str, str], command: str
    ) -> None:
        self.data, self.left_out = data, left_out
        self.name: str = name
        self._ranked, self._command = list(ranked), command

    @property
    def best(self) -> Distribution:
        """The distribution with the least AIC."""
        return self._ranked[0].distribution

    def __getitem__(self, family: str) -> Distribution:
        """The fitted distribution of a family. Raises SheetsimError for one that was not fitted."""
        for one in self._ranked:
            if one.distribution.name == family:
                return one.distribution
        raise SheetsimError(f"no family {said(family)} was fitted: there are {', '.join(self.names())}")

    def names(self) -> list[str]:
        """The families that were fitted, least AIC first."""
        return [one.distribution.name for one in self._ranked]

    def frame(self) -> "pd.DataFrame":
        """A row a family, least AIC first: n, parameters (how many were fitted), log_likelihood, aic, delta_aic (over
        the least), ks (Kolmogorov and Smirnov's distance) and law, the distribution in words."""
        import pandas as pd

        least = self._ranked[0].aic
        rows = [
            {
                "n": self.data.size,
                "parameters": one.free,
                "log_likelihood": one.log_likelihood,
                "aic": one.aic,
                "delta_aic": one.aic - least,
                "ks": one.distance,
                "law": str(one.distribution),
            }
            for one in self._ranked
        ]
        return pd.DataFrame(rows, index=pd.Index(self.names(), name="family"))

    def to_excel(self, path: str | os.PathLike[str], *, values_only: bool = False, theme: "ThemeLike" = None) -> Path:
        """Writes a workbook with the ranking and quantile plots of the best families, and returns its path.

        theme: a file with a house style.
        """
        from sheetsim.runs.themes import write_book

        probabilities = (np.arange(1, min(self.data.size, POINTS) + 1) - 0.5) / min(self.data.size, POINTS)
        # Of n numbers the k-th is the quantile of (k − 1/2)/n (Hazen).
        measured = np.quantile(self.data, probabilities, method="hazen")
        scores = ndtri(probabilities).reshape(-1, 1)
        points = {
            one.distribution.name: np.column_stack([one.distribution.from_normal(scores), measured])
            for one in self._ranked[:PLOTTED]
        }
        book = FitBook(self.title, self.data.size, self._ranked, points, self.left_out)
        command = writing(self._command, values_only)
        layout = Layout(book.sheets(command), live=not values_only)
        told = manifest(layout, self.title, values_only=values_only, tables={"ranking": book.table})
        return write_book(path, told, layout, evaluate(layout.places), theme)

    @property
    def title(self) -> str:
        """What the workbook is called."""
        return f"Distributions fitted to {self.name}" if self.name else "Distributions fitted to data"

    def __repr__(self) -> str:
        return f"<Fit of {self.data.size:,} numbers: {', '.join(self.names())}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.title)}</b></p>{self.frame().to_html(float_format='{:.4g}'.format)}"


def fit(data: Any, column: str | int | None = None, *, families: Sequence[str] | None = None) -> Fit:
    """Fits families of distributions to a column of data by maximum likelihood, and ranks them by AIC.

    data: numbers, a column of a table, or the path of a csv, xlsx or npy; column: which of several; families: names of
    this package (normal, lognormal, uniform) or of continuous distributions of scipy.stats; without them common ones
    that suit the sign of the data.
    Raises SheetsimError for data that are no column of numbers, fewer than 8, or all the same; for an unknown family;
    and where none can be fitted.
    """
    numbers, name = data_column(data, column)
    names = None if families is None else [text("a family", one) for one in listed("families", families, "names")]
    ranked, left_out = fitted_families(numbers, names or suited_families(numbers))
    if not ranked:
        reasons = "; ".join(f"{family}: {reason}" for family, reason in left_out.items())
        raise SheetsimError(f"fit: no family could be fitted ({reasons})")
    return Fit(numbers, name, ranked, left_out, _command(data, column, names))


def _command(data: Any, column: str | int | None, families: Sequence[str] | None) -> str:
    if not isinstance(data, str | os.PathLike):
        return MADE_IN_PYTHON
    words = ["sheetsim", "fit", os.fspath(data)]
    words += [] if column is None else ["--column", str(column)]
    return shlex.join(words + (["--families", ",".join(families)] if families else []))
