"""Pages that show one unit by hand: its products sorted by size, their sum, and what becomes of it, forward and back.

A person chooses layer, unit and sample in yellow cells. The cells exist on these pages alone, and in no graph: a
run without a book does not build them.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np
from msgspec import Struct

from sheetsim.model.activations import activate
from sheetsim.model.backward import BackwardPass
from sheetsim.model.expr import (
    Data,
    Matrix,
    Operand,
    absolute,
    entry,
    equal,
    floor,
    if_error,
    largest,
    matrix,
    maximum,
    pick,
    row_sum,
    total,
    where,
)
from sheetsim.model.grad import grad
from sheetsim.model.nets import Network
from sheetsim.model.series import Series
from sheetsim.workbook.layout import Block, HorizontalBars, Item, Line, Lines, Page, Text, step_blocks

# Products of a unit, and these times layers, beyond which there is no page: each is a formula that names every layer.
MOST_PRODUCTS, MOST_LAYERS, MOST_WORK = 400, 60, 6000

# The pages' titles.
TRACES = ("Trace", "Trace back")

_OF = {
    "values": "first factors, by the number of the {}, 0 beyond the layer's last",
    "weights": "the weights that they are multiplied by",
    "products": "the products",
    "size": "magnitudes of the products over the greatest, -1 beyond the last",
    "rank": "places of the products by size; of equal ones in their order",
    "sum": "the sum of the products",
}

# What the pages' names are.
NAMES = {
    "trace_layer": "the layer that the page Trace shows, from 1",
    "trace_unit": "the unit of the layer that it shows, from 1",
    "trace_sample": "the sample that it shows, from 1",
    "traced_layer": "the layer shown: what is asked for, as a whole number within what there is",
    "traced_unit": "the unit shown, in the same way",
    "traced_sample": "the sample shown, in the same way",
    "traced_a": "the unit's pre-activation on the sheet Linear",
    "traced_b": "the unit's bias on the sheet Biases",
    "traced_z": "its output on the sheet Activation",
    "traced_slope": "f′ at the pre-activation",
    "traced_d_z": "the gradient with respect to its output on the sheet d_z",
    "traced_d_a": "the gradient with respect to its pre-activation on the sheet d_a",
    **{f"trace_{name}": f"forward: {what.format('input')}" for name, what in _OF.items()},
    **{f"back_{name}": f"back: {what.format('unit above')}" for name, what in _OF.items()},
}

# Products that the chart shows.
TOP = 20

CHART, LONG_CHART = (430, 430), (430, 260)
ROW_PIXELS = 20

# First column of the products in the order of the layer's inputs, and of the charts.
UNSORTED, CHARTS = 6, 12

# Row of the results, and of the table's headings.
RESULTS, HEAD = 8, 13


class Traced(Struct, frozen=True):
    """The yellow cells, and what they mean: numbers within what there is."""

    asked: tuple[Matrix, Matrix, Matrix]
    layer: Matrix
    unit: Matrix
    sample: Matrix
    units: Matrix
    ends: tuple[int, int]


class Term(Struct, frozen=True):
    """The products of a unit in a layer: so many, and the two factors of each, by its number from 1."""

    count: int
    factors: Callable[[int], tuple[Matrix, Matrix]]


class Way(Struct, frozen=True):
    """One way through the network.

    It has a name, texts, names of the numbers and of the factors, the numbers of all, each layer's products, and the
    results above them.
    """

    name: str
    title: str
    notes: Sequence[str]
    heads: tuple[str, str, str]
    ones: str
    terms: Sequence[Term]
    results: Sequence[tuple[str, Matrix, str]]


def forward_traces(network: Network) -> list[Page]:
    """The page Trace, where the network is not too large for one."""
    return [_forward(network, _traced(network))] if _is_traced(network) else []


def backward_traces(flow: BackwardPass) -> list[Page]:
    """The pages Trace and Trace back, where the network is not too large for them."""
    if not _is_traced(flow.network):
        return []
    cells = _traced(flow.network)
    return [_forward(flow.network, cells), _backward(flow, cells)]


def _is_traced(network: Network) -> bool:
    layers = network.layers
    products = max(max(layer.W.shape) for layer in layers)
    return products <= MOST_PRODUCTS and len(layers) <= MOST_LAYERS and products * len(layers) <= MOST_WORK


def _traced(network: Network) -> Traced:
    """The yellow cells of a network."""
    widths = [layer.W.shape[1] for layer in network.layers]
    samples = network.x.shape[0]
    asked = tuple(_given(f"trace_{name}", [[1.0]], at_least=1.0) for name in ("layer", "unit", "sample"))
    layer = _within(asked[0], len(widths)).placed("traced_layer")
    units = pick(layer, *widths).placed(None)
    unit, sample = _within(asked[1], units).placed("traced_unit"), _within(asked[2], samples).placed("traced_sample")
    return Traced(asked, layer, unit, sample, units, (len(widths), samples))  # type: ignore[arg-type]


def _forward(network: Network, cells: Traced) -> Page:
    """The page Trace: inputs times weights, their sum, and f of it."""
    layers, sample, unit = network.layers, cells.sample, cells.unit

    def term(given: Matrix, W: Matrix) -> Term:
        return Term(W.shape[0], lambda k: (_at(given, sample, float(k)), _at(W, float(k), unit)))

    linear, output = (
        pick(cells.layer, *(_at(of, sample, unit) for of in each)).placed(name)
        for name, each in (("traced_a", [one.a for one in layers]), ("traced_z", [one.z for one in layers]))
    )
    way = Way(
        "trace",
        TRACES[0],
        (
            "One unit by hand: what comes in times its weights, the sum of the products, and f of it. Choose a layer, "
            "a unit and a sample.",
            "The products stand by size, the greatest first. Every number is a formula that looks it up: INDEX of the "
            "sheets Input, Activation, Weights and Linear.",
        ),
        ("input", "value", "weight"),
        "inputs",
        [term(one.given, one.W) for one in layers],
        [
            *_biases(network, cells),
            (
                "On the sheet Linear: a",
                linear,
                "the same number, from the matrix product" if layers[0].b is None else "the sum and the bias together",
            ),
            ("Output z = f(a)", output, "on the sheet Activation"),
            (
                "Derivative f′(a)",
                _slope(network, linear).placed("traced_slope"),
                "the factor of the gradient in the backward pass",
            ),
        ],
    )
    return _page(way, cells, [Block(4 + k, 1, cell, "input") for k, cell in enumerate(cells.asked)])


def _biases(network: Network, cells: Traced) -> list[tuple[str, Matrix, str]]:
    """The unit's bias, where the network has biases."""
    biases = [entry(layer.b, 1.0, cells.unit) for layer in network.layers if layer.b is not None]
    if not biases:
        return []
    return [("Bias b", pick(cells.layer, *biases).placed("traced_b"), "added to the sum of the products")]


def _backward(flow: BackwardPass, cells: Traced) -> Page:
    """The page Trace back: gradients of the layer above times the weights to it, their sum d_z, and d_a."""
    steps, sample, unit = flow.steps, cells.sample, cells.unit

    def term(d_a: Matrix, W: Matrix) -> Term:
        return Term(W.shape[1], lambda k: (_at(d_a, sample, float(k)), _at(W, unit, float(k))))

    d_z, d_a, linear = (
        pick(cells.layer, *(_at(of, sample, unit) for of in each))
        for each in ([one.d_z for one in steps[:-1]], [one.d_a for one in steps[:-1]], [one.a for one in steps[:-1]])
    )
    way = Way(
        "back",
        TRACES[1],
        (
            "The same unit in the backward pass: the gradients of the units above times the weights that lead to them, "
            "the sum d_z, and d_a = d_z · f′(a). Layer, unit and sample are chosen on the sheet Trace.",
            "The products stand by size, the greatest first: INDEX of the sheets d_a, Weights and d_z.",
        ),
        ("unit above", "d_a", "weight"),
        "units above",
        [term(above.d_a, above.W) for above in steps[1:]],
        [
            ("On its sheet: d_z", d_z.placed("traced_d_z"), "the same number, from the matrix product"),
            (
                "Derivative f′(a)",
                _slope(flow.network, linear.placed("traced_a")).placed(None),
                "at the unit's pre-activation",
            ),
            ("d_a = d_z · f′(a)", d_a.placed("traced_d_a"), "what goes on to the layer below"),
        ],
    )
    return _page(way, cells, [Block(4 + k, 1, node, "whole") for k, node in enumerate(_numbers(cells))])


def _numbers(cells: Traced) -> tuple[Matrix, Matrix, Matrix]:
    return cells.layer, cells.unit, cells.sample


def _at(x: Matrix, row: Operand, column: Operand) -> Matrix:
    """The element, of numbers within the matrix. INDEX of a single cell is an error in IronCalc."""
    return x if x.shape == (1, 1) else entry(x, row, column)


def _given(name: str | None, values: object, at_least: float | None = None) -> Matrix:
    array = np.array(values, dtype=np.float64)
    return Matrix(Data(array, at_least), (), array.shape, name)


def _within(asked: Matrix, most: Operand) -> Matrix:
    """The number as a whole one from 1 to the most that there are."""
    return largest(1.0, where(asked > most, most, floor(asked)))


def _slope(network: Network, a: Matrix) -> Matrix:
    # Of the value alone: the gradient by a cell that has a place is an expression of that cell.
    (slope,) = grad(total(activate(network.activation, a)), [a])
    return slope


def _page(way: Way, cells: Traced, chosen: Sequence[Item]) -> Page:
    most = max(term.count for term in way.terms)
    first, second, third = way.heads
    layers, samples = cells.ends
    factors = [
        [one.factors(k) if k <= one.count else (matrix(0.0), matrix(0.0)) for one in way.terms]
        for k in range(1, most + 1)
    ]
    left, right = (
        Series(
            f"{way.name}_{name}",
            [pick(cells.layer, *(pair[side] for pair in row)).placed(None) for row in factors],
            (),
            1,
        )
        for side, name in enumerate(("values", "weights"))
    )
    count = pick(cells.layer, *(float(term.count) for term in way.terms))
    products = (left * right).placed(f"{way.name}_products")
    numbers = _given(None, np.arange(1.0, most + 1).reshape(-1, 1))
    # Relative to the largest: IronCalc takes what differs by less than 2E-16 for equal.
    relative = if_error(absolute(products) / maximum(absolute(products)), 0)
    size = where(numbers > count, -1, relative).placed(f"{way.name}_size")
    ahead = (size < size.T) + equal(size.T, size) * (numbers > numbers.T)
    rank = (1 + row_sum(ahead)).placed(f"{way.name}_rank")
    top = min(TOP, most)
    places = [np.arange(1.0, top + 1), *([np.arange(top + 1.0, most + 1)] if most > top else [])]
    blocks = [_given(None, place.reshape(-1, 1)) for place in places]

    def by_size(x: Matrix) -> list[Matrix]:
        return [row_sum(equal(rank.T, place) * x.T).placed(None) for place in blocks]

    so_far = [row_sum((place >= rank.T) * products.T).placed(None) for place in blocks]
    sorted_products = by_size(products)
    columns = [blocks, by_size(numbers), by_size(left), by_size(right), sorted_products, so_far]
    items: list[Item] = [Text(0, 0, f"{way.title}: one unit by hand", "title", CHARTS)]
    items += [Text(1 + k, 0, note, "text") for k, note in enumerate(way.notes)]
    items += [Text(4 + k, 0, label, "label") for k, label in enumerate(("Layer", "Unit", "Sample"))]
    items += [Text(4, 2, f"1 to {layers}", "hint"), Text(6, 2, f"1 to {samples:,}", "hint")]
    items += [*chosen, Block(5, 2, cells.units, "one-to")]
    shown = [("Sum of the products", total(products).placed(f"{way.name}_sum"), ""), *way.results]
    for k, (label, node, hint) in enumerate(shown):
        items += [Text(RESULTS + k, 0, label, "label"), Block(RESULTS + k, 1, node), Text(RESULTS + k, 2, hint, "hint")]
    heads = ("by size", first, second, third, "product", "sum so far")
    items += [Text(HEAD, c, head, "column") for c, head in enumerate(heads)]
    for c, column in enumerate(columns):
        row = HEAD + 1
        for block in column:
            items.append(Block(row, c, block, "whole" if c < 2 else "number"))
            row += block.shape[0]
    items += _in_order(way, numbers, left, right, [products, size, rank])
    if min(term.count for term in way.terms) < most:
        note = f"The table is as long as the longest layer's: beyond this one's {way.ones} the products are 0."
        items.append(Text(HEAD + 2 + most, 0, note, "text"))
    bars = Line("product", (sorted_products[0],))
    title = f"The {top} greatest products, by {first}" if most > top else f"The products, by {first}"
    items.append(HorizontalBars(3, CHARTS, title, (bars,), 1, CHART, "product"))
    below = 3 + ceil((CHART[1] + 20) / ROW_PIXELS)
    items.append(
        Lines(
            below,
            CHARTS,
            "Sum of the products so far",
            (Line("sum so far", tuple(so_far)),),
            LONG_CHART,
            "products, by size",
        )
    )
    widths = {0: 24, 1: 12, 2: 12} | dict.fromkeys(range(3, CHARTS), 11)
    words = f"{'a unit' if way.name == 'trace' else 'its backward pass'} by hand: layer, unit and sample can be chosen"
    return Page(way.title, tuple(items), widths, {0: 28}, words=words)


def _in_order(way: Way, numbers: Matrix, left: Series, right: Series, others: Sequence[Matrix]) -> Iterator[Item]:
    """The factors in the order of the layer's inputs, their products, and what sorts these."""
    heads = (*way.heads, "product", "size", "rank")
    yield Text(
        HEAD - 1,
        UNSORTED,
        f"In the order of the {way.ones}; size: a product's magnitude over the greatest one's",
        "text",
    )
    yield from (Text(HEAD, UNSORTED + c, head, "column") for c, head in enumerate(heads))
    yield Block(HEAD + 1, UNSORTED, numbers, "whole")
    for c, series in enumerate((left, right), start=UNSORTED + 1):
        yield from step_blocks(HEAD + 1, c, series)
    styles = ("number", "number", "whole")
    for c, (node, style) in enumerate(zip(others, styles, strict=True), start=UNSORTED + 3):
        yield Block(HEAD + 1, c, node, style)
