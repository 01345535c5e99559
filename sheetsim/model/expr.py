"""Matrices as expressions: one node type whose shape is known when it is built. It computes no value.

Every value is a 2-D matrix; a single number or text is 1×1. `==` compares identity; `equal(a, b)` builds an op.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.model.op import OPS, Array, Op, Shape
from sheetsim.model.sampling import Draw as Draw

if TYPE_CHECKING:
    from sheetsim.model.training import TrainingLoop

Operand: TypeAlias = "Matrix | float | str"


class Constant(Struct, frozen=True):
    """A number or text written into the formula that uses it."""

    value: float | str


class Data:
    """Numbers given by a person: an array of finite float64, read-only.

    at_least: what a cell must not be below, if anything; columns: their names, if they have some.
    """

    def __init__(self, values: Array, at_least: float | None = None, columns: Sequence[str] = ()) -> None:
        self.values: Array = values.view()
        self.values.flags.writeable = False
        self.at_least = at_least
        self.columns = tuple(columns)

    def with_seed(self, seed: int) -> Array:
        """The numbers in a run with that seed: what is given is the same in all."""
        return self.values


class DataOfSeed(Data):
    """Numbers that a function makes of a run's seed, as draws are that have a form which no distribution gives.

    make: of the seed, the array; it is the same function in every process.
    """

    def __init__(self, make: Callable[[int], Array], seed: int) -> None:
        super().__init__(make(seed))
        self.make = make

    def with_seed(self, seed: int) -> Array:
        """The numbers in a run with that seed."""
        return self.make(seed)


class Choice(Struct, frozen=True):
    """One text of a list: a drop-down in the workbook."""

    options: tuple[str, ...]
    value: str


class Stack(Struct, frozen=True):
    """Matrices one under another, each with cells of its own in the workbook: a series."""


class Slot(Struct, frozen=True, eq=False):
    """What each step of a training is given: its state, rows of data, draws, its own number."""


class Outcome:
    """What a training gives: `part` says which of its results. It is computed by steps, and is constants in a sheet."""

    def __init__(self, training: "TrainingLoop", part: Hashable) -> None:
        self.training = training
        self.part = part


class Routine(Struct, frozen=True):
    """What NumPy computes of other matrices and no formula of a sheet does, as singular values: constants in a book.

    name: in messages; function: a function of a module, of 2-D arrays, to a 2-D array; it must give NaN and no error
    for what is not finite.
    """

    name: str
    function: Callable[..., Array]

    def __repr__(self) -> str:
        # The same in every process: a function's has its address.
        return f"Routine(name={self.name!r})"


Source: TypeAlias = "Op | Constant | Data | Draw | Choice | Stack | Slot | Outcome | Routine"

# The unnamed nodes that are in use, by what they are made of.
_EXPRESSIONS: "WeakValueDictionary[tuple[Any, ...], Matrix]" = WeakValueDictionary()


# How a matrix's numbers are compared with a recalculation by another engine: counts agree exactly, and numbers that may
# be rounding alone, such as the mean of numbers near 0, are compared one by one.
NUMBER, COUNT, ROUNDING = KINDS = ("number", "count", "rounding")


class Matrix:
    """A node: where its numbers come from (an op of the table, or a leaf's source), its arguments and its shape.

    It does not change. Equal expressions are one node, which `apply` gives; an unnamed one is inlined into the
    formulas that use it. `Graph.define` and a series give a node that has cells of its own in the workbook, and the
    name if there is one: its `expression` is the node without them, which has the same numbers. `kind` is what these
    are, one of KINDS. `depth` is the longest way to a leaf: more than that of every node that it is computed from.
    """

    __slots__ = ("__weakref__", "_expression", "args", "depth", "kind", "name", "shape", "source")
    __array_priority__ = 1000  # NumPy's operators leave `array @ matrix` to ours

    args: tuple["Matrix", ...]
    depth: int
    kind: str
    name: str | None
    shape: Shape
    source: Source
    _expression: "Matrix | None"

    def __init__(
        self,
        source: Source,
        args: tuple["Matrix", ...],
        shape: Shape,
        name: str | None = None,
        expression: "Matrix | None" = None,
        kind: str = NUMBER,
    ) -> None:
        put = object.__setattr__
        put(self, "source", source)
        put(self, "args", args)
        put(self, "shape", shape)
        put(self, "name", name)
        put(self, "kind", kind)
        put(self, "_expression", expression)
        put(self, "depth", 1 + max([arg.depth for arg in args], default=0))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a matrix of a model does not change: make another one ({name})")

    __delattr__ = __setattr__  # type: ignore[assignment]

    @property
    def expression(self) -> "Matrix":
        """The node that has the same numbers and no cells of its own: the node itself where it has none."""
        return self if self._expression is None else self._expression

    def placed(self, name: str | None, kind: str = NUMBER) -> "Matrix":
        """The same expression as a node that has cells of its own, and a name where one is given."""
        return Matrix(self.source, self.args, self.shape, name, self.expression, kind)

    @property
    def is_op(self) -> bool:
        """Whether the node is computed from others, not a leaf."""
        return isinstance(self.source, Op)

    @property
    def headings(self) -> tuple[str, ...]:
        """The names of the columns, where they have some."""
        return self.source.columns if isinstance(self.source, Data) else ()

    def __repr__(self) -> str:
        kind = self.source.name if isinstance(self.source, Op) else type(self.source).__name__.lower()
        return f"<Matrix {self.name or 'unnamed'}: {kind}, {self.shape[0]}×{self.shape[1]}>"

    def __add__(self, other: Operand) -> "Matrix":
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> "Matrix":
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> "Matrix":
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> "Matrix":
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> "Matrix":
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> "Matrix":
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> "Matrix":
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> "Matrix":
        return apply("divide", other, self)

    def __pow__(self, other: Operand) -> "Matrix":
        return apply("power", self, other)

    def __rpow__(self, other: Operand) -> "Matrix":
        return apply("power", other, self)

    def __neg__(self) -> "Matrix":
        return apply("negative", self)

    def __matmul__(self, other: "Matrix") -> "Matrix":
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Any) -> "Matrix":
        return apply("matmul", other, self)

    def __gt__(self, other: Operand) -> "Matrix":
        return apply("greater", self, other)

    def __ge__(self, other: Operand) -> "Matrix":
        return apply("greater_equal", self, other)

    def __lt__(self, other: Operand) -> "Matrix":
        return apply("less", self, other)

    def __le__(self, other: Operand) -> "Matrix":
        return apply("less_equal", self, other)

    def __bool__(self) -> bool:
        raise SheetsimError("a matrix of a model has no truth value before it runs: use where(condition, yes, no)")

    @property
    def T(self) -> "Matrix":
        """The transposed matrix."""
        return apply("transpose", self)


# The ops that take texts: they compare or choose.
OF_TEXTS = ("equal", "not_equal", "where", "if_error")


def matrix(value: Operand) -> Matrix:
    """A number or text as a 1×1 constant; a Matrix as it is. Raises SheetsimError for anything else."""
    if isinstance(value, Matrix):
        return value
    if not isinstance(value, str):
        try:
            value = float(value)
        except OverflowError:
            raise SheetsimError("a whole number is too large for a cell, which holds 1.8e308 at most") from None
        except Exception:  # what an object answers when it is asked for a number is its own
            raise SheetsimError(
                f"{type(value).__name__} is not a matrix of the model: give arrays to the model with "
                "model.input(name, array)"
            ) from None
    # By its text: 0 and -0 are equal, and NaN is equal to nothing.
    key = (Constant, repr(value))
    node = _EXPRESSIONS.get(key)
    return _EXPRESSIONS.setdefault(key, Matrix(Constant(value), (), (1, 1))) if node is None else node


def apply(name: str, *operands: Operand) -> Matrix:
    """The op `name` of the table on the operands. Raises SheetsimError when their shapes do not fit."""
    op = OPS[name]
    args = tuple(matrix(operand) for operand in operands)
    # Equal arguments are the same nodes, so that equal expressions have equal keys.
    key = (name, *args)
    node = _EXPRESSIONS.get(key)
    if node is not None:
        return node
    if op.arity is not None and len(args) != op.arity:
        raise SheetsimError(f"{name} takes {op.arity} arguments, not {len(args)}")
    if name not in OF_TEXTS and any(
        isinstance(arg.source, Constant) and isinstance(arg.source.value, str) for arg in args
    ):
        raise SheetsimError(f"{name} takes numbers, not text")
    return _EXPRESSIONS.setdefault(key, Matrix(op, args, op.shape(name, [arg.shape for arg in args])))


def exp(x: Operand) -> Matrix:
    """Exponential function, element by element."""
    return apply("exp", x)


def sin(x: Operand) -> Matrix:
    """Sine of an angle in radians, element by element."""
    return apply("sin", x)


def cos(x: Operand) -> Matrix:
    """Cosine of an angle in radians, element by element."""
    return apply("cos", x)


def log(x: Operand) -> Matrix:
    """Natural logarithm, element by element; NaN for negative numbers, minus infinity at 0."""
    return apply("log", x)


def log10(x: Operand) -> Matrix:
    """Logarithm to base 10, element by element; NaN for negative numbers, minus infinity at 0."""
    return apply("log10", x)


def sqrt(x: Operand) -> Matrix:
    """Square root, element by element; NaN for negative numbers."""
    return apply("sqrt", x)


def absolute(x: Operand) -> Matrix:
    """Absolute value, element by element."""
    return apply("absolute", x)


def floor(x: Operand) -> Matrix:
    """Largest whole number that is not above x, element by element."""
    return apply("floor", x)


def ceiling(x: Operand) -> Matrix:
    """Smallest whole number that is not below x, element by element.

    Notes
    -----
    It is −floor(−x): ROUNDUP and CEILING do not take arrays in every spreadsheet program, and INT does.
    """
    return -floor(-matrix(x))


def sigmoid(a: Operand) -> Matrix:
    """Logistic function 1 / (1 + exp(−a)), element by element."""
    return apply("sigmoid", a)


def tanh(a: Operand) -> Matrix:
    """Hyperbolic tangent, element by element."""
    return apply("tanh", a)


def relu(a: Operand) -> Matrix:
    """Rectified linear unit: a where a > 0, else 0, element by element. Its derivative at 0 is 0.

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model()
    >>> a = model.input("a", [[1.5, -2.0, 0.0]])
    >>> z = model.define("z", sheetsim.relu(a))
    >>> model.run()["z"]
    array([[1.5, 0. , 0. ]])
    """
    return apply("relu", a)


def equal(a: Operand, b: Operand) -> Matrix:
    """1 where a equals b, else 0, element by element; both are numbers, or both texts (case does not count).

    `a == b` compares the nodes of the model, not their values.
    """
    return apply("equal", a, b)


def not_equal(a: Operand, b: Operand) -> Matrix:
    """1 where a differs from b, else 0, element by element: the opposite of `equal`."""
    return apply("not_equal", a, b)


def where(condition: Operand, yes: Operand, no: Operand) -> Matrix:
    """Choose between two values, element by element.

    Parameters
    ----------
    condition
        Numbers; every number but 0 counts as true.
    yes, no
        Value where the condition is true, and where it is not. Shapes are broadcast, as in NumPy.

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model()
    >>> demand = model.input("demand", [[80.0], [120.0]])
    >>> sold = model.define("sold", sheetsim.where(demand > 100, 100, demand))
    >>> model.run()["sold"]
    array([[ 80.],
           [100.]])
    """
    return apply("where", condition, yes, no)


def if_error(x: Operand, instead: Operand) -> Matrix:
    """Replace NaN and infinities, which are error values in a sheet.

    Parameters
    ----------
    x
        Numbers.
    instead
        What stands where x is not a finite number. Shapes are broadcast, as in NumPy.
    """
    return apply("if_error", x, instead)


def choose(choice: Matrix, branches: Mapping[str, Operand]) -> Matrix:
    """Choose a branch by the text of a drop-down, as a chain of `where`.

    Parameters
    ----------
    choice
        A drop-down (`Model.choice`), or another 1×1 matrix of text.
    branches
        By text, the expression that is chosen. Only the chosen one is computed.

    Raises
    ------
    SheetsimError
        A branch is missing for an option of the drop-down, or there are others.
    """
    if not isinstance(choice, Matrix) or not isinstance(branches, Mapping) or not branches:
        raise SheetsimError(
            "choose takes a matrix, such as a drop-down, and a mapping of its texts to the values that they choose"
        )
    if isinstance(choice.source, Choice) and set(branches) != set(choice.source.options):
        raise SheetsimError(f"choose: {choice.name} offers {', '.join(choice.source.options)}; give a branch for each")
    *keys, last = branches
    result = matrix(branches[last])
    for key in reversed(keys):
        result = where(equal(choice, key), branches[key], result)
    return result


def row(x: Operand, number: int) -> Matrix:
    """One row of a matrix, 1×n.

    Parameters
    ----------
    x
        Matrix, m×n.
    number
        Number of the row, from 1: an int, fixed when the model is built (`entry` takes computed numbers).

    Raises
    ------
    SheetsimError
        There is no such row.
    """
    checked = matrix(x)
    if not 1 <= number <= checked.shape[0]:
        raise SheetsimError(f"row: {number} is not between 1 and {checked.shape[0]}")
    return apply("row", checked, number)


def column(x: Operand, number: int) -> Matrix:
    """One column of a matrix, m×1.

    Parameters
    ----------
    x
        Matrix, m×n.
    number
        Number of the column, from 1: an int, fixed when the model is built (`entry` takes computed numbers).

    Raises
    ------
    SheetsimError
        There is no such column.
    """
    checked = matrix(x)
    if not 1 <= number <= checked.shape[1]:
        raise SheetsimError(f"column: {number} is not between 1 and {checked.shape[1]}")
    return apply("column", checked, number)


def entry(x: Operand, row: Operand, column: Operand) -> Matrix:
    """Elements of a matrix by computed numbers of row and column (INDEX in a sheet).

    Parameters
    ----------
    x
        Matrix to look up in.
    row, column
        Numbers from 1. Where there is no such element the result is NaN, an error value in a sheet.
    """
    return apply("entry", x, row, column)


def pick(number: Operand, *options: Operand) -> Matrix:
    """Choose one of several single numbers by a computed number (CHOOSE in a sheet).

    Parameters
    ----------
    number
        Number of the option, from 1, 1×1. Where there is no such option the result is NaN, an error value in a sheet.
    *options
        1 to 254 single numbers, 1×1 each.

    Raises
    ------
    SheetsimError
        No option, or more than CHOOSE takes.
    """
    if not 1 <= len(options) <= 254:
        raise SheetsimError(f"pick takes 1 to 254 options, not {len(options)}")
    return apply("pick", number, *options)


def row_count(x: Operand) -> Matrix:
    """Number of rows, 1×1 (ROWS in a sheet)."""
    return apply("row_count", x)


def column_count(x: Operand) -> Matrix:
    """Number of columns, 1×1 (COLUMNS in a sheet)."""
    return apply("column_count", x)


def column_sum(x: Operand) -> Matrix:
    """Sum of each column, 1×n."""
    return apply("column_sum", x)


def column_mean(x: Operand) -> Matrix:
    """Mean of each column, 1×n."""
    checked = matrix(x)
    return column_sum(checked) / float(checked.shape[0])


def column_variance(x: Operand, mean: Matrix | None = None) -> Matrix:
    """Population variance of each column (divided by m), 1×n.

    Parameters
    ----------
    x
        Matrix, m×n.
    mean
        Means of the columns, 1×n, where the model has them already; this saves a second formula.
    """
    checked = matrix(x)
    return column_mean((checked - (column_mean(checked) if mean is None else mean)) ** 2)


def row_sum(x: Operand) -> Matrix:
    """Sum of each row, m×1."""
    return apply("row_sum", x)


def row_log_sum_exp(x: Operand) -> Matrix:
    """log Σ exp(x) of each row, m×1, computed without overflow: exp(x − row_log_sum_exp(x)) is the softmax."""
    return apply("row_log_sum_exp", x)


def softmax(x: Operand) -> Matrix:
    """exp(x) divided by its row's sum: probabilities of classes, a row per sample (Bridle 1990).

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model()
    >>> p = model.define("p", sheetsim.softmax(model.input("logits", [[0.0, 0.0, 1000.0, 1000.0]])))
    >>> model.run()["p"]
    array([[0. , 0. , 0.5, 0.5]])
    """
    logits = matrix(x)
    return exp(logits - row_log_sum_exp(logits))


def row_numbers(x: Operand) -> Matrix:
    """Numbers of the rows, from 1, m×1."""
    return apply("row_numbers", x)


def total(x: Operand) -> Matrix:
    """Sum of all elements, 1×1."""
    return apply("total", x)


def sum_squares(x: Operand) -> Matrix:
    """Sum of the squares of all elements, 1×1."""
    return apply("sum_squares", x)


def mean(x: Operand) -> Matrix:
    """Mean of all elements, 1×1."""
    return apply("mean", x)


def variance(x: Operand) -> Matrix:
    """Population variance of all elements (divided by their number n), 1×1."""
    return apply("variance", x)


def std(x: Operand) -> Matrix:
    """Population standard deviation of all elements (divided by their number n), 1×1."""
    return apply("std", x)


def sample_std(x: Operand) -> Matrix:
    """Standard deviation of a sample (divided by n − 1), 1×1; NaN for a single element."""
    return apply("sample_std", x)


def t_quantile(tails: Operand, freedom: Operand) -> Matrix:
    """Half-width, in standard errors, of a two-sided interval by Student's t (T.INV.2T in a sheet).

    Parameters
    ----------
    tails
        Probability outside of the interval: 0.05 for 95 %.
    freedom
        Degrees of freedom, at least 1.
    """
    return apply("t_quantile", tails, freedom)


def normal_quantile(p: Operand) -> Matrix:
    """Standard normal quantile Φ⁻¹(p), element by element."""
    return apply("normal_quantile", p)


def normal_probability(x: Operand) -> Matrix:
    """Standard normal distribution function Φ(x), element by element."""
    return apply("normal_probability", x)


def beta_quantile(p: Operand, a: Operand, b: Operand) -> Matrix:
    """Quantile of the beta distribution (BETA.INV in a sheet).

    Parameters
    ----------
    p
        Probability, 0 to 1.
    a, b
        Shapes, above 0.
    """
    return apply("beta_quantile", p, a, b)


def skew(x: Operand) -> Matrix:
    """Population skewness m₃ / m₂^1.5 of all elements, 1×1; NaN for a constant matrix."""
    return apply("skew", x)


def kurtosis(x: Operand) -> Matrix:
    """Population excess kurtosis m₄/m₂² − 3, 1×1: 0 for a normal distribution, NaN for a constant matrix."""
    return apply("kurtosis", x)


def inverse(x: Operand) -> Matrix:
    """Inverse of a square matrix; NaN where it is singular."""
    return apply("inverse", x)


def minimum(x: Operand) -> Matrix:
    """Smallest of all elements, 1×1."""
    return apply("minimum", x)


def maximum(x: Operand) -> Matrix:
    """Largest of all elements, 1×1."""
    return apply("maximum", x)


def largest(*numbers: Operand) -> Matrix:
    """Largest of several single numbers, 1×1."""
    # Excel functions take 255 arguments at most.
    while len(numbers) > 255:
        numbers = (*numbers[255:], apply("largest", *numbers[:255]))
    return apply("largest", *numbers)


def quantile(x: Operand, p: Operand) -> Matrix:
    """Quantile of all elements, linear between order statistics, 1×1.

    Parameters
    ----------
    x
        Numbers.
    p
        Probability, 0 to 1.

    Notes
    -----
    It is definition 7 of Hyndman & Fan (1996), the default of NumPy and of Excel's PERCENTILE. It has no derivative.
    """
    return apply("quantile", x, p)


def frequency(x: Operand, edges: Matrix) -> Matrix:
    """Counts of numbers in bins (FREQUENCY in a sheet), (n + 1)×1.

    Parameters
    ----------
    x
        Numbers.
    edges
        Rising edges e₁ … eₙ, n×1. The bins are x ≤ e₁, e₁ < x ≤ e₂, …, x > eₙ.
    """
    return apply("frequency", x, edges)
