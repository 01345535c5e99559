"""Computes matrices with NumPy: one run of a graph. It knows no spreadsheet.

Only what the targets need is computed; of a choice, only the chosen branch; and a value that is no target is dropped
after its last use, so that a summary of a wide network holds two layers at a time.
"""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import stream
from sheetsim.model.expr import Choice, Constant, Data, Draw, Matrix
from sheetsim.model.ops import OPS, Op

Values = dict[Matrix, Any]


def evaluate(targets: Iterable[Matrix]) -> Values:
    """The values of the targets as 2-D arrays: float64, or text for choices and verdicts.

    Overflow and division by zero give infinity and NaN, as they give error values in a sheet; what is computed from
    them is NaN.
    """
    wanted = list(dict.fromkeys(targets))
    order, live = _plan(wanted)
    _check_memory(order)
    uses = Counter(arg for node in order for arg in live[node])
    uses.update(wanted)
    values: Values = {}
    infinite: set[Matrix] = set()
    with np.errstate(all="ignore"):
        for node in order:
            args = [_undefined(values[arg]) if arg in infinite else values[arg] for arg in live[node]]
            values[node] = _value(node, args, len(node.args) != len(live[node]))
            if _is_infinite(values[node]):
                infinite.add(node)
            for arg in live[node]:
                uses[arg] -= 1
                if not uses[arg]:
                    del values[arg]
    return {node: values[node] for node in wanted}


def _is_infinite(value: Any) -> bool:
    # A sum is fast, and finite only where all of its terms are.
    return value.dtype.kind == "f" and not np.isfinite(value.sum()) and bool(np.isinf(value).any())


def _undefined(value: Any) -> Any:
    """NaN for infinities: to a sheet they are errors, and lead back to no number, as 1/inf or the relu of -inf do."""
    return np.where(np.isinf(value), np.nan, value)


def _check_memory(nodes: Iterable[Matrix]) -> None:
    """Refuses a matrix that alone is larger than the machine's memory, before time is spent on the others."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    for node in nodes:
        rows, columns = node.shape
        if 8 * rows * columns > memory:
            size = f"{rows:,} × {columns:,} numbers"
            raise SheetsimError(f"{node.name or 'a matrix'} has {size}, more than this machine's memory holds")


def _value(node: Matrix, args: list[Any], chosen: bool) -> Any:
    source = node.source
    if isinstance(source, Op):
        # Of a choice only the branch is left, and it may be narrower than what it stands for.
        result = args[0] if chosen else source.numpy(*args)
        return result if result.shape == node.shape else np.broadcast_to(result, node.shape)
    if isinstance(source, Draw):
        return source.distribution.sample(stream(source.seed, source.stream), node.shape)
    if isinstance(source, Data):
        return source.values
    return np.array([[source.value]])


def _plan(targets: list[Matrix]) -> tuple[list[Matrix], dict[Matrix, tuple[Matrix, ...]]]:
    """Nodes in an order in which arguments come first, and each one's arguments that are really used.

    A loop and not a recursion: a series is thousands of steps deep.
    """
    order: list[Matrix] = []
    live: dict[Matrix, tuple[Matrix, ...]] = {}
    done: set[Matrix] = set()
    stack = list(reversed(targets))
    while stack:
        node = stack[-1]
        if node not in live:
            live[node] = _live_args(node)
            stack.extend(reversed(live[node]))
            continue
        stack.pop()
        if node not in done:
            done.add(node)
            order.append(node)
    return order, live


def _live_args(node: Matrix) -> tuple[Matrix, ...]:
    """A `where` that asks what a drop-down says needs one branch; everything else needs all its arguments."""
    if node.source is OPS["where"]:
        condition, yes, no = node.args
        if condition.source is OPS["equal"]:
            asked, answer = condition.args
            if isinstance(asked.source, Choice) and isinstance(answer.source, Constant):
                return (yes if asked.source.value == answer.source.value else no,)
    return node.args
