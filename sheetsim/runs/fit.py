"""Distributions fitted to a column of data: the ranking as a DataFrame, and a workbook with quantile plots."""

import os
import shlex
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from sheetsim.arguments import listed, said, text
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.language import Language, language
from sheetsim.model.distribution_text import written_distribution
from sheetsim.model.draws import Distribution
from sheetsim.model.fitting import FittedFamily, fitted_families, suited_families
from sheetsim.model.op import Array
from sheetsim.runs.fit_book import FitBook
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.templates import writing
from sheetsim.runs.written import Written
from sheetsim.studies.data_column import data_column
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


# Families whose quantiles are plotted, and points of a plot.
PLOTTED, POINTS = 4, 200


class Fit(Written):
    """Families of distributions fitted to data, smallest AIC first.

    Attributes
    ----------
    data
        The numbers, 1-D.
    name
        Name of their column.
    left_out
        By family, why it could not be fitted.
    """

    def __init__(
        self, data: Array, name: str, ranked: Sequence[FittedFamily], left_out: dict[str, str], command: str
    ) -> None:
        self.data, self.left_out = data, left_out
        self.name: str = name
        self._ranked, self._command = list(ranked), command

    @property
    def best(self) -> Distribution:
        """The distribution with the smallest AIC."""
        return self._ranked[0].distribution

    def __getitem__(self, family: str) -> Distribution:
        """The fitted distribution of a family. Raises SheetsimError for one that was not fitted."""
        for one in self._ranked:
            if one.distribution.name == family:
                return one.distribution
        raise SheetsimError(f"no family {said(family)} was fitted: there are {', '.join(self.names())}")

    def names(self) -> list[str]:
        """The families that were fitted, smallest AIC first."""
        return [one.distribution.name for one in self._ranked]

    def frame(self) -> "pd.DataFrame":
        """The ranking: a row per family, smallest AIC first.

        Returns
        -------
        pandas.DataFrame
            n, parameters (how many were fitted), log_likelihood, aic, delta_aic (over the smallest), ks (Kolmogorov and
            Smirnov's distance) and law, the distribution as `sheetsim simulate --input` takes it.
        """
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
                "law": written_distribution(one.distribution),
            }
            for one in self._ranked
        ]
        return pd.DataFrame(rows, index=pd.Index(self.names(), name="family"))

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says about itself."""
        return manifest(layout, self.title, values_only=values_only, tables={"ranking": self._book.table})

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        layout = Layout(
            self._book.sheets(writing(self._command, values_only)), live=not values_only, spoken=self._spoken(lang)
        )
        return layout, evaluate(layout.places)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang)

    @cached_property
    def _book(self) -> FitBook:
        probabilities = (np.arange(1, min(self.data.size, POINTS) + 1) - 0.5) / min(self.data.size, POINTS)
        # Of n numbers the k-th is the quantile of (k − 1/2)/n (Hazen).
        measured = np.quantile(self.data, probabilities, method="hazen")
        scores = ndtri(probabilities).reshape(-1, 1)
        points = {
            one.distribution.name: np.column_stack([one.distribution.from_normal(scores), measured])
            for one in self._ranked[:PLOTTED]
        }
        return FitBook(self.title, self.data.size, self._ranked, points, self.left_out)

    @property
    def title(self) -> str:  # type: ignore[override]
        """Title of the workbook."""
        return f"Distributions fitted to {self.name}" if self.name else "Distributions fitted to data"

    def __repr__(self) -> str:
        return f"<Fit of {self.data.size:,} numbers: {', '.join(self.names())}>"

    def _repr_html_(self) -> str:
        table = self.frame().to_html(float_format="{:.4g}".format)
        return f"<p><b>{escape(self.title)}</b></p>{table}{self._picture_html()}"


def fit(data: Any, column: str | int | None = None, *, families: Sequence[str] | None = None) -> Fit:
    """Fit families of distributions to a column of data by maximum likelihood, and rank them by AIC.

    Parameters
    ----------
    data
        Numbers, a column of a table, or the path of a csv, xlsx or npy file.
    column
        Name, or number from 1, of the column, where there are several.
    families
        Names of this package (normal, lognormal, uniform) or of continuous distributions of scipy.stats; common ones
        that suit the sign of the data if None.

    Returns
    -------
    Fit
        The ranking; `fit(data).best` goes into `Model.input`.

    Raises
    ------
    SheetsimError
        The data are no column of numbers, fewer than 8 or all the same; a family is unknown; or none can be fitted.

    References
    ----------
    H. Akaike, A new look at the statistical model identification (1974), IEEE Transactions on Automatic Control 19.

    Examples
    --------
    >>> import numpy as np
    >>> import sheetsim
    >>> data = np.random.default_rng(0).normal(10, 2, 200)
    >>> sorted(sheetsim.fit(data, families=["normal", "uniform"]).names())
    ['normal', 'uniform']
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
