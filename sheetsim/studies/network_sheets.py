"""What the books of networks share: the network's yellow cells, and the sheets of its matrices."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from sheetsim.model.backward import LayerGradient
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES, STANDARD
from sheetsim.model.nets import NetworkLayer
from sheetsim.model.redraw import SEED, SWITCH, drawn_as
from sheetsim.model.traversal import topological
from sheetsim.studies.sections import Control, Row
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, Sheet, Text
from sheetsim.workbook.limits import check_size

# Of an input that is not drawn.
GIVEN = "given: the key input on About says from where"

# What is said beside the yellow cells of any network.
# In LibreOffice 7.4 a change does not pass through an array formula that it has not computed since it opened the file.
CHOOSE = (
    "Choose from the yellow cells: every sheet, chart and verdict follows "
    "(LibreOffice 7: Ctrl+Shift+F9 after the first choice)."
)
REDRAWS = (
    "Draws: frozen are those of the file, F9 draws anew with each recalculation, seeded are those of the seed below."
)
CUSTOM_COUNTS = "The custom standard deviation counts when the initializer is “custom”."


class OfLayers(Struct, frozen=True):
    """Sheets of one title and a number: a layer's matrix each. corner, tab, words: as of MatrixSheet."""

    title: str
    corner: str
    tab: str
    words: str

    def sheet(self, number: int, node: Matrix) -> MatrixSheet:
        """That of a layer."""
        return MatrixSheet(f"{self.title} {number}", node, self.corner, tab=self.tab, words=self.words)


WEIGHTS = OfLayers("Weights", "fan-in", "weights", "weights: their standard deviation times the draws")
GIVEN_WEIGHTS = OfLayers("Weights", "fan-in", "weights", "the weights that were given")
SUMS = OfLayers("Linear", "sample", "sums", "pre-activations: what goes into the layer times its weights")
OUTPUTS = OfLayers("Activation", "sample", "activations", "what comes out of the layer: f of its pre-activations")
DRAWS = OfLayers("Draws", "fan-in", "draws", "standard draws that the weights are made of")


def network_controls(graph: Graph) -> list[Control]:
    """The yellow cells of a network of one activation and initializer."""
    cells = {
        "activation": "Activation",
        "initializer": "Initializer",
        "custom_std": "Custom standard deviation",
        "gain": "Gain of the weights",
        "bias_std": "Standard deviation of biases",
        SWITCH: "Draws",
        SEED: "Seed, while they are seeded",
    }
    # Given weights have no initializer, and few networks the last four.
    return [Control(label, graph[name]) for name, label in cells.items() if name in graph]


def layer_controls(graph: Graph, layers: int) -> list[Row]:
    """Those of a network with an initializer for each layer."""
    if "initializer_1" not in graph:
        return []
    labels = {"initializer": "Initializer of the layer", "custom_std": "Its custom std"}
    numbers = range(1, layers + 1)
    return [Row(label, [graph[f"{name}_{k}"] for k in numbers], "input") for name, label in labels.items()]


def network_hints(layers: Sequence[NetworkLayer]) -> list[str]:
    """What is said beside the yellow cells."""
    if all(layer.e is layer.W for layer in layers):
        return [CHOOSE]  # weights that are given
    hints = [CHOOSE, CUSTOM_COUNTS, INITIALIZER_NAMES]
    redrawn = any(drawn_as(layer.e) is not layer.e.source for layer in layers if drawn_as(layer.e))
    hints += [REDRAWS] if redrawn else []
    drawn = {source.law for layer in layers if (source := drawn_as(layer.e))} - {str(STANDARD)}
    if any(law.startswith("ones(") for law in drawn):
        hints.append("Weights of a layer with draws that are all 1 are equal: its standard deviation is their value.")
    elif drawn and redrawn:
        hints.append(f"Draws of weights are {', '.join(sorted(drawn))}: an initializer changes the deviation alone.")
    elif drawn:
        hints.append(
            f"Draws of weights stay as the book was made ({', '.join(sorted(drawn))}): a choice changes "
            "the standard deviation alone."
        )
    return hints


def matrix_sheets(x: Matrix, layers: Sequence[NetworkLayer | LayerGradient], activated: int) -> Iterator[Sheet]:
    """The input, and of each layer weights, pre-activations and, of so many first ones, activations.

    Raises SheetsimError for one that no sheet can hold.
    """
    check_size("x on sheet 'Input'", x.shape[0] + 1, x.shape[1] + 1)
    for layer in layers:
        rows, columns = layer.W.shape
        check_size(f"W_{layer.number} on sheet 'Weights {layer.number}'", rows + 1, columns + 1)
    words = "what goes in: a row a sample, a column an input"
    yield MatrixSheet("Input", x, "sample", constants=GIVEN, tab="input", words=words)
    for layer in layers:
        yield (GIVEN_WEIGHTS if layer.e is layer.W else WEIGHTS).sheet(layer.number, layer.W)
    yield from (SUMS.sheet(layer.number, layer.a) for layer in layers)
    yield from (OUTPUTS.sheet(layer.number, layer.z) for layer in layers[:activated])


def bias_page(layers: Sequence[Any]) -> Iterator[Page]:
    """The biases of layers with `number` and `b`, their draws and gradients; none if there are no biases."""
    biased = [layer for layer in layers if layer.b is not None]
    items: list[Item] = [Text(0, 0, "Biases by layer", "section")]
    row = 1
    for layer in biased:
        # The last: of a redrawn matrix the frozen one comes before it.
        draws = next((node for node in reversed(topological([layer.b])) if drawn_as(node)), None)
        parts = {"biases": layer.b, "draws": draws, "gradient": getattr(layer, "d_b", None)}
        for label, node in parts.items():
            if node is not None:
                items += [Text(row, 0, f"Layer {layer.number}: {label}", "label"), Block(row, 1, node)]
                row += 1
    if biased:
        words = "the layers' biases, and what goes with them"
        yield Page("Biases", tuple(items), {0: 22}, freeze=(1, 1), tab="weights", words=words)


def draws_sheets(layers: Sequence[NetworkLayer | LayerGradient]) -> Iterator[Sheet]:
    """The draws of the weights."""
    yield from (DRAWS.sheet(layer.number, layer.e) for layer in layers if layer.e is not layer.W)
