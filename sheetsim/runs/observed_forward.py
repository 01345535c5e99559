"""What replicates of the study of initial weights observe.

Its tables in numbers, its verdicts, its claims, and mean-field theory beside them.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from msgspec import field
from numpy.typing import NDArray

from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.engine.jobs import alone
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Matrix
from sheetsim.runs.intervals import SKEWED, Facts, Reading, readings
from sheetsim.runs.observed import Label, Measured, Measurer, Observed, Signs, Theory
from sheetsim.runs.replicates_plan import (
    Replicator,
    expected,
    rounding,
    spread_of_a_layer,
    spread_of_logs,
    with_data,
)
from sheetsim.runs.streaming import COLUMNS, SHARES, WORDS, nonnegative, products
from sheetsim.studies.forward.study import Forward
from sheetsim.summary.layers import VERDICTS

# Statistics that Overview shows, with the headings of their charts.
SHOWN = {
    "pooled": "Variance of the pre-activations a",
    "var": "Variance of the outputs z",
    "mean": "Mean of the outputs z",
    "effective_units": "Effective units",
}


class ForwardMeasurer:
    """Measures replicates without building their tables: see `Replicator`.

    edges: the pooled histograms'; single: layers in single precision.
    """

    def __init__(self, study: Forward, edges: NDArray[np.float64] | None, single: bool) -> None:
        self._study, self._edges, self._single = study, edges, single

    def __reduce__(self) -> tuple[Any, ...]:
        return ForwardMeasurer, (self._study, self._edges, self._single)

    @cached_property
    def _replicator(self) -> Replicator:
        replicator = Replicator(self._study, single=self._single)
        if self._edges is not None:
            replicator.edges = self._edges
        return replicator

    @property
    def work(self) -> float:
        """Multiply-adds of a replicate's products."""
        return self._replicator.work

    def one(self, replicate: int) -> Measured:
        """The replicate of that number, from 0."""
        numbers, counts, given = self._replicator.one(replicate)
        return Measured(numbers.T.ravel(), (), counts, given)


class LayerLabels(Sequence[Label]):
    """The labels of so many layers, made when asked for: a sweep has thousands of deep networks."""

    def __init__(self, layers: int) -> None:
        self._layers = layers

    def __len__(self) -> int:
        return len(COLUMNS) * self._layers

    @overload
    def __getitem__(self, place: int) -> Label: ...

    @overload
    def __getitem__(self, place: slice) -> list[Label]: ...

    def __getitem__(self, place: int | slice) -> Label | list[Label]:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        statistic, layer = divmod(range(len(self))[place], self._layers)
        return layer + 1, COLUMNS[statistic]


class ForwardObserved(Observed, frozen=True, dict=True):
    """The layers' statistics of a forward study, which holds its input's data."""

    study: Forward = field(default_factory=lambda: Forward(layers=[1]))

    @property
    def names(self) -> list[str]:
        """The statistics' names."""
        return list(COLUMNS)

    def rows(self, statistic: str) -> list[int | str]:
        """All layers."""
        return list(range(1, len(self.study.layers) + 1))

    def measurer(self, single: bool) -> Measurer:
        """What measures a replicate."""
        return ForwardMeasurer(self.study, self.edges, single)

    @cached_property
    def _theory(self) -> Theory:
        return expected(self.study)

    def theory(self, rows: NDArray[np.float64]) -> Theory:
        """Mean-field theory of its layers."""
        return self._theory

    def notes(self, rows: NDArray[np.float64]) -> tuple[str, ...]:
        """Which means a few seeds make."""
        limit = SKEWED * float(np.log(len(rows)))
        facts = {
            label: Facts.of(rows[:, k])
            for k, label in enumerate(self.labels, start=1)
            if label[1] in self.signs.products
        }
        skewed = sum(of.skewed for of in facts.values())
        # Networks without signal, or that overflow, have no such products.
        spread = spread_of_logs(self.study) * facts[len(self.study.layers), "second_moment"].varied
        if not skewed and spread <= limit:
            return ()
        note = (
            "Numbers that deep or narrow networks make as products over layers are near log-normal over seeds (Hanin & "
            "Rolnick 2018). Where the variance of their logarithm is over ln(replicates)/3, here "
            f"{limit:.2g}, a few seeds make the mean, and its interval covers less than it says: read what Statistics "
            f"names under `read` (not the mean in {skewed} of {len(self.labels)} rows)."
        )
        if spread > limit:
            note += (
                f" Of second moments it is up to about {spread:.2g} by depth and width, nearly "
                f"{spread_of_a_layer(self.study):g}/units a layer."
            )
        return (note,)

    def later_words(self, rows: NDArray[np.float64], more: NDArray[np.float64]) -> NDArray[np.str_]:
        """The layers' verdicts, by their formulas from the numbers of all replicates at once."""
        study = self.study.build()
        findings = study.findings
        places = {label: k for k, label in enumerate(self.labels, start=1)}
        values = {
            cell: rows[:, [places[row, column.name]]]
            for column in findings.tables[0].columns
            for row, cell in zip(findings.tables[0].labels, column.cells, strict=True)
        }
        names = ("square_x", "over_samples_x", "effective_x")
        values |= {study.graph[name]: more[:, [k]] for k, name in enumerate(names)}
        layers = range(1, len(self.study.layers) + 1)
        values |= evaluate(study.graph[f"sd_{k}"] for k in layers)
        said = Program(study.verdicts, given=values)(values)
        texts = [np.broadcast_to(said[cell], (len(rows), 1)) for cell in study.verdicts]
        return np.concatenate(texts, axis=1)

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        edges: NDArray[np.float64] = alone(lambda: Replicator(self.study).edges)
        return edges

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of the histograms, by the study's rule for the first replicates."""
        return self._edges

    def zeros(self) -> str | None:
        """The share of exact zeros, which relu gives."""
        return "saturated" if ACTIVATIONS[self.study.activation].zeros else None

    def readings(self, results: Matrix, confidence: Matrix, tolerance: Matrix) -> list[Reading]:
        """The claims of the explanation by additivity of variance."""
        activation, layers = self.study.activation, len(self.study.layers)
        return readings(results, self.labels, layers, activation, confidence, tolerance)

    def rounding(self) -> NDArray[np.float64]:
        """What single precision costs, by label."""
        differences: NDArray[np.float64] = alone(rounding, self.study).T.ravel()
        return differences


def observed_forward(study: Forward) -> ForwardObserved:
    """What replicates of a forward study observe. Raises SheetsimError for data that cannot be read."""
    layers = range(1, len(study.layers) + 1)
    return ForwardObserved(
        name=study.study,
        title=study.title or "Forward pass",
        description=study.description,
        seed=study.seed,
        draws="pcg64",
        parameters=study.parameters(),
        index="layer",
        labels=LayerLabels(len(study.layers)),
        columns={name: WORDS[name] for name in COLUMNS},
        signs=signs_of(study.activation),
        words=[(layer, "verdict") for layer in layers],
        verdicts=VERDICTS,
        shown=SHOWN,
        study=with_data(study),
    )


def signs_of(activation: str) -> Signs:
    """Of the statistics with that activation."""
    return Signs(frozenset(nonnegative(activation)), frozenset(products(activation)), frozenset(SHARES))
