"""The inputs of an output: which leaves make its trials, their names, groups and correlations. It draws nothing."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from msgspec import Struct

from sheetsim import arguments
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Data, Draw, Matrix
from sheetsim.model.op import Array, Op, broadcast
from sheetsim.model.traversal import topological


class ModelInput(Struct, frozen=True):
    """A column of a leaf, numbered from 0, or a whole leaf where `column` is None."""

    name: str
    leaf: Matrix
    column: int | None = None


# Inputs by the name of their group; an input that is in none is a group by itself.
InputGroups: TypeAlias = dict[str, list[ModelInput]]

# For each direction in which trials can lie, the ops that keep them apart beside those element by element: 0, a trial a
# row; 1, a trial a column. Of their arguments, which one has the trials.
_APART = ({"matmul": 0, "column": 0, "row_sum": 0}, {"matmul": 1, "row": 0, "column_sum": 0})


def trial_inputs(output: Matrix) -> list[ModelInput]:
    """The columns of the leaves (draws, or given numbers) of which row k makes row k of the output.

    A leaf that reaches the output by other ways alone, as the weights of a network do, makes no trial: it is the same
    for all. A leaf with one column has its own name, and a column of several its heading or number after that.
    """
    inputs = []
    for leaf in _leaves_by_trial(output):
        columns = leaf.shape[1]
        headings = leaf.headings or tuple(map(str, range(1, columns + 1)))
        names = [str(leaf.name)] if columns == 1 else [f"{leaf.name} {heading}" for heading in headings]
        inputs += [ModelInput(name, leaf, k) for k, name in enumerate(names)]
    return inputs


def drawn_leaves(targets: Iterable[Matrix]) -> list[Matrix]:
    """The leaves of draws that the targets are made of."""
    return [node for node in topological(targets) if isinstance(node.source, Draw)]


def _leaves_by_trial(output: Matrix) -> list[Matrix]:
    trials = output.shape[0]
    leaves: dict[Matrix, None] = {}
    seen = {(output, 0)}
    stack = [(output, 0)]
    while stack:
        node, axis = stack.pop()
        if isinstance(node.source, Draw | Data) and node.name is not None and axis == 0:
            leaves.setdefault(node)
        for part in reversed(_parts_by_trial(node, axis)):
            if part[0].shape[part[1]] == trials and part not in seen:
                seen.add(part)
                stack.append(part)
    return list(leaves)


def _parts_by_trial(node: Matrix, axis: int) -> list[tuple[Matrix, int]]:
    """The arguments that have a trial a row (0) or a column (1), where the node has one along the axis."""
    op = node.source
    if not isinstance(op, Op):
        return []
    if op.shape is broadcast:
        args = node.args if op.reads is None else [node.args[k] for k in op.reads]
        return [(arg, axis) for arg in args]
    if op.name == "transpose":
        return [(node.args[0], 1 - axis)]
    place = _APART[axis].get(op.name)
    return [] if place is None else [(node.args[place], axis)]


def grouped(inputs: Sequence[ModelInput], groups: Mapping[str, Sequence[str]] | None) -> InputGroups:
    """The inputs by group, in the order of their first ones.

    groups: by name, the inputs of a group; the name of a leaf stands for all its columns.
    Raises SheetsimError for anything else, for a name that no input has, and for an input in two groups.
    """
    if groups is None:
        return {one.name: [one] for one in inputs}
    if not isinstance(groups, Mapping):
        raise SheetsimError(f"groups must be a mapping of names to lists of inputs, not {arguments.said(groups)}")
    group_of: dict[ModelInput, str] = {}
    for group, names in groups.items():
        arguments.text("the name of a group", group)
        for name in arguments.listed(f"groups: {group}", names, "names of inputs"):
            members = [one for one in inputs if name in (one.name, one.leaf.name)]
            if not members:
                there = ", ".join(one.name for one in inputs)
                raise SheetsimError(f"groups: no input {arguments.said(name)}; there are {there}")
            for one in members:
                if group_of.setdefault(one, group) != group:
                    raise SheetsimError(f"groups: {one.name} is in {group_of[one]} and in {group}")
    alone = {one.name for one in inputs if one not in group_of}
    if twice := alone & set(groups):
        raise SheetsimError(f"groups: {min(twice)} is the name of an input that is not in the group")
    by_name: InputGroups = {}
    for one in inputs:
        by_name.setdefault(group_of.get(one, one.name), []).append(one)
    return by_name


def correlated_sets(inputs: Sequence[ModelInput]) -> list[list[ModelInput]]:
    """The inputs that are correlated with one another, a list a set; independent ones are in none.

    Correlated are the columns of a draw that its correlation says; draws that have rank correlations with others; and
    draws by Sobol' sequences of their own, which all go through the same points in the same order.
    """
    ties: dict[Any, set[Any]] = {}
    for a, b in combinations(inputs, 2):
        if _correlation(a, b) != 0:
            _tie(ties, a, b)
    for one in inputs:
        # Through its draw: one that has partners has a single column.
        if isinstance(one.leaf.source, Draw) and (one.column is None or one.leaf.shape[1] == 1):
            _tie(ties, one, one.leaf.source)
            _tie_partners(ties, one.leaf.source)
    sets: list[list[ModelInput]] = []
    seen: set[Any] = set()
    for one in inputs:
        reached = {one} if one in seen else _reached(ties, one)
        members = [other for other in inputs if other in reached]
        if len(members) > 1:
            sets.append(members)
        seen |= reached
    return sets


def _tie(ties: dict[Any, set[Any]], a: Any, b: Any) -> None:
    ties.setdefault(a, set()).add(b)
    ties.setdefault(b, set()).add(a)


def _tie_partners(ties: dict[Any, set[Any]], draw: Any) -> None:
    ahead = [draw]
    while ahead:
        later = ahead.pop()
        for partner in getattr(later, "partners", ()):
            ahead.append(partner.draw)
            if partner.correlation != 0:
                _tie(ties, later, partner.draw)


def _correlation(a: ModelInput, b: ModelInput) -> float:
    """Of two columns of one leaf, that of their normal scores."""
    first, second = a.leaf.source, b.leaf.source
    if not isinstance(first, Draw) or not isinstance(second, Draw):
        return 0.0
    if first is not second or first.correlation is None or a.column is None or b.column is None:
        return 0.0
    return first.correlation if isinstance(first.correlation, float) else float(first.correlation[a.column, b.column])


def _reached(ties: Mapping[Any, set[Any]], first: ModelInput) -> set[Any]:
    """All that hangs together with an input, and itself."""
    reached: set[Any] = {first}
    ahead: list[Any] = [first]
    while ahead:
        new = ties.get(ahead.pop(), set()) - reached
        reached |= new
        ahead += new
    return reached


def check_independent(groups: InputGroups) -> None:
    """Raises SheetsimError where inputs of different groups are correlated, naming them."""
    group_of = {one: name for name, members in groups.items() for one in members}
    for members in correlated_sets([one for of_group in groups.values() for one in of_group]):
        if len({group_of[one] for one in members}) > 1:
            names = [one.name for one in members]
            shown = ", ".join(names if len(names) < 7 else (*names[:5], "…", names[-1]))
            raise SheetsimError(
                f"Sobol indices need independent inputs, but {shown} are correlated: put them into one group "
                "(groups={name: inputs}), or read the Pearson and rank correlations of run.sensitivity(); Shapley "
                "effects are not computed"
            )


def replaced(
    groups: InputGroups,
    name: str,
    base: Mapping[Matrix, Array],
    other: Mapping[Matrix, Array],
) -> dict[Matrix, Array]:
    """The values of `base` by leaf, with the inputs of one group from `other`."""
    values = dict(base)
    for one in groups[name]:
        if one.column is None:
            values[one.leaf] = other[one.leaf]
            continue
        if values[one.leaf] is base[one.leaf]:
            values[one.leaf] = base[one.leaf].copy()
        values[one.leaf][:, one.column] = other[one.leaf][:, one.column]
    return values
