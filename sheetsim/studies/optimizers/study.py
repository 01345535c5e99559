"""The study of optimizers: five rules that descend a function of two variables, each from the same start.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np

from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import normal
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import Matrix, absolute, column, matrix, sqrt, sum_squares
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array, Shape
from sheetsim.model.update_rules import CELLS, RULES
from sheetsim.studies.optimizers.function_text import EXAMPLE, Function, check_arguments, depends, function_of, written
from sheetsim.studies.optimizers.paths import PATHS, Path, path_table, path_verdicts
from sheetsim.studies.study import Experiment, Findings, Study

if TYPE_CHECKING:
    from sheetsim.studies.optimizers.book import OptimizersBook

GIVEN_FUNCTION = "a function, given in Python"
MOST_STEPS = 2000
MOST_CONTOURS = 40
# A chart has 255 series at most: five paths, the start, and lines.
MOST_PIECES = 240
LARGEST = 1e6
# A path that goes so many times as far as paths commonly do leaves the charts' window.
FAR = 4
# What stands for x in a cell's formula.
REFERENCE = "INDEX(Momentum!$B$1000:$C$1000,0,1)"

START = "x and y at step 0, of every path"

# What the matrices are; of series by the first letter of their names.
MINIMUM = "x and y where scipy.optimize.minimize found f least when the book was made"
SERIES = {
    "p": "positions, columns x and y, row 0 the start",
    "g": "gradients of f, from step 1: the one by which the step goes",
}
STATE = "the rule's state, row 0 zeros"


class Optimizers(Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `optimizers`: paths of five optimizers over a function of x and y.

    Attributes
    ----------
    f
        Function of x and y: a text such as "x**2/20 + y**2", or from Python a function of two single matrices.
    start
        x and y at the start of every path.
    start_std
        Standard deviation of normal numbers that are added to both, drawn by `seed`; 0 for none.
    steps
        Steps of each path.
    contours
        Number of levels at which contour lines are drawn.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "optimizers"
    TITLE: ClassVar[str] = "Optimizers"
    TABLES: ClassVar[tuple[str, ...]] = ("paths",)

    study: str = "optimizers"
    f: Any = EXAMPLE
    seed: int = 0
    start: tuple[float, float] = (-7.0, 2.0)
    start_std: float = 0.0
    steps: int = 30
    rate_sgd: float = 0.95
    rate_momentum: float = 0.1
    momentum: float = 0.9
    rate_adagrad: float = 1.5
    rate_rmsprop: float = 0.3
    decay: float = 0.9
    rate_adam: float = 0.3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    contours: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.f, str) or callable(self.f)):
            raise SheetsimError(f"f must be text, for example {EXAMPLE!r}, or a function of two matrices")
        if not isinstance(self.f, str):
            check_arguments(self.f)
        for key, most in (("steps", MOST_STEPS), ("contours", MOST_CONTOURS)):
            least = 1 if key == "steps" else 0
            if not least <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {least} to {most:,}, not {getattr(self, key):,}")
        self._check_start()
        for key in CELLS:
            value = getattr(self, key)
            if key.startswith("rate_") and not 0 < value <= LARGEST:
                raise SheetsimError(f"{key} must be above 0 and at most {LARGEST:,.0f}, not {value:g}")
            if key == "epsilon" and not 0 < value <= 1:
                raise SheetsimError(f"epsilon must be above 0 and at most 1, not {value:g}")
            if not key.startswith("rate_") and key != "epsilon" and not 0 <= value < 1:
                raise SheetsimError(f"{key} must be at least 0 and below 1, not {value:g}")
        self._check_function()

    def _check_start(self) -> None:
        check_seed(self.seed, "pcg64")
        if not all(abs(number) <= LARGEST for number in self.start):
            raise SheetsimError(f"start must be two numbers of at most {LARGEST:,.0f} in size, not {list(self.start)}")
        if not 0 <= self.start_std <= LARGEST:
            raise SheetsimError(f"start_std must be from 0 to {LARGEST:,.0f}, not {self.start_std:g}")

    def _check_function(self) -> None:
        """Refuses a function whose cells could not hold it, or that has no value or gradient at the start."""
        graph = Graph()
        x, y = (graph.input(name, value) for name, value in zip("xy", self.start, strict=True))
        f, d_x, d_y = parts = self._function(x, y), *self._gradient(x, y)
        # In a cell the gradient is such a sum, and x an INDEX of the position: two levels more than either has.
        for part in (f, absolute(d_x * x + d_y * y)):
            written(part, REFERENCE)
        if not all(value.dtype.kind == "f" and np.isfinite(value).all() for value in evaluate(parts).values()):
            raise SheetsimError(f"f has no finite value or gradient at the start, {self.start[0]:g}, {self.start[1]:g}")

    def _function(self, x: Matrix, y: Matrix) -> Matrix:
        try:
            value = matrix(self._callable()(x, y))
        except SheetsimError as error:
            raise SheetsimError(str(error) if isinstance(self.f, str) else f"f: {error}") from None
        if value.shape != (1, 1):
            raise SheetsimError(f"f must give a single number, not {value.shape[0]}×{value.shape[1]}")
        return value

    def _callable(self) -> Function:
        return function_of(self.f) if isinstance(self.f, str) else self.f

    def _gradient(self, x: Matrix, y: Matrix) -> tuple[Matrix, Matrix]:
        """∂f/∂x and ∂f/∂y; 0 by one that f does not have."""
        value = self._function(x, y)
        among = [node for node in (x, y) if depends(value, node)]
        if not among:
            raise SheetsimError("f depends on neither x nor y: write a function of them")
        try:
            by = dict(zip(among, grad(value, among), strict=True))
        except SheetsimError as error:
            raise SheetsimError(f"f: {error}") from None
        return by.get(x, matrix(0.0)), by.get(y, matrix(0.0))

    def build(self) -> Study:
        """The five paths, and the tables about them."""
        graph = Graph(seed=self.seed)
        cells = {name: graph.input(name, float(getattr(self, name)), what=what) for name, what in CELLS.items()}
        start = self._start(graph)
        units = (
            graph.input("unit_x", [[1.0, 0.0]], what="(1, 0): ∂f/∂x times this is the gradient's first part"),
            graph.input("unit_y", [[0.0, 1.0]], what="(0, 1): ∂f/∂y times this is the second"),
        )
        paths = [self._path(graph, name, start, cells, units) for name in RULES]
        graph.input("step", np.arange(self.steps + 1.0).reshape(-1, 1), what="the numbers of the steps")
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, paths))

    def _start(self, graph: Graph) -> Matrix:
        """x and y at step 0, 1×2: given, or drawn about what is given."""
        if self.start_std == 0:
            return graph.input("start", self.start, (1, 2), what=START)
        mean = graph.input("start_mean", self.start, (1, 2), what="what the start is drawn about")
        std = graph.input("start_std", self.start_std, what="the standard deviation of the start", at_least=0.0)
        e = graph.input("e_start", normal(), (1, 2), what="standard normal draws of the start")
        return graph.define("start", mean + std * e, what=START)

    def _findings(self, graph: Graph, paths: Sequence[Path]) -> Findings:
        """The charts' window and the least f need the paths: here, where tables are asked for, they are computed."""
        from sheetsim.studies.optimizers.contours import contours, window_of
        from sheetsim.studies.optimizers.minimum import least_found

        values = evaluate([graph["start"], *(node for path in paths for node in (path.p, path.f))])
        axes = window_of(_near(paths, values))
        ends_of_axes = [list(axis[:2]) for axis in axes]
        window = graph.input("window", ends_of_axes, what="the charts' axes: x and y, from and to")
        ends = np.array([values[graph["start"]][0], *(values[path.p][-1] for path in paths)])
        lowest = least_found(self._callable(), ends[np.isfinite(ends).all(axis=1)], axes)
        minimum_f = None
        if lowest is not None:
            point = graph.input("minimum", lowest.point, (1, 2), what=MINIMUM)
            height = self._function(column(point, 1), column(point, 2))
            minimum_f = graph.define("minimum_f", height, what="f at minimum")
        table, least = path_table(graph, paths, window, minimum_f)
        words = path_verdicts(graph, paths, table, minimum_f)

        @cache
        def book() -> "OptimizersBook":
            from sheetsim.studies.optimizers.book import OptimizersBook
            from sheetsim.studies.optimizers.path_pages import PathPages

            lines = contours(self._callable(), axes, self.contours, MOST_PIECES)
            said = "points of the lines of equal f, x and y"
            pieces = [graph.input(f"contour_{k}", piece, what=said) for k, piece in enumerate(lines.pieces, start=1)]
            heights = np.concatenate([values[path.f] for path in paths])
            steep = bool((heights[np.isfinite(heights)] > 0).all())
            shown = PathPages(graph, axes, lines, pieces)
            parts = graph, paths, table, least, lowest, words, shown, self._said(), steep
            return OptimizersBook(self, *parts)

        headline = ("x", "y", "f", "f_ratio", "steps_to_1_percent", "path_length")
        return Findings(
            lambda command, live: book().sheets(command, live),
            (table,),
            verdicts=words,
            words=PATHS,
            headline=headline,
        )

    def _path(
        self, graph: Graph, name: str, start: Matrix, cells: Mapping[str, Matrix], units: Sequence[Matrix]
    ) -> Path:
        rule = RULES[name]

        def step(before: dict[str, Matrix], t: int) -> dict[str, Matrix]:
            p = before[f"p_{name}"]
            d_x, d_y = self._gradient(column(p, 1), column(p, 2))
            g = d_x * units[0] + d_y * units[1]
            # The gradient has cells of its own before the rule refers to it.
            after, state = rule.step(p, g, {letter: before[f"{letter}_{name}"] for letter in rule.state}, cells, t)
            return {f"g_{name}": g, f"p_{name}": after} | {f"{key}_{name}": node for key, node in state.items()}

        begin = {f"p_{name}": start} | {f"{letter}_{name}": [[0.0, 0.0]] for letter in rule.state}
        keys = [f"{letter}_{name}" for letter in ("p", "g", *rule.state)]
        what = {key: SERIES.get(key[0], STATE) for key in keys}
        made = graph.series(begin, step=step, steps=self.steps, columns=dict.fromkeys(keys, ("x", "y")), what=what)
        p = made[f"p_{name}"]
        values = [self._function(column(at, 1), column(at, 2)) for at in p]
        moves = [sqrt(sum_squares(p[t] - p[t - 1])) for t in range(1, len(p))]
        return Path(
            name,
            p,
            graph.stacked(f"f_{name}", values, ("f",), what="f at the positions"),
            tuple(made[key] for key in keys[1:]),
            graph.stacked(f"moved_{name}", moves, ("length",), first=1, what="the length of each step"),
        )

    def _said(self) -> tuple[str, str, str]:
        """f and its derivatives by x and by y, as formulas."""
        graph = Graph()
        x, y = graph.input("x", 0.0), graph.input("y", 0.0)
        f, d_x, d_y = (written(part) for part in (self._function(x, y), *self._gradient(x, y)))
        return f, d_x, d_y

    def parameters(self) -> dict[str, Any]:
        """The keys as a template would have them; a function given in Python is only named."""
        kinds = {field.name: field.type for field in msgspec.structs.fields(type(self))}
        keys = {key: msgspec.convert(value, kinds[key]) for key, value in super().parameters().items()}
        return keys if isinstance(self.f, str) else keys | {"f": GIVEN_FUNCTION}

    @property
    def given_in_python(self) -> str:
        """What no command can give again."""
        return "" if isinstance(self.f, str) else "a function"

    def sizes(self) -> dict[str, Shape]:
        """The shapes of the paths."""
        return {f"{letter}_{name}": (self.steps + 1, width) for name in RULES for letter, width in (("p", 2), ("f", 1))}


def _near(paths: Sequence[Path], values: Values) -> Array:
    """Points (n×2) of the paths that charts show.

    Left out are those several times as far away as paths commonly go; of a path that diverges the steps up to where f
    is above its value at the start are shown.
    """
    shown: list[Array] = []
    for path in paths:
        points, heights = values[path.p], values[path.f][:, 0]
        high = ~(heights <= heights[0])
        if high[-1]:
            points = points[: int(np.argmax(high))]
        shown.append(points[np.isfinite(points).all(axis=1)])
    reach = [np.hypot(*(points - points[0]).T) for points in shown]
    near = FAR * float(np.median([distances.max() for distances in reach if distances.any()] or [0.0]))
    return np.concatenate([points[far <= near] for points, far in zip(shown, reach, strict=True)])
