"""The sheets of the two passes' matrices, and of what the mean-field theory is made of."""

from collections.abc import Iterator, Mapping, Sequence

from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.correlation.layers import Layer
from sheetsim.studies.network_sheets import DRAWS, WEIGHTS
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, SeriesSheet, Sheet, Text


def pass_sheets(graph: Graph, layers: Sequence[Layer]) -> Iterator[Sheet]:
    """The two inputs, the weights, and of each input sums and outputs by layer; then the draws of the weights."""
    yield MatrixSheet("Input x", graph["x"], "pair", tab="input", words="the first inputs, a row a pair")
    yield MatrixSheet("Input y", graph["y"], "pair", tab="input", words="the second inputs, of correlation c to x")
    yield from (WEIGHTS.sheet(layer.number, layer.W) for layer in layers)
    for layer in layers:
        for of, sums in zip("xy", layer.sums, strict=True):
            words = f"pre-activations, what goes in times the weights, of {of}, a row a pair"
            yield MatrixSheet(f"Linear {of} {layer.number}", sums, "pair", tab="sums", words=words)
    for layer in layers:
        for of, outputs in zip("xy", layer.outputs, strict=True):
            words = f"activations f(a) of {of}, a row a pair"
            yield MatrixSheet(f"Activation {of} {layer.number}", outputs, "pair", tab="activations", words=words)
    yield from (DRAWS.sheet(layer.number, layer.e) for layer in layers)


def slopes_page(graph: Graph, layers: Sequence[Layer]) -> Page:
    """The means of f′² by layer and unit."""
    items: list[Item] = [Text(0, 0, "Layer by layer, of each unit: mean of f′(a_x)² over the pairs", "section")]
    for number in range(1, len(layers) + 1):
        items += [Text(number, 0, f"Layer {number}", "label"), Block(number, 1, graph[f"slope_square_{number}"])]
    return Page("Slopes", tuple(items), {0: 12}, words="the mean of f′(a_x)² by layer and unit")


def theory_sheets(graph: Graph, theory: Mapping[str, Series]) -> Iterator[Sheet]:
    """What the theory's expectations are sums of; the draws of y stand among them."""
    squares, *others = expectation_sheets(graph, theory)
    yield squares
    yield MatrixSheet("Draws y", graph["e_y"], "pair", tab="draws", words="standard draws that y is made of")
    yield from others


def expectation_sheets(graph: Graph, theory: Mapping[str, Series]) -> Iterator[Sheet]:
    """What the theory's expectations are sums of."""
    yield SeriesSheet("Squares", theory["squares"], words="the squares of f's coefficients by layer, a row a degree")
    for title, name, corner, words in (
        ("Nodes", "nodes", "node", "where f is taken for the expectations"),
        ("Node weights", "node_weights", "node", "their weights"),
        ("Hermite", "hermite", "node", "weights times the polynomials, a column a degree"),
        ("Degrees", "degree", "row", "the polynomials' degrees"),
    ):
        yield MatrixSheet(title, graph[name], corner, tab="draws", words=words)
