"""Gradients as more matrices of the same model: a rule of the op table turned backward. It computes no value.

The derivative is a column of the op table that stands here, as `ops.py` builds no expression: DERIVATIVES has a row for
each op of TABLE, which a test holds them to.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeAlias

from sheetsim.arguments import listed, said
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import (
    Choice,
    Constant,
    Matrix,
    Stack,
    column_sum,
    equal,
    if_error,
    log,
    matrix,
    mean,
    row_numbers,
    row_sum,
    std,
    total,
    where,
)
from sheetsim.model.ops import OPS, Op, broadcast

# (gradient by the result, the result, its arguments) to the gradient by each argument; None where the result does not
# change with the argument, or by steps alone. A gradient may be smaller than what it is by: it is then the same along
# the axis where it has a single row or column.
Rule: TypeAlias = Callable[..., tuple[Matrix | None, ...]]


def _steps(d: Matrix, z: Matrix, *args: Matrix) -> tuple[None, ...]:
    """Steps, counts and sizes: the derivative is 0 wherever there is one."""
    return (None,) * len(args)


def _power(d: Matrix, z: Matrix, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    # The exponent's needs log a, which is an error for a <= 0; it is asked for only where the exponent depends on it.
    if isinstance(b.source, Constant) and isinstance(b.source.value, float):
        less = b.source.value - 1
        return _times(d, b) * (a if less == 1 else a**less), d * z * log(a)
    return d * b * a ** (b - 1), d * z * log(a)


def _extreme(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    """To the elements that are the extreme, in equal parts."""
    hit = equal(x, z)
    return (d * hit / total(hit),)


def _largest(d: Matrix, z: Matrix, *numbers: Matrix) -> tuple[Matrix, ...]:
    hits = [equal(number, z) for number in numbers]
    ties = hits[0]
    for hit in hits[1:]:
        ties = ties + hit
    return tuple(d * hit / ties for hit in hits)


def _product(d: Matrix, z: Matrix, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    d = _spread_out(d, z)
    return d @ b.T, a.T @ d


def _absolute(d: Matrix, z: Matrix, a: Matrix) -> tuple[Matrix]:
    return (d * ((a > 0) - (a < 0)),)


def _if_error(d: Matrix, z: Matrix, x: Matrix, instead: Matrix) -> tuple[Matrix, Matrix]:
    sound = if_error(x * 0 + 1, 0)
    return d * sound, d * (1 - sound)


def _size(x: Matrix) -> float:
    return float(x.shape[0] * x.shape[1])


def _deviation(x: Matrix) -> Matrix:
    return x - mean(x)


def _skew(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    s = _deviation(x) / std(x)
    return (d * 3 / (_size(x) * std(x)) * (s**2 - 1 - z * s),)


def _kurtosis(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    s = _deviation(x) / std(x)
    return (d * 4 / (_size(x) * std(x)) * (s**3 - mean(s**3) - (z + 3) * s),)


def _unknown(d: Matrix, z: Matrix, *args: Matrix) -> tuple[Matrix | None, ...]:
    raise SheetsimError(f"{z.source.name} has no derivative in this package: take it out of the way to the loss")  # type: ignore[union-attr]


DERIVATIVES: dict[str, Rule] = {
    "add": lambda d, z, a, b: (d, d),
    "subtract": lambda d, z, a, b: (d, -d),
    "multiply": lambda d, z, a, b: (_times(d, b), _times(d, a)),
    "divide": lambda d, z, a, b: (d / b, -d * z / b),
    "power": _power,
    "negative": lambda d, z, a: (-d,),
    "matmul": _product,
    "transpose": lambda d, z, a: (d.T,),
    "exp": lambda d, z, a: (_times(d, z),),
    "log": lambda d, z, a: (d / a,),
    "log10": lambda d, z, a: (d / (a * math.log(10)),),
    "sqrt": lambda d, z, a: (d / (2 * z),),
    "absolute": _absolute,
    "floor": _steps,
    "sigmoid": lambda d, z, a: (_times(d, z) * (1 - z),),
    "tanh": lambda d, z, a: (_times(d, 1 - z**2),),
    # 0 at 0, as most programs have it.
    "relu": lambda d, z, a: (where(a > 0, d, 0),),
    "greater": _steps,
    "greater_equal": _steps,
    "less": _steps,
    "less_equal": _steps,
    "equal": _steps,
    "not_equal": _steps,
    "where": lambda d, z, c, yes, no: (None, where(c, d, 0), where(c, 0, d)),
    "if_error": _if_error,
    "row": lambda d, z, x, k: (d * equal(row_numbers(x), k), None),
    "column": lambda d, z, x, k: (d * equal(row_numbers(x.T).T, k), None),
    "row_numbers": _steps,
    "row_count": _steps,
    "column_count": _steps,
    "column_sum": lambda d, z, x: (d,),
    "row_sum": lambda d, z, x: (d,),
    "total": lambda d, z, x: (d,),
    "sum_squares": lambda d, z, x: (_times(d, 2 * x),),
    "mean": lambda d, z, x: (d / _size(x),),
    "variance": lambda d, z, x: (d * 2 / _size(x) * _deviation(x),),
    "std": lambda d, z, x: (d / (_size(x) * z) * _deviation(x),),
    "sample_std": lambda d, z, x: (d / ((_size(x) - 1) * z) * _deviation(x),),
    "t_quantile": _unknown,
    "normal_quantile": _unknown,
    "skew": _skew,
    "kurtosis": _kurtosis,
    "minimum": _extreme,
    "maximum": _extreme,
    "quantile": _unknown,
    "largest": _largest,
    "frequency": _steps,
}


def grad(loss: Matrix, by: Sequence[Matrix], *, fixed: Collection[Matrix] = ()) -> list[Matrix]:
    """The gradients of a single number by matrices, each of the shape of what it is by, to name and report.

    They are built by reverse accumulation over the op table. Name those of the matrices along the way too, and a
    formula refers to the one before; without names all of them are inlined.
    fixed: matrices taken as constants.
    Ties: the ReLU's derivative at 0 is 0; a maximum or minimum that several elements share is shared by them in equal
    parts. Raises SheetsimError when the loss is no single number, does not depend on a matrix, or passes an op without
    a derivative (quantile, t_quantile, normal_quantile).
    """
    by, fixed = listed("by", by, "matrices"), listed("fixed", fixed, "matrices")
    for node in (loss, *by, *fixed):
        if not isinstance(node, Matrix):
            raise SheetsimError(f"grad takes a loss and lists of matrices of the model, and not {said(node)}")
    if loss.shape != (1, 1):
        raise SheetsimError(f"the loss must be a single number, not {loss.shape[0]}×{loss.shape[1]}")
    order = _dependent([loss], frozenset(by), frozenset(fixed))
    # What a formula may refer to: a way through a drop-down's branch ends there.
    known = frozenset(node for node in order if node.name is not None).union(by)
    gradients = _backward(loss, matrix(1.0), order, known) if loss in order else {}
    missing = [node for node in by if node not in order]
    if missing:
        raise SheetsimError(f"the loss does not depend on {missing[0]!r}")
    return [_spread_out(gradients[node], node) if node in gradients else node * 0 for node in by]


def _backward(
    start: Matrix, d: Matrix, order: dict[Matrix, None], known: frozenset[Matrix], value: Matrix | None = None
) -> dict[Matrix, Matrix]:
    """The gradients by the nodes of `order`, from `start` with gradient d; value: another matrix that equals it."""
    gradients = {start: d}
    for node in reversed(order):
        if node in gradients and isinstance(node.source, Stack):
            raise SheetsimError(f"{node.name} is a whole series, which has no derivative here: use its steps")
        # Nothing but steps leads from here to the start.
        if node not in gradients or not isinstance(node.source, Op):
            continue
        branches = _branches(node, known)
        if branches:
            parts = _chosen(node, gradients[node], branches, order, known)
        else:
            z = value if value is not None and node is start else node
            found = DERIVATIVES[node.source.name](gradients[node], z, *node.args)
            parts = [
                (arg, _folded(part, node, arg))
                for arg, part in zip(node.args, found, strict=True)
                if part is not None and arg in order
            ]
        for arg, part in parts:
            gradients[arg] = part if arg not in gradients else gradients[arg] + part
    return gradients


def _branches(node: Matrix, known: frozenset[Matrix]) -> list[tuple[Matrix, Matrix]]:
    """A choice by a drop-down as conditions and branches, the last one's condition that of the one before; else none.

    Branches of another shape than the whole are left to the rule of `where`.
    """
    found: list[tuple[Matrix, Matrix]] = []
    part = node
    while part.source is OPS["where"] and (part is node or part not in known):
        condition, yes, no = part.args
        if condition.source is not OPS["equal"] or not isinstance(condition.args[0].source, Choice):
            break
        found.append((condition, yes))
        part = no
    if found:
        found.append((found[-1][0], part))
    return found if all(branch.shape == node.shape for _, branch in found) else []


def _chosen(
    node: Matrix,
    d: Matrix,
    branches: Sequence[tuple[Matrix, Matrix]],
    order: dict[Matrix, None],
    known: frozenset[Matrix],
) -> list[tuple[Matrix, Matrix]]:
    """The gradient of a choice as the choice of the gradients, each to the nearest matrices that have a name."""
    ways: list[dict[Matrix, Matrix]] = []
    for _, branch in branches:
        if branch not in order:
            ways.append({})
        elif branch in known:
            ways.append({branch: d})
        else:
            inside = _dependent([branch], known, frozenset(), order)
            gradients = _backward(branch, d, inside, known, node)
            ways.append({arg: gradients[arg] for arg in inside if arg in known and arg in gradients})
    parts = []
    for arg in dict.fromkeys(arg for way in ways for arg in way):
        found = [way.get(arg, matrix(0.0)) for way in ways]
        if len({part.shape for part in found}) > 1:
            # An IF of one condition hands on a branch as it is, and inside a formula a smaller one would stay so.
            found = [_spread_out(part, arg) for part in found]
        *first, part = found
        for (condition, _), own in zip(reversed(branches[:-1]), reversed(first), strict=True):
            part = where(condition, own, part)
        parts.append((arg, part))
    return parts


def _dependent(
    ends: Iterable[Matrix],
    by: frozenset[Matrix],
    fixed: frozenset[Matrix],
    within: dict[Matrix, None] | None = None,
) -> dict[Matrix, None]:
    """The nodes between `by` and the ends, arguments first. A loop and not a recursion: a series is deep.

    It goes no deeper than `by`: a step's gradient does not look at all the steps before.
    within: the only nodes to look at, those of `by` without what they are made of.
    """
    floor = min((node.depth for node in by), default=0)
    order: dict[Matrix, None] = {}
    seen: set[Matrix] = set()
    stack = list(ends)
    while stack:
        node = stack[-1]
        args = node.args if within is None else () if node in by else tuple(arg for arg in node.args if arg in within)
        if node not in seen:
            seen.add(node)
            if node not in fixed:
                stack.extend(arg for arg in args if arg not in seen and arg.depth >= floor)
            continue
        stack.pop()
        if node not in order and node not in fixed and (node in by or any(arg in order for arg in args)):
            order[node] = None
    return order


def _times(d: Matrix, x: Matrix) -> Matrix:
    """d · x, without a product by the 1 with which the way back begins."""
    return x if isinstance(d.source, Constant) and d.source.value == 1 else d * x


def _folded(part: Matrix, node: Matrix, arg: Matrix) -> Matrix:
    """The gradient by an argument that was stretched to the node's shape: the sum over what it was stretched along."""
    if part.shape == arg.shape or not isinstance(node.source, Op) or node.source.shape is not broadcast:
        return part
    for axis, summed in ((0, column_sum), (1, row_sum)):
        stretched = node.shape[axis]
        if arg.shape[axis] == 1 and stretched > 1:
            part = summed(part) if part.shape[axis] > 1 else part * float(stretched)
    return part


def _spread_out(d: Matrix, node: Matrix) -> Matrix:
    """The gradient in its full shape."""
    return d if d.shape == node.shape else d + node * 0
