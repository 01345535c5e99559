"""A graph of named matrices: what a person builds a model with. It computes no value and writes no file."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from sheetsim import arguments
from sheetsim.errors import SheetsimError
from sheetsim.model.cell_families import CellDistribution
from sheetsim.model.correlated_inputs import partners_of
from sheetsim.model.draws import LIVE, Distribution, as_distribution, check_seed
from sheetsim.model.expr import (
    KINDS,
    NUMBER,
    Choice,
    Data,
    DataOfSeed,
    Draw,
    Matrix,
    Routine,
    Source,
    apply,
    column_count,
    row_count,
)
from sheetsim.model.hdr import check_hdr, entity_of
from sheetsim.model.initializers import SCHEMES, Initializer
from sheetsim.model.op import Array, Shape
from sheetsim.model.packing import packed, unpacked
from sheetsim.model.redraw import Redrawn, redrawn_in
from sheetsim.model.sampling import as_correlation, check_design, check_legacy
from sheetsim.model.series import MOST_STEPS, Series, SeriesStep, check_columns, unrolled
from sheetsim.model.training import Batches, TrainedModel, batches, train
from sheetsim.model.update_rules import Optimizer

NAME = re.compile(r"[^\W\d][\w.]*\Z")

# What the two other matrices of `Graph.weights` are.
DRAWS_OF_WEIGHTS = "standard draws of the weights, fan-in × fan-out"
SD_OF_WEIGHTS = "standard deviation of the weights, by the initializer"


class Output(NamedTuple):
    """A matrix whose rows are trials and whose columns are quantities.

    Attributes
    ----------
    matrix
        The numbers, trials × quantities.
    unit
        Their unit, for people.
    what
        Their meaning, for people.
    columns
        Names of the quantities; none for 1, 2, 3, …
    log
        Whether the share of trials above a number is drawn on a scale of powers of ten.
    """

    matrix: Matrix
    unit: str = ""
    what: str = ""
    columns: tuple[str, ...] = ()
    log: bool = False


class Graph:
    """Named matrices in the order in which they were named.

    Parameters
    ----------
    seed
        Every draw of the graph comes from this number.
    draws
        "pcg64", a stream for each matrix by its name; or "mt19937", all matrices one after another, in the order in
        which they are named, from one run of NumPy's legacy generator: the numbers of a script that seeds
        `numpy.random.RandomState(seed)` and calls `randn` for each. Those are normal draws only, of seeds below 2**32.
        Or "hdr", a stream for each matrix of HDR 2.0, which spreadsheets compute too: normal and uniform draws only.
        "live" has the numbers of pcg64, and matrices that a drop-down draws otherwise (`redrawn`): of studies, whose
        books show them.
    redraw
        With draws "live", a seed for which the drop-down stands at “seeded” from the start.

    Attributes
    ----------
    meanings
        By name, the meaning of a matrix in a person's words, where one was given (`what`). It is not part of the
        matrix: equal expressions are one node, whatever their name.

    Raises
    ------
    SheetsimError
        The seed or the generator is not one of these.
    """

    def __init__(self, *, seed: int = 0, draws: str = "pcg64", redraw: int | None = None) -> None:
        check_seed(seed, draws)
        self.redraw = redraw
        self.seed: int = int(seed)
        self.draws = draws
        self.outputs: dict[str, Output] = {}
        self.meanings: dict[str, str] = {}
        self._drawn = 0
        self.redrawn: list[Redrawn] = []
        self._entities: dict[int, str] = {}
        self._matrices: dict[str, Matrix] = {}
        self._folded: set[str] = set()
        self._steps: set[Matrix] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Nodes as a list: see `packing`.
        records, places = packed([*self._matrices.values(), *self._steps])
        named = {name: places[node] for name, node in self._matrices.items()}
        steps = sorted(places[node] for node in self._steps)
        outputs = {name: output._replace(matrix=places[output.matrix]) for name, output in self.outputs.items()}  # type: ignore[arg-type]
        state = {"_matrices": named, "_folded": sorted(self._folded), "_steps": steps, "outputs": outputs}
        return self.__dict__ | state | {"_nodes": records}

    def __setstate__(self, state: dict[str, Any]) -> None:
        nodes = unpacked(state.pop("_nodes"))
        self.__dict__.update(state)
        self._matrices = {name: nodes[place] for name, place in state["_matrices"].items()}
        self._folded = set(state["_folded"])
        self._steps = {nodes[place] for place in state["_steps"]}
        self.outputs = {name: output._replace(matrix=nodes[output.matrix]) for name, output in state["outputs"].items()}

    def __getitem__(self, name: str) -> Matrix:
        try:
            return self._matrices[name]
        except (KeyError, TypeError):
            raise SheetsimError(
                f"no matrix {arguments.said(name)}: the model has {', '.join(self._matrices) or 'none'}"
            ) from None

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._matrices

    def __iter__(self) -> Iterator[Matrix]:
        return iter(self._matrices.values())

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not NAME.match(name):
            raise SheetsimError(
                f"{arguments.said(name)} is not a valid name: use letters, digits, _ and ., and begin with a letter "
                "or _"
            )
        # Defined names of a workbook ignore case.
        if name.casefold() in self._folded:
            raise SheetsimError(f"the name {name!r} is already taken (names ignore case)")

    def _named(self, node: Matrix, what: str) -> None:
        """Takes a node in, by its name, and what it is."""
        name = str(node.name)
        self._check_name(name)
        if arguments.text(f"{name}: what", what):
            self.meanings[name] = what
        self._folded.add(name.casefold())
        self._matrices[name] = node

    def _leaf(self, name: str, source: Source, shape: Shape, what: str) -> Matrix:
        node = Matrix(source, (), shape, name)
        self._named(node, what)
        return node

    def input(
        self,
        name: str,
        values: Any,
        shape: Shape | None = None,
        *,
        sampling: str = "random",
        correlation: Any = None,
        at_least: float | None = None,
        what: str = "",
    ) -> Matrix:
        """Add an input: draws of a distribution, or given numbers.

        Parameters
        ----------
        name
            Name of the matrix: letters, digits, `_` and `.`, no digit first.
        values
            A distribution of this package, a frozen one of scipy.stats, or numbers: anything that is a 2-D array. A
            list or 1-D array is a row, a Series of pandas a column; columns of a DataFrame keep their names.
        shape
            Rows × columns of draws; rows are trials or samples.
        sampling
            Design of the draws: `random`, `antithetic`, `lhs` or `sobol`.
        correlation
            Of the columns: a number for all pairs, or a matrix, columns × columns (of the normal scores, a Gaussian
            copula). Of a single column also rank correlations with earlier inputs, `{name or matrix: number}`.
        at_least
            Smallest number that the workbook takes in the cells of given numbers; pasted numbers are not checked.
        what
            Meaning of the matrix in words, which the workbook's sheet About shows.

        Returns
        -------
        Matrix
            The input. Where parameters of the distribution are cells, the draws are a leaf `e_NAME` (standard normal)
            or `u_NAME` (uniform between 0 and 1), and the input is a formula of the draws and the cells.

        Raises
        ------
        SheetsimError
            The name is taken, the shape is missing, numbers are not finite or too small, or draws of this shape cannot
            have the design or the correlation.
        """
        self._check_name(name)
        least = None if at_least is None else arguments.number(f"{name}: at_least", at_least)
        bounded = f"{name}: at_least is for given numbers: draw from truncated(…, low={at_least}) instead"
        if isinstance(values, CellDistribution):
            if least is not None:
                raise SheetsimError(bounded)
            leaf = f"{values.prefix}{name}"
            draws = self.input(leaf, values.draws, shape, sampling=sampling, correlation=correlation)
            formula = values.formula(draws, lambda prefix, node, said: self.define(f"{prefix}{name}", node, what=said))
            return self.define(name, formula, what=what)
        try:
            distribution = as_distribution(values)
        except SheetsimError as error:
            raise SheetsimError(f"{name}: {error}") from None
        if distribution is not None:
            if least is not None:
                raise SheetsimError(bounded)
            shape = arguments.shape(f"{name}: draws", shape)
            try:
                check_design(sampling, *shape)
            except SheetsimError as error:
                raise SheetsimError(f"{name}: {error}") from None
            return self._draws(name, distribution, shape, sampling, correlation, what)
        if sampling != "random" or correlation is not None:
            raise SheetsimError(f"{name}: sampling and correlation apply to distributions, not to given numbers")
        array = _finite_table(name, values)
        if shape is not None and array.shape != (shape := arguments.shape(f"{name}: numbers", shape)):
            raise SheetsimError(f"{name}: the values are {array.shape[0]}×{array.shape[1]}, not {shape[0]}×{shape[1]}")
        if least is not None and array.min() < least:
            raise SheetsimError(f"{name}: {array.min():g} is less than {least:g}")
        return self._leaf(name, Data(array, least, _headings(values)), array.shape, what)

    def _draws(
        self, name: str, distribution: Distribution, shape: Shape, design: str, correlation: Any, what: str
    ) -> Matrix:
        self._check_name(name)
        rows, columns = shape
        legacy = self.draws == "mt19937"
        # Draws that are all 1 are no random numbers.
        by_hdr = self.draws in ("hdr", LIVE) and distribution.name != "ones"
        try:
            ranked = isinstance(correlation, Mapping)
            partners = partners_of(self._matrices, correlation, shape) if ranked else ()
            mixing = None if correlation is None or ranked else as_correlation(correlation, columns)
            if legacy:
                check_legacy(distribution, design, mixing, partners)
            if by_hdr:
                check_hdr(distribution, design == "random" and mixing is None and not partners)
                other = self._entities.setdefault(entity_of(name), name)
                if other != name:
                    raise SheetsimError(
                        f"with draws hdr it has by chance the same stream as {other}: choose another name"
                    )
        except SheetsimError as error:
            raise SheetsimError(f"{name}: {error}") from None
        before = self._drawn if legacy else None
        source = Draw(
            distribution, self.seed, name, design, mixing, before, partners, hdr=by_hdr and self.draws != LIVE
        )
        self._drawn += rows * columns
        if by_hdr and self.draws == LIVE:
            return redrawn_in(self, name, source, (rows, columns), what)
        return self._leaf(name, source, (rows, columns), what)

    def results(self, name: str, values: Array, *, what: str = "") -> Matrix:
        """Add numbers that were computed before.

        Parameters
        ----------
        name
            Name of the matrix.
        values
            2-D float64 array, which is not copied. NaN and infinities are error values in the workbook.
        what
            Meaning in words, as of `input`.
        """
        return self._leaf(name, Data(values), values.shape, what)

    def routine(self, name: str, routine: Routine, args: Sequence[Matrix], shape: Shape, *, what: str = "") -> Matrix:
        """Add what NumPy computes of other matrices and no formula does: constants in the workbook.

        Parameters
        ----------
        name
            Name of the matrix.
        routine
            The function, with its name for messages.
        args
            Matrices that it takes.
        shape
            Shape of what it gives.
        what
            Meaning in words, as of `input`.

        Raises
        ------
        SheetsimError
            The name is taken.
        """
        node = Matrix(routine, tuple(args), shape, name)
        self._named(node, what)
        return node

    def take(self, leaf: Matrix, *, what: str = "") -> Matrix:
        """Add a named leaf that was made elsewhere, such as the result of a training.

        Raises
        ------
        SheetsimError
            The name is taken.
        """
        self._named(leaf, what)
        return leaf

    def of_seed(self, name: str, make: Callable[[int], Array], *, what: str = "") -> Matrix:
        """Add numbers that a function makes from the seed; replicates make them again with their own seeds.

        Parameters
        ----------
        name
            Name of the matrix.
        make
            Function of a seed that gives a 2-D float64 array, of one shape for all seeds.
        what
            Meaning in words, as of `input`.
        """
        source = DataOfSeed(make, self.seed)
        return self._leaf(name, source, source.values.shape, what)

    def choice(self, name: str, options: Sequence[str], value: str, *, what: str = "") -> Matrix:
        """Add a text of a list: a drop-down in the workbook.

        Parameters
        ----------
        name
            Name of the cell.
        options
            The texts to choose from.
        value
            The chosen one.
        what
            Meaning in words, as of `input`.

        Raises
        ------
        SheetsimError
            The value is not on the list.
        """
        self._check_name(name)
        options = [arguments.text(f"{name}: an option", option) for option in arguments.listed(name, options, "texts")]
        if not isinstance(value, str) or value not in options:
            raise SheetsimError(f"{name}: {arguments.said(value)} is not one of {', '.join(options)}")
        return self._leaf(name, Choice(tuple(options), value), (1, 1), what)

    def weights(self, name: str, initializer: Initializer | str, shape: Shape, *, what: str = "") -> Matrix:
        """Add weights W = sd · e: three named matrices, `W_1`, its standard deviation `sd_1` and draws `e_1`.

        Parameters
        ----------
        name
            Name of the weights, such as `W_1`.
        initializer
            `he()`, `glorot()` and the like, or the name of a scheme, such as "he".
        shape
            fan-in × fan-out: rows are inputs, columns are units.
        what
            Meaning of the weights in words, as of `input`.

        Raises
        ------
        SheetsimError
            The initializer is unknown, or a name is taken.
        """
        if isinstance(initializer, str) and initializer in SCHEMES:
            initializer = SCHEMES[initializer]
        if not isinstance(initializer, Initializer):
            raise SheetsimError(f"{name}: the initializer must be he() or one of {', '.join(SCHEMES)}")
        self._check_name(name)
        tail = name.removeprefix("W_")
        shape = arguments.shape(f"e_{tail}: draws", shape)
        e = self._draws(
            f"e_{tail}", initializer.draws, shape, initializer.design, None, DRAWS_OF_WEIGHTS if what else ""
        )
        sd = self.define(
            f"sd_{tail}", initializer.sd(row_count(e), column_count(e)), what=SD_OF_WEIGHTS if what else ""
        )
        return self.define(name, sd * e, what=what)

    def define(self, name: str, expression: Any, *, kind: str = NUMBER, what: str = "") -> Matrix:
        """Give an expression a name, and cells of its own, which other formulas refer to.

        Parameters
        ----------
        name
            Name of the matrix.
        expression
            Expression of matrices of the model, or a number.
        kind
            How other engines' results are compared: "count" must agree exactly; "rounding" may be rounding error only,
            so each number is compared with itself; a "number" is compared relative to the matrix's largest.
        what
            Meaning in words, as of `input`.

        Raises
        ------
        SheetsimError
            The name is taken, or the expression has a name already.
        """
        arguments.one_of(f"{name}: kind", kind, KINDS)
        if isinstance(expression, str):
            raise SheetsimError(
                f"{name}: a text is not a matrix; a drop-down is made with model.choice(name, options, value)"
            )
        node = expression if isinstance(expression, Matrix) else apply("add", expression, 0.0)
        if node in self._steps:
            raise SheetsimError(
                f"{name}: this matrix is already a step of a series; define an expression of it, such as a + 0"
            )
        if node.name is not None or not node.is_op:
            raise SheetsimError(
                f"{name}: this matrix already has the name {node.name!r}; define an expression of it, such as a + 0"
            )
        named = node.placed(name, kind)
        self._named(named, what)
        return named

    def output(
        self,
        name: str,
        expression: Any,
        *,
        unit: str = "",
        what: str = "",
        columns: Sequence[str] = (),
        log: bool = False,
    ) -> Matrix:
        """Declare an output: its rows are trials, its columns quantities.

        The run gives its summary, percentiles, risk numbers and histogram; replicates, sweeps and sensitivity observe
        it.

        Parameters
        ----------
        name
            Name of the matrix. A matrix that has this name already is taken as it is.
        expression
            Expression of matrices of the model.
        unit
            Unit of the numbers, for people.
        what
            Meaning of the numbers, for people.
        columns
            A name for each quantity, where there are several.
        log
            Whether the share of trials above a number is drawn on a scale of powers of ten.

        Raises
        ------
        SheetsimError
            The name is taken, there is a single trial only, or names do not fit the columns.
        """
        text = arguments.text(f"{name}: unit", unit), arguments.text(f"{name}: what", what)
        arguments.flag(f"{name}: log", log)
        is_named = isinstance(expression, Matrix) and expression.name is not None and expression.name == name
        if not isinstance(expression, Matrix):
            kind = type(expression).__name__
            raise SheetsimError(f"{name}: an output must be a matrix of the model with one row per trial, not {kind}")
        if expression.shape[0] < 2:
            rows, count = expression.shape
            raise SheetsimError(f"{name}: an output needs one row per trial and at least 2 rows, not {rows}×{count}")
        headings = tuple(arguments.listed(f"{name}: columns", columns, "texts"))
        check_columns(name, headings, expression.shape[1])
        if is_named and self._matrices.get(name) is not expression:
            raise SheetsimError(f"{name}: this matrix is of another model")
        node = expression if is_named else self.define(name, expression, what=what)
        self.outputs[name] = Output(node, *text, headings, log)
        return node

    def batches(self, data: Mapping[str, Matrix], size: int, *, order: str = "epochs") -> Batches:
        """Rows of given numbers for each step of a training: `batches["x"]` stands for those of `data["x"]`.

        Parameters
        ----------
        data
            By name, inputs of given numbers with one number of rows.
        size
            Rows of a batch.
        order
            "epochs" goes through all rows in a new order each time, and leaves out a rest that is smaller than a batch;
            "random" draws each batch again, without a row twice; "fixed" takes the first rows at every step.

        Raises
        ------
        SheetsimError
            The size or the order is not possible.
        """
        for name, node in data.items():
            if not isinstance(node, Matrix) or not isinstance(node.source, Data):
                raise SheetsimError(f"batches: {name} is not an input of given numbers")
        arguments.whole("batches: size", size, 1)
        return batches(data, size, order)

    def train(
        self,
        loss: Matrix,
        parameters: Sequence[Matrix],
        optimizer: Optimizer,
        batches: Batches | None = None,
        *,
        steps: int,
        record: Mapping[str, Matrix] | None = None,
        every: int = 1,
        seeds: int = 1,
        name: str = "training",
    ) -> TrainedModel:
        """Train parameters, from their values in the model; the results are matrices of the model.

        Parameters
        ----------
        loss
            1×1 expression of the parameters and of the rows that `batches` stands for.
        parameters
            Named matrices that are trained.
        optimizer
            Rule and its numbers.
        batches
            Rows that each step takes; none where the loss uses whole data.
        steps
            Number of steps.
        record
            By name, expressions of the parameters (and of whole data) that are kept before the first step, after each
            `every` steps and after the last.
        every
            Steps from one record to the next.
        seeds
            Number of runs, each with its own draws and order.
        name
            Name of the training. Its matrices are `NAME_loss` (steps × runs), `NAME_KEY` of each record, and `W_NAME`
            of a parameter W after the last step.

        Raises
        ------
        SheetsimError
            The loss does not depend on a parameter, or a number is not possible.
        """
        self._check_name(name)
        made = train(
            name,
            loss,
            parameters,
            optimizer,
            batches,
            steps=steps,
            seed=self.seed,
            record=record or {},
            every=every,
            seeds=seeds,
        )
        self.take(made.loss, what="the loss of each step (rows) and run (columns)")
        for key in record or {}:
            self.take(made[key], what=f"{key} by recorded step")
        for parameter in parameters:
            self.take(made.trained(parameter), what=f"{parameter.name} after the last step of the first run")
        return made

    @overload
    def series(
        self,
        name: str,
        start: Any,
        step: Callable[[Matrix, int], Any],
        steps: int,
        *,
        columns: Sequence[str] = ...,
        what: str = ...,
    ) -> Series: ...

    @overload
    def series(
        self,
        name: Mapping[str, Any],
        *,
        step: SeriesStep,
        steps: int,
        columns: Mapping[str, Sequence[str]] = ...,
        what: Mapping[str, str] = ...,
    ) -> dict[str, Series]: ...

    def series(
        self,
        name: str | Mapping[str, Any],
        start: Any = None,
        step: Callable[[Any, int], Any] | None = None,
        steps: int = 0,
        *,
        columns: Any = (),
        what: Any = "",
    ) -> Series | dict[str, Series]:
        """Matrices by step, each computed from the step before: a named block of the workbook with a row per step.

        One series: `series("h", h_0, lambda h, t: tanh(h @ W), steps=20)`. Several that step together:
        `series({"p": p_0, "m": m_0}, step=f, steps=30)`, where f(previous, t) takes and returns matrices by name.

        Parameters
        ----------
        name
            Name of the series; or starts by name, for several series.
        start
            Step 0: a matrix of the model, or numbers (input cells of the sheet). An r×n matrix takes r rows a step.
        step
            Function of the step before and of t, from 1. Names that it returns and that have no start, such as a
            gradient or a loss, are series from step 1. Everything else that it computes is written into the formulas
            that use it.
        steps
            Number of steps.
        columns
            Headings of the columns; by name where there are several series.
        what
            Meaning in words, as of `input`; by name where there are several series.

        Returns
        -------
        Series or dict
            The series, or all by name.

        Raises
        ------
        SheetsimError
            A name is taken, a step has another shape or other names, or headings do not fit.
        """
        steps = arguments.whole("steps", steps, 1, MOST_STEPS)
        if step is None:
            raise SheetsimError("a series needs step, a function of the previous matrix and the number of the step")
        if not isinstance(name, Mapping):
            self._check_name(name)
            one = arguments.function("the step of a series", step)
            return self._series(
                {name: start}, lambda previous, t: {name: one(previous[name], t)}, steps, {name: columns}, {name: what}
            )[name]
        if not isinstance(columns, Mapping) and len(arguments.listed("columns", columns, "texts")):
            raise SheetsimError("columns: with several series, give a mapping of their names to headings")
        if not isinstance(what, Mapping) and what != "":
            raise SheetsimError("what: with several series, give a mapping of their names to descriptions")
        arguments.function("the step of a series", step)
        by_name = (given if isinstance(given, Mapping) else {} for given in (columns, what))
        return self._series(name, step, steps, *by_name)

    def _series(
        self,
        start: Mapping[str, Any],
        step: SeriesStep,
        steps: int,
        columns: Mapping[str, Sequence[str]],
        what: Mapping[str, str],
    ) -> dict[str, Series]:
        for name in start:
            self._check_name(name)
        begun = {name: self._cells(self._start(name, values)) for name, values in start.items()}
        nodes_by_name = unrolled(begun, step, steps, self._cells)
        for key, given in (("columns", columns), ("what", what)):
            unknown = [name for name in given if name not in nodes_by_name]
            if unknown:
                raise SheetsimError(f"{key}: no series {unknown[0]!r}; there are {', '.join(nodes_by_name)}")
        return {
            name: self._stack(name, nodes, columns.get(name, ()), 0 if name in start else 1, what=what.get(name, ""))
            for name, nodes in nodes_by_name.items()
        }

    def stacked(
        self,
        name: str,
        matrices: Iterable[Any],
        columns: Sequence[str] = (),
        *,
        first: int = 0,
        kind: str = NUMBER,
        what: str = "",
    ) -> Series:
        """A series of matrices that exist already, such as gradients with respect to each step of another series.

        Parameters
        ----------
        name
            Name of the series.
        matrices
            One for each step, of one shape.
        columns
            Headings of the columns.
        first
            Number of the first step.
        kind
            As of `define`.
        what
            Meaning in words, as of `input`.

        Raises
        ------
        SheetsimError
            There is no matrix, or shapes differ.
        """
        self._check_name(name)
        arguments.whole(f"{name}: first", first)
        nodes = [self._cells(node) for node in arguments.listed(name, matrices, "matrices")]
        arguments.one_of(f"{name}: kind", kind, KINDS)
        return self._stack(name, nodes, columns, first, kind, what=what)

    def _stack(
        self, name: str, steps: Sequence[Matrix], columns: Sequence[str], first: int, kind: str = NUMBER, *, what: str
    ) -> Series:
        if len({node.shape for node in steps}) != 1:
            raise SheetsimError(f"{name}: a series needs one or more matrices, all of the same shape")
        check_columns(name, columns, steps[0].shape[1])
        series = Series(name, steps, columns, first, kind)
        self._named(series, what)
        return series

    def _start(self, name: str, values: Any) -> Matrix:
        if isinstance(values, Matrix):
            return values
        array = _finite_table(name, values)
        return Matrix(Data(array), (), array.shape)

    def _cells(self, value: Any) -> Matrix:
        """The value as a matrix with cells of its own: what has some already is referred to by another formula."""
        unplaced = isinstance(value, Matrix) and value.name is None and value not in self._steps
        if not (unplaced and (value.is_op or isinstance(value.source, Data))):
            value = apply("add", value, 0.0)
        node: Matrix = value.placed(None) if value.is_op else value
        self._steps.add(node)
        return node


def _headings(values: Any) -> tuple[str, ...]:
    """The names of a DataFrame's columns, where they are texts."""
    names = tuple(getattr(values, "columns", ()))
    return names if np.ndim(values) == 2 and all(isinstance(name, str) for name in names) else ()


def _finite_table(name: str, values: Any) -> Array:
    """The values as a 2-D array. Raises SheetsimError for what is not a table of finite numbers."""
    try:
        # A copy: numbers that changed behind the model would change its results.
        array = np.array(values, dtype=np.float64, order="C", ndmin=2)
        # A Series of pandas, Polars and the like is a column of a table; ndmin makes it a row.
        if np.ndim(values) == 1 and hasattr(values, "to_frame"):
            array = array.T.copy()
    except Exception:  # an object's own conversion may raise anything
        raise SheetsimError(f"{name}: the values are not a table of numbers") from None
    if array.ndim != 2 or array.size == 0:
        raise SheetsimError(f"{name}: a matrix has two dimensions of at least 1, not {np.shape(values)}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        r, c = wrong[0]
        raise SheetsimError(f"{name}: row {r + 1}, column {c + 1} is {array[r, c]}, not a finite number")
    return array
