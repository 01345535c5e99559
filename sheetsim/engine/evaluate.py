"""Computes matrices with NumPy: one run of a graph, or many with other seeds. It knows no spreadsheet.

Only what the targets need is computed; of a choice, only the chosen branch; and a value that is no target is dropped
after its last use, so that a summary of a wide network holds two layers at a time.
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from sheetsim.engine.blas import one_thread
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Choice, Constant, Data, Matrix, Outcome, Routine, Slot, Stack
from sheetsim.model.op import OPS, Array, Op
from sheetsim.model.op_table import is_finite
from sheetsim.model.sampling import Draw
from sheetsim.model.traversal import topological

Values = dict[Matrix, Array]


class Program:
    """Targets, planned once and computed as often as asked: with another seed, or from other values of `given`.

    given: matrices whose values come with each call; what they are made of is then not computed. Their values may have
    other numbers of rows than the matrices: a block of the samples.
    chosen: what drop-downs say instead of what the model's do.
    """

    def __init__(
        self, targets: Iterable[Matrix], given: Iterable[Matrix] = (), chosen: Mapping[Matrix, str] | None = None
    ) -> None:
        _keep_freed_memory()
        self._wanted = list(dict.fromkeys(targets))
        self._given = frozenset(node.expression for node in given)
        self._chosen = chosen or {}
        self._live: dict[Matrix, tuple[Matrix, ...]] = {}
        self._order = topological((node.expression for node in self._wanted), self._live_args)
        uses = Counter(arg for node in self._order for arg in self._live[node])
        uses.update(node.expression for node in self._wanted)
        self._uses = dict(uses)
        self._is_checked = False

    @property
    def order(self) -> Sequence[Matrix]:
        """The expressions to compute, arguments first."""
        return self._order

    @property
    def live(self) -> Mapping[Matrix, tuple[Matrix, ...]]:
        """The arguments that each of them really uses, as expressions: of a choice by a drop-down one branch."""
        return self._live

    def _live_args(self, node: Matrix) -> tuple[Matrix, ...]:
        """The arguments that are really used, as expressions: equal ones are computed once."""
        args = () if node in self._given else self._used(node)
        self._live[node] = tuple(arg.expression for arg in args)
        return self._live[node]

    def _used(self, node: Matrix) -> tuple[Matrix, ...]:
        """A `where` that asks what a drop-down says needs one branch; everything else needs all its arguments."""
        if node.source is OPS["where"]:
            condition, yes, no = node.args
            if condition.source is OPS["equal"]:
                asked, answer = condition.args
                if isinstance(asked.source, Choice) and isinstance(answer.source, Constant):
                    return (yes if self._text(asked, asked.source) == answer.source.value else no,)
        return node.args

    def _text(self, node: Matrix, choice: Choice) -> str:
        return self._chosen.get(node, choice.value)

    def __call__(self, given: Values | None = None, *, seed: int | None = None) -> Values:
        """The targets' values, as `evaluate` gives them; `seed` takes the place of the graph's in every draw."""
        with one_thread(), np.errstate(all="ignore"):
            return self.computed(given or {}, seed)

    def computed(self, given: Values, seed: int | None = None) -> Values:
        """The same within `one_thread` and `numpy.errstate(all="ignore")`: to enter them takes time."""
        given = {node.expression: value for node, value in given.items()}
        whole = all(value.shape == node.shape for node, value in given.items())
        if whole and not self._is_checked:
            _check_memory(self._order)
            self._is_checked = True
        uses = self._uses.copy()
        values: Values = {}
        infinite: set[Matrix] = set()
        drawn: dict[Any, Any] = {}
        for node in self._order:
            args = self._live[node]
            chosen = node not in self._given and len(node.args) != len(args)
            if node in self._given:
                values[node] = given[node]
            else:
                # A series computes nothing: its steps are the same cells.
                spoiled = infinite if not isinstance(node.source, Stack) else ()
                numbers = [_infinities_as_nan(values[arg]) if arg in spoiled else values[arg] for arg in args]
                value = _value(node, numbers, chosen, seed, drawn)
                # Of a choice only the branch is left, and it may be narrower than what it stands for.
                values[node] = np.broadcast_to(value, node.shape) if whole and value.shape != node.shape else value
            # A chosen branch has been looked at.
            bounded = chosen or (isinstance(node.source, Op) and node.source.never_overflows)
            if not bounded and _is_infinite(values[node]):
                infinite.add(node)
            for arg in args:
                uses[arg] -= 1
                if not uses[arg]:
                    del values[arg]
        return {node: values[node.expression] for node in self._wanted}


def evaluate(targets: Iterable[Matrix], given: Values | None = None) -> Values:
    """The values of the targets as 2-D arrays: float64, or text for choices and verdicts.

    given: values of some matrices, in place of their own.

    Overflow and division by zero give infinity and NaN, as they give error values in a sheet; what is computed from
    them is NaN.
    """
    given = given or {}
    chosen = {node: str(value.item()) for node, value in given.items() if isinstance(node.source, Choice)}
    return Program(targets, given, chosen)(given)


@cache
def _keep_freed_memory() -> None:
    """Lets matrices up to 32 MB take the place of those that were freed, of which up to 64 MB are kept.

    glibc else hands a freed matrix back to the system, and the page faults of the next one take longer than arithmetic
    on it. Its limits follow the largest block that was freed, 32 MB at most; one that is never written costs nothing.
    """
    np.empty((1 << 25) - (1 << 16), np.uint8)


def _is_infinite(value: Array) -> bool:
    return value.dtype.kind == "f" and not is_finite(value) and bool(np.isinf(value).any())


def _infinities_as_nan(value: Array) -> Array:
    """NaN for infinities: to a sheet they are errors, and lead back to no number, as 1/inf or the relu of -inf do."""
    return np.where(np.isinf(value), np.nan, value)


@cache
def _memory() -> float:
    """The machine's memory in bytes, infinite where it is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def _check_memory(nodes: Iterable[Matrix]) -> None:
    """Refuses a matrix that alone is larger than the machine's memory, before time is spent on the others."""
    memory = _memory()
    for node in nodes:
        rows, columns = node.shape
        if 8 * rows * columns > memory:
            size = f"{rows:,} × {columns:,} numbers"
            raise SheetsimError(f"{node.name or 'a matrix'} has {size}, more than this machine's memory holds")


def _value(node: Matrix, args: list[Array], chosen: bool, seed: int | None, drawn: dict[Any, Any]) -> Array:
    """drawn: numbers that others are correlated with, and what trainings gave, which are made once."""
    source = node.source
    if isinstance(source, Op):
        return args[0] if chosen else source.numpy(*args)
    if isinstance(source, Routine):
        return source.function(*args)
    if isinstance(source, Draw):
        return source.sample(node.shape, seed, drawn)
    if isinstance(source, Data):
        return source.values if seed is None else source.with_seed(seed)
    if isinstance(source, Stack):
        return np.concatenate(args)
    if isinstance(source, Outcome):
        from sheetsim.engine.training import outcomes, part_of  # which compute by programs

        if source.training not in drawn:
            drawn[source.training] = outcomes(source.training, seed)
        return part_of(source.training, drawn[source.training], source.part)
    if isinstance(source, Slot):
        raise SheetsimError(f"{node.name} has a value only during training: use it only in the loss")
    return np.array([[source.value]])
