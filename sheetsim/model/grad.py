"""Gradients as more matrices of the same model: the op table's derivatives, turned backward. It computes no value."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import add

from sheetsim.arguments import listed, said
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import (
    Choice,
    Matrix,
    Routine,
    Stack,
    column_sum,
    matrix,
    row_sum,
    where,
)
from sheetsim.model.op import OPS, Op, broadcast
from sheetsim.model.op_table import spread_out
from sheetsim.model.traversal import topological


def grad(loss: Matrix, by: Sequence[Matrix], *, fixed: Collection[Matrix] = ()) -> list[Matrix]:
    """Gradients of a single number with respect to matrices, as expressions of the model.

    They are built by reverse accumulation over the derivatives of the ops. Name the matrices along the way too, and
    each formula refers to the one before; without names all of them are written into one formula.

    Parameters
    ----------
    loss
        1×1 matrix.
    by
        Matrices of the model to differentiate with respect to.
    fixed
        Matrices that are taken as constants.

    Returns
    -------
    list of Matrix
        For each matrix of `by` its gradient, of the same shape.

    Raises
    ------
    SheetsimError
        The loss is not a single number, does not depend on a matrix, or passes an op without a derivative (quantile,
        t_quantile, beta_quantile).

    Notes
    -----
    The derivative of ReLU at 0 is 0. Where several elements share a maximum or minimum, its gradient is divided
    equally.

    Examples
    --------
    >>> import sheetsim
    >>> model = sheetsim.Model()
    >>> x = model.input("x", [[1.0, 2.0, 3.0]])
    >>> loss = model.define("loss", sheetsim.sum_squares(x))
    >>> d_x = model.define("d_x", sheetsim.grad(loss, [x])[0])
    >>> model.run()["d_x"]
    array([[2., 4., 6.]])
    """
    by, fixed = listed("by", by, "matrices"), listed("fixed", fixed, "matrices")
    for node in (loss, *by, *fixed):
        if not isinstance(node, Matrix):
            raise SheetsimError(f"grad takes a loss and lists of matrices of the model, not {said(node)}")
    if loss.shape != (1, 1):
        raise SheetsimError(f"the loss must be a single number, not {loss.shape[0]}×{loss.shape[1]}")
    # Of a matrix and the expression that it names, a loss may be made of one, the other, or both.
    equals, constants = _equal(loss, by, fixed)
    order = _dependent([loss], frozenset(itertools.chain(*equals.values())), constants)
    # What a formula may refer to: a way through a drop-down's branch ends there.
    cut = frozenset(node for node in order if node.name is not None).union(*equals.values())
    by_node = _backward(loss, matrix(1.0), order, cut) if loss in order else {}
    gradients = []
    for node in by:
        if not any(same in order for same in equals[node]):
            raise SheetsimError(f"the loss does not depend on {node!r}")
        parts = [by_node[same] for same in equals[node] if same in by_node]
        gradients.append(spread_out(reduce(add, parts), node) if parts else node * 0)
    return gradients


def _equal(
    loss: Matrix, by: Sequence[Matrix], fixed: Collection[Matrix]
) -> tuple[dict[Matrix, list[Matrix]], frozenset[Matrix]]:
    """For each matrix of `by` those that the loss is made of and that have its numbers; and those of all of `fixed`."""
    floor = min((node.depth for node in by), default=0)
    constants = {node.expression for node in fixed}
    equals: dict[Matrix, list[Matrix]] = {node.expression: [] for node in by}
    held = set()

    def args(node: Matrix) -> Sequence[Matrix]:
        return () if node.expression in constants else [arg for arg in node.args if arg.depth >= floor]

    for part in topological([loss], args):
        if part.expression in constants:
            held.add(part)
        elif part.expression in equals:
            equals[part.expression].append(part)
    return {node: equals[node.expression] for node in by}, frozenset(held)


def _backward(
    start: Matrix, d: Matrix, order: dict[Matrix, None], cut: frozenset[Matrix], value: Matrix | None = None
) -> dict[Matrix, Matrix]:
    """The gradients by the nodes of `order`, from `start` with gradient d; value: another matrix that equals it.

    cut: the nodes at which a way through a drop-down's branches ends.
    """
    gradients = {start: d}
    for node in reversed(order):
        if node in gradients and isinstance(node.source, Stack):
            raise SheetsimError(f"{node.name} is a whole series, which has no derivative here: use its steps")
        if node in gradients and isinstance(node.source, Routine):
            raise SheetsimError(f"{node.source.name} have no derivative here: compute the loss without them")
        # Nothing but steps leads from here to the start.
        if node not in gradients or not isinstance(node.source, Op):
            continue
        branches = _branches(node, cut)
        if branches:
            parts = _chosen(node, gradients[node], branches, order, cut)
        else:
            z = value if value is not None and node is start else node
            derivatives = node.source.derivative(gradients[node], z, *node.args)
            parts = [
                (arg, _folded(part, node, arg))
                for arg, part in zip(node.args, derivatives, strict=True)
                if part is not None and arg in order
            ]
        for arg, part in parts:
            gradients[arg] = part if arg not in gradients else gradients[arg] + part
    return gradients


def _branches(node: Matrix, cut: frozenset[Matrix]) -> list[tuple[Matrix, Matrix]]:
    """A choice by a drop-down as conditions and branches, the last one's condition that of the one before; else none.

    Branches of another shape than the whole are left to the rule of `where`.
    """
    branches: list[tuple[Matrix, Matrix]] = []
    part = node
    while part.source is OPS["where"] and (part is node or part not in cut):
        condition, yes, no = part.args
        if condition.source is not OPS["equal"] or not isinstance(condition.args[0].source, Choice):
            break
        branches.append((condition, yes))
        part = no
    if branches:
        branches.append((branches[-1][0], part))
    return branches if all(branch.shape == node.shape for _, branch in branches) else []


def _chosen(
    node: Matrix,
    d: Matrix,
    branches: Sequence[tuple[Matrix, Matrix]],
    order: dict[Matrix, None],
    cut: frozenset[Matrix],
) -> list[tuple[Matrix, Matrix]]:
    """The gradient of a choice as the choice of the gradients, each to the nearest matrices that have a name."""
    ways: list[dict[Matrix, Matrix]] = []
    for _, branch in branches:
        if branch not in order:
            ways.append({})
        elif branch in cut:
            ways.append({branch: d})
        else:
            inside = _dependent([branch], cut, frozenset(), order)
            gradients = _backward(branch, d, inside, cut, node)
            ways.append({arg: gradients[arg] for arg in inside if arg in cut and arg in gradients})
    parts = []
    for arg in dict.fromkeys(arg for way in ways for arg in way):
        choices = [way.get(arg, matrix(0.0)) for way in ways]
        if len({part.shape for part in choices}) > 1:
            # An IF of one condition hands on a branch as it is, and inside a formula a smaller one would stay so.
            choices = [spread_out(part, arg) for part in choices]
        *first, part = choices
        for (condition, _), choice in zip(reversed(branches[:-1]), reversed(first), strict=True):
            part = where(condition, choice, part)
        parts.append((arg, part))
    return parts


def _dependent(
    ends: Iterable[Matrix],
    by: frozenset[Matrix],
    fixed: frozenset[Matrix],
    within: dict[Matrix, None] | None = None,
) -> dict[Matrix, None]:
    """The nodes between `by` and the ends, arguments first.

    It goes no deeper than `by`: a step's gradient does not look at all the steps before.
    within: the only nodes to look at, those of `by` without what they are made of.
    """
    floor = min((node.depth for node in by), default=0)

    def args(node: Matrix) -> Sequence[Matrix]:
        if node in fixed or (within is not None and node in by):
            return ()
        return [arg for arg in node.args if arg.depth >= floor and (within is None or arg in within)]

    order: dict[Matrix, None] = {}
    for node in topological(ends, args):
        if node not in fixed and (node in by or any(arg in order for arg in args(node))):
            order[node] = None
    return order


def _folded(part: Matrix, node: Matrix, arg: Matrix) -> Matrix:
    """The gradient by an argument that was stretched to the node's shape: the sum over what it was stretched along."""
    if part.shape == arg.shape or not isinstance(node.source, Op) or node.source.shape is not broadcast:
        return part
    for axis, summed in ((0, column_sum), (1, row_sum)):
        stretched = node.shape[axis]
        if arg.shape[axis] == 1 and stretched > 1:
            part = summed(part) if part.shape[axis] > 1 else part * float(stretched)
    return part
