"""A graph as plain data, so that another process can have it: nodes as a list, and not as objects in one another.

A recursive copy would end at a thousand steps of a series, and what an op computes are functions, which have no copy.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from sheetsim.model.expr import Constant, Data, Draw, Matrix, apply, matrix
from sheetsim.model.op import Op, Shape
from sheetsim.model.series import Series


class PackedNode(NamedTuple):
    """A node: its op's name, or its leaf's source; places of its arguments; and what else a node has.

    expression: the place of the node without cells of its own; series: first step and headings, of a series.
    """

    source: Any
    args: tuple[int, ...]
    shape: Shape
    name: str | None
    kind: str
    expression: int | None
    series: tuple[int, tuple[str, ...]] | None


def packed(nodes: Iterable[Matrix]) -> tuple[list[PackedNode], dict[Matrix, int]]:
    """The nodes and all that they are made of, arguments first; and by node its place."""
    places: dict[Matrix, int] = {}
    records: list[PackedNode] = []
    stack = list(reversed(list(nodes)))
    while stack:
        node = stack[-1]
        before = [*node.args] if node.expression is node else [*node.args, node.expression]
        missing = [one for one in before if one not in places]
        if node in places:
            stack.pop()
        elif missing:
            stack += reversed(missing)
        else:
            stack.pop()
            places[node] = len(records)
            records.append(_record(node, places))
    return records, places


def _record(node: Matrix, places: Mapping[Matrix, int]) -> PackedNode:
    source: Any = node.source.name if isinstance(node.source, Op) else node.source
    if isinstance(source, Data):
        source = Data, (source.values, source.at_least, source.columns)
    series = (node.first, node.columns) if isinstance(node, Series) else None
    expression = None if node.expression is node else places[node.expression]
    args = tuple(places[arg] for arg in node.args)
    return PackedNode(source, args, node.shape, node.name, node.kind, expression, series)


def unpacked(records: Iterable[PackedNode]) -> list[Matrix]:
    """The nodes, in their order; equal expressions are one node again."""
    nodes: list[Matrix] = []
    for record in records:
        args = tuple(nodes[place] for place in record.args)
        nodes.append(_node(record, args, nodes))
    return nodes


def _node(record: PackedNode, args: tuple[Matrix, ...], nodes: list[Matrix]) -> Matrix:
    if record.series is not None:
        first, columns = record.series
        return Series(str(record.name), args, columns, first, record.kind)
    if record.expression is not None:
        return nodes[record.expression].placed(record.name, record.kind)
    if isinstance(record.source, str):
        return apply(record.source, *args)
    if isinstance(record.source, Constant):
        return matrix(record.source.value)
    source = record.source
    if isinstance(source, tuple) and source[0] is Data:
        source = Data(*source[1])
    return Matrix(source, args, record.shape, record.name, None, record.kind)


def content(nodes: Iterable[Matrix]) -> Iterator[bytes]:
    """What the nodes are made of, the same bytes in every process."""
    for record in packed(nodes)[0]:
        source = record.source
        yield repr(record._replace(source=None)).encode()
        if isinstance(source, tuple):
            _, (values, at_least, columns) = source
            yield repr((values.shape, at_least, columns)).encode()
            yield values.tobytes()
        elif isinstance(source, Draw):
            for draw in (*source.ancestors, source):
                yield from _draw_content(draw)
        else:
            yield repr(source).encode()


def _draw_content(draw: Draw) -> Iterator[bytes]:
    law = draw.distribution
    yield repr((law.name, law.parameters, draw.seed, draw.stream, draw.design, draw.before)).encode()
    yield np.asarray(0 if draw.correlation is None else draw.correlation).tobytes()
    if not (math.isinf(law.low) and math.isinf(law.high)):
        yield repr((law.low, law.high)).encode()
    if draw.hdr:
        yield b"hdr"
    if draw.partners:
        yield repr([(partner.name, partner.draw.stream, partner.correlation) for partner in draw.partners]).encode()
