"""The one way through an expression that all of its readers go: evaluation, formulas, gradients. It makes no node."""

from collections.abc import Callable, Iterable, Sequence

from sheetsim.model.expr import Matrix


def topological(
    targets: Iterable[Matrix], args: Callable[[Matrix], Sequence[Matrix]] = lambda node: node.args
) -> list[Matrix]:
    """What the targets are made of and the targets, each once, arguments first and from left to right.

    args: which arguments of a node to go on to. A loop and not a recursion: a series is tens of thousands of steps
    deep.
    """
    order: dict[Matrix, None] = {}
    ahead: dict[Matrix, Sequence[Matrix]] = {}
    stack = list(reversed(list(targets)))
    while stack:
        node = stack[-1]
        if node not in ahead:
            ahead[node] = args(node)
            stack.extend(arg for arg in reversed(ahead[node]) if arg not in ahead)
            continue
        stack.pop()
        order.setdefault(node)
    return list(order)
