"""A graph of named matrices: what a person builds a model with. It computes no value and writes no file."""

import re
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import as_distribution
from sheetsim.model.expr import Choice, Data, Draw, Matrix, apply, column_count, row_count
from sheetsim.model.initializers import SCHEMES, Initializer
from sheetsim.model.ops import Shape
from sheetsim.model.sampling import as_correlation, check_design

NAME = re.compile(r"[^\W\d][\w.]*\Z")


class Graph:
    """Named matrices in the order in which they were named.

    seed: every draw of the graph comes from this number and the matrix's name.
    """

    def __init__(self, *, seed: int = 0) -> None:
        if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
            raise SheetsimError(f"seed must be a whole number from 0, not {seed!r}")
        self.seed: int = int(seed)
        self._matrices: dict[str, Matrix] = {}

    def __getitem__(self, name: str) -> Matrix:
        try:
            return self._matrices[name]
        except KeyError:
            raise SheetsimError(f"no matrix {name!r}: the model has {', '.join(self._matrices) or 'none'}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._matrices

    def __iter__(self) -> Iterator[Matrix]:
        return iter(self._matrices.values())

    def _name(self, name: str, node: Matrix) -> Matrix:
        if not isinstance(name, str) or not NAME.match(name):
            raise SheetsimError(f"{name!r} is no name: letters, digits, _ and . only, and no digit first")
        # Defined names of a workbook ignore case.
        if name.casefold() in {known.casefold() for known in self._matrices}:
            raise SheetsimError(f"the name {name!r} is taken (case does not count)")
        node.name = name
        self._matrices[name] = node
        return node

    def input(
        self, name: str, values: Any, shape: Shape | None = None, *, sampling: str = "random", correlation: Any = None
    ) -> Matrix:
        """A leaf: draws of a Distribution with the given shape, or given numbers (anything that is a 2-D array).

        values: a Distribution, a frozen one of scipy.stats, or numbers; sampling: the design of the draws, one of
        DESIGNS; correlation of the columns: a number for all pairs, or a matrix, columns × columns (see Draw).
        Raises SheetsimError for a name that is taken, a shape that is none, numbers that are not finite, and a design
        or correlation that draws of this shape cannot have.
        """
        try:
            distribution = as_distribution(values)
        except SheetsimError as error:
            raise SheetsimError(f"{name}: {error}") from None
        if distribution is not None:
            if shape is None or len(shape) != 2 or not all(isinstance(n, Integral) and n >= 1 for n in shape):
                raise SheetsimError(
                    f"{name}: draws need a shape (rows, columns) of whole numbers from 1, not {shape!r}"
                )
            rows, columns = int(shape[0]), int(shape[1])
            try:
                check_design(sampling, rows, columns)
                mixing = None if correlation is None else as_correlation(correlation, columns)
            except SheetsimError as error:
                raise SheetsimError(f"{name}: {error}") from None
            return self._name(name, Matrix(Draw(distribution, self.seed, name, sampling, mixing), (), (rows, columns)))
        if sampling != "random" or correlation is not None:
            raise SheetsimError(f"{name}: sampling and correlation are of draws; numbers that are given have their own")
        try:
            # A copy: numbers that changed behind the model would change its results.
            array = np.array(values, dtype=np.float64, order="C", ndmin=2)
        except (TypeError, ValueError):
            raise SheetsimError(f"{name}: the values are no table of numbers") from None
        if array.ndim != 2 or array.size == 0:
            raise SheetsimError(f"{name}: a matrix has two dimensions of at least 1, not {np.shape(values)}")
        if shape is not None and array.shape != tuple(shape):
            raise SheetsimError(f"{name}: the values are {array.shape[0]}×{array.shape[1]}, not {shape[0]}×{shape[1]}")
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            r, c = wrong[0]
            raise SheetsimError(f"{name}: row {r + 1}, column {c + 1} is {array[r, c]}, not a finite number")
        return self._name(name, Matrix(Data(array), (), array.shape))

    def results(self, name: str, values: Any) -> Matrix:
        """A leaf of numbers that were computed before: a 2-D float64 array, which is not copied.

        NaN and infinities may stand among them, as error values in the workbook.
        """
        return self._name(name, Matrix(Data(values), (), values.shape))

    def choice(self, name: str, options: Sequence[str], value: str) -> Matrix:
        """A text of a list, a drop-down in the workbook. Raises SheetsimError when the value is not on the list."""
        if value not in options:
            raise SheetsimError(f"{name}: {value!r} is not one of {', '.join(options)}")
        return self._name(name, Matrix(Choice(options, value), (), (1, 1)))

    def weights(self, name: str, initializer: Initializer | str, shape: Shape) -> Matrix:
        """W = sd · e, fan-in × fan-out (rows are inputs): three named matrices, `W_1` from `sd_1` and draws `e_1`.

        initializer: one of this package's, or the name of a scheme.
        """
        if isinstance(initializer, str) and initializer in SCHEMES:
            initializer = SCHEMES[initializer]
        if not isinstance(initializer, Initializer):
            raise SheetsimError(f"{name}: the initializer must be he() or one of {', '.join(SCHEMES)}")
        tail = name.removeprefix("W_")
        e = self.input(f"e_{tail}", initializer.draws, shape)
        sd = self.define(f"sd_{tail}", initializer.sd(row_count(e), column_count(e)))
        return self.define(name, sd * e)

    def define(self, name: str, expression: Any) -> Matrix:
        """Gives the expression its name: from here on other formulas refer to it. Returns the named matrix."""
        if isinstance(expression, str):
            raise SheetsimError(
                f"{name}: a text is no matrix; a drop-down is made with model.choice(name, options, value)"
            )
        node = expression if isinstance(expression, Matrix) else apply("add", expression, 0.0)
        if node.name is not None or not node.is_op:
            raise SheetsimError(
                f"{name}: this is the leaf or the matrix {node.name!r} already; name an expression of it"
            )
        return self._name(name, node)
