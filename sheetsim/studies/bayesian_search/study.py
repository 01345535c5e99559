"""The study of a Bayesian search seen in cells: one hyperparameter, a Gaussian process, and where to look next.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import Matrix, equal, largest, matrix, maximum, row, where
from sheetsim.model.graph import Graph
from sheetsim.model.op import Shape
from sheetsim.studies.bayesian_search.process import ACQUISITIONS, SearchStep, search_step
from sheetsim.studies.optimizers.function_text import depends, function_of, written
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook

# Two hills over log10 of a learning rate: the first points see the lower one, which lies near the middle.
EXAMPLE = "0.6*exp(-(x+2.2)^2) + 0.9*exp(-8*(x+0.7)^2)"

MOST_STEPS, MOST_GRID, MOST_POINTS = 20, 201, 25

# Rows for points that a person adds.
ROOM = 10

# A step explores where the deviation at its point is over this share of the largest over the grid.
EXPLORES = 0.5

WORDS = (
    Verdict(
        "explores",
        "where the point was chosen, the process’ deviation was over half of the greatest over the grid: little was "
        "known there",
        "good",
    ),
    Verdict("exploits", "it was less: the point lies where the mean was high", "neutral"),
    Verdict("again", "the place was tried before: the acquisition is highest there", "warning"),
)

CELLS = {
    "kappa": "κ of the upper confidence bound: the more, the more it explores",
    "length": "length scale of the process: over what distance values are correlated",
    "signal": "standard deviation of the process about its prior mean",
    "noise": "standard deviation of a value about the process",
}


class BayesianSearch(Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `bayesian-search`: a Gaussian process in cells looks for the maximum of a function.

    Attributes
    ----------
    f
        The function whose maximum is looked for: a text in x, as `f` of `optimizers`.
    points
        Measured values in its place, [[x, y], …]: then there is one step, and rows in which a person types further
        ones.
    low
        Lower end of x.
    high
        Upper end of x.
    grid
        Number of places at which the process is computed.
    steps
        Points after the first three.
    noise_std
        Standard deviation of normal draws that are added to each value, by `seed`; 0 for none.
    acquisition
        Acquisition function, ucb or ei.
    kappa
        κ of the upper confidence bound: the greater, the more it explores.
    length
        Length scale of the process: over what distance values are correlated.
    signal
        Standard deviation of the process about its prior mean.
    noise
        Standard deviation of a value about the process.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "bayesian-search"
    TITLE: ClassVar[str] = "Bayesian search"
    TABLES: ClassVar[tuple[str, ...]] = ("steps",)

    study: str = "bayesian-search"
    f: str = EXAMPLE
    points: list[tuple[float, float]] = msgspec.field(default_factory=list)
    low: float = -4.0
    high: float = 0.0
    grid: int = 61
    steps: int = 8
    seed: int = 0
    noise_std: float = 0.0
    acquisition: str = "ucb"
    kappa: float = 2.0
    length: float = 0.5
    signal: float = 0.4
    noise: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        check_one_of("acquisition", self.acquisition, ACQUISITIONS)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SheetsimError(f"low must be below high, but {self.low:g} is not below {self.high:g}")
        for key, least, most in (("grid", 5, MOST_GRID), ("steps", 1, MOST_STEPS)):
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most}, not {getattr(self, key)}")
        for key, value_least in (
            ("kappa", 0.0),
            ("length", 1e-6),
            ("signal", 1e-6),
            ("noise", 1e-6),
            ("noise_std", 0.0),
        ):
            value = getattr(self, key)
            if not (math.isfinite(value) and value_least <= value <= 1e6):
                raise SheetsimError(f"{key} must be a number from {value_least:g} to 1e6, not {value:g}")
        if self.noise < 1e-3 * self.signal:
            # The inverse loses as many digits as (signal / noise)² has.
            raise SheetsimError(
                f"noise must be at least a thousandth of signal, {self.signal / 1000:g}: with less, K⁻¹ loses too "
                "many digits"
            )
        if self.points:
            self._check_points()
        else:
            self._check_function()

    def _check_points(self) -> None:
        if len(self.points) > MOST_POINTS:
            raise SheetsimError(f"points: {len(self.points)} are given, but at most {MOST_POINTS} are allowed")
        if not all(math.isfinite(x) and math.isfinite(y) for x, y in self.points):
            raise SheetsimError("points must be pairs of finite numbers")
        outside = next((x for x, _ in self.points if not self.low <= x <= self.high), None)
        if outside is not None:
            raise SheetsimError(f"points: x = {outside:g} is not between low and high, {self.low:g} and {self.high:g}")

    def _check_function(self) -> None:
        graph = Graph()
        x, y = graph.input("x", self.low), graph.input("y", 0.0)
        value = function_of(self.f)(x, y)
        if depends(value, y):
            raise SheetsimError("f must be a function of x alone, without y")
        if not depends(value, x):
            raise SheetsimError("f does not depend on x: there is nothing to look for")
        written(value, "INDEX(Trials!$B$1000,0,1)")
        from sheetsim.engine.evaluate import evaluate

        over = self.value_of(graph.input("places", self.places()))
        if not np.isfinite(evaluate([over])[over]).all():
            raise SheetsimError(f"f is not finite everywhere between low and high, {self.low:g} and {self.high:g}")

    def places(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """The grid, a column."""
        return np.linspace(self.low, self.high, self.grid).reshape(-1, 1)

    def value_of(self, x: Matrix) -> Matrix:
        """f, element by element."""
        return matrix(function_of(self.f)(x, matrix(0.0)))

    @property
    def count(self) -> int:
        """Rows of points."""
        return len(self.points) + ROOM if self.points else 3 + self.steps

    def build(self) -> Study:
        """The steps, and the tables about them."""
        graph = Graph(seed=self.seed)
        for key, what in CELLS.items():
            graph.input(key, getattr(self, key), (1, 1), what=what, at_least=0.0)
        graph.choice("chosen", ACQUISITIONS, self.acquisition, what="the acquisition: ucb or ei, a drop-down")
        graph.input("grid", self.places(), what="the places that the process is looked at, grid × 1")
        graph.input("numbers", np.arange(1.0, self.count + 1).reshape(-1, 1), what="the numbers of the points, from 1")
        graph.input("unit_x", [[1.0, 0.0]], what="(1, 0): x times this is the first column of a chart’s points")
        graph.input("unit_y", [[0.0, 1.0]], what="(0, 1): y times this is the second")
        if self.points:
            return self._of_points(graph)
        graph.define("target", self.value_of(graph["grid"]), what="f over the grid, which the search does not see")
        path = graph["grid"] * graph["unit_x"] + graph["target"] * graph["unit_y"]
        graph.define("target_path", path, what="x and f over the grid, for the charts")
        if self.noise_std:
            graph.input("noise_std", self.noise_std, what="standard deviation of the draws that are added to f")
            graph.input("e", normal(), (self.count, 1), what="standard normal draws of the values, points × 1")
        # The first points, in the middle and at the ends.
        begin = [(self.low + self.high) / 2, self.low, self.high]
        xs = [graph.input(f"point_{k}", value, what="a first point: the middle, the low and the high end")
              for k, value in enumerate(begin, start=1)]  # fmt: skip
        numbers = graph["numbers"]
        ys = [self._value(graph, k, x) for k, x in enumerate(xs, start=1)]
        x, y = (
            sum(
                (at * equal(numbers, float(k)) for k, at in enumerate(values[1:], start=2)),
                values[0] * equal(numbers, 1.0),
            )
            for values in (xs, ys)
        )
        steps: list[SearchStep] = []
        for t in range(1, self.steps + 1):
            x = graph.define(f"X_{t}", x, what="x of the points tried before the step, points × 1; 0 of those to come")
            y = graph.define(f"Y_{t}", y, what="their values, points × 1")
            step = search_step(graph, str(t), x, y, matrix(float(t + 2)))
            steps.append(step)
            at = step["next"]
            value = self._value(graph, t + 3, at)
            xs.append(at)
            ys.append(value)
            here = equal(numbers, float(t + 3))
            x, y = where(here, at, x), where(here, value, y)
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, ys, steps))

    def _value(self, graph: Graph, number: int, x: Matrix) -> Matrix:
        """The value that a point gives."""
        value = self.value_of(x)
        if self.noise_std:
            value = value + graph["noise_std"] * row(graph["e"], number)
        return graph.define(f"value_{number}", value, what="f at the point, with its noise if any")

    def _of_points(self, graph: Graph) -> Study:
        room = np.zeros((ROOM, 1))
        given = np.array(self.points)
        told = "x of the points that were tried, points × 1; of the rows behind the last one nothing is read"
        x = graph.input("X_1", np.concatenate([given[:, :1], room]), what=told)
        y = graph.input("Y_1", np.concatenate([given[:, 1:], room]), what="their values, points × 1")
        count = graph.input("count", float(len(given)), what="how many of the points are there", at_least=1.0)
        step = search_step(graph, "1", x, y, count)
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, (), [step]))

    def _findings(self, graph: Graph, ys: Sequence[Matrix], steps: Sequence[SearchStep]) -> Findings:
        table = self._step_table(ys, steps)
        words = tuple(
            graph.define(f"word_{number}", self._word(step), what="what each step did")
            for number, step in enumerate(steps, start=1)
        )

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.bayesian_search.book import BayesianSearchBook

            return BayesianSearchBook(self, graph, steps, table, words).sheets(command, live)

        return Findings(sheets, (table,), verdicts=words, words=WORDS)

    def _step_table(self, ys: Sequence[Matrix], steps: Sequence[SearchStep]) -> Table:
        """A row per step: the point that it chose and what it knew there; where values follow, these."""
        columns = [
            Column("x", "the point that the step chose", tuple(step["next"] + 0 for step in steps)),
            Column("expected", "the process’ mean there", tuple(step["next_mean"] + 0 for step in steps)),
            Column("deviation", "its standard deviation there", tuple(step["next_deviation"] + 0 for step in steps)),
        ]
        if not self.points:
            best = [largest(*(y + 0 for y in ys[:3]))]
            for y in ys[3:]:
                best.append(largest(y + 0, best[-1]))
            columns.append(Column("y", "the value that the point has", tuple(y + 0 for y in ys[3:])))
            columns.append(Column("best", "the best value up to it, first points included", tuple(best[1:])))
        labels = list(range(1, len(steps) + 1))
        return Table("steps", "step", labels, tuple(columns), "Steps", "a row a step: the point that it chose")

    def _word(self, step: SearchStep) -> Matrix:
        explores = step["next_deviation"] > EXPLORES * maximum(step["deviation"])
        word = where(explores, "explores", "exploits")
        return where(step["nearest"] < 1e-9 * (self.high - self.low), "again", word)

    def sizes(self) -> dict[str, Shape]:
        """The shapes of a step's covariances."""
        return {f"k_grid_{t}": (self.grid, self.count) for t in range(1, 2 if self.points else self.steps + 1)}
