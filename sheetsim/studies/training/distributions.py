"""Distributions while networks learn: weights, biases, activations and gradients by step, as heat maps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Data, Matrix, absolute, frequency, log10
from sheetsim.model.graph import Graph
from sheetsim.model.layers import TrainedNetwork
from sheetsim.model.op import Array
from sheetsim.model.training import Batches, Recording
from sheetsim.studies.training.keys import PerLayer, TrainingKeys
from sheetsim.studies.training.networks import ComparedNetwork, MoreRecords, TaskData, identifier
from sheetsim.studies.training.study import Trained

if TYPE_CHECKING:
    from sheetsim.workbook.layout import Sheet

OF_STATE, OF_STEPS = "distributions", "step distributions"

# Bins of a heat map, and powers of ten that gradients' magnitudes are counted over.
BINS = 40
MAGNITUDES = (-10.0, 2.0)

# Added before the logarithm: gradients that are exactly 0 stand in the first bin.
TINY = 1e-300


class TrainingDistributions(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Distributions while networks learn: ReLU against sigmoid, with and without batch normalization.

    Three hidden layers, batch normalization, three more, dropout 0.25 and softmax. Heat maps are of the first run:
    weights, biases and gradients of the first and the last layer, and outputs of the first and the last hidden layer
    over a batch.

    Attributes
    ----------
    reach
        Weights and biases are counted from −reach to reach.
    """

    STUDY: ClassVar[str] = "training-distributions"
    TITLE: ClassVar[str] = "Distributions while networks learn"
    TABLES: ClassVar[tuple[str, ...]] = ("final", "curves", "differences")

    study: str = "training-distributions"
    validation_fraction: float = 0.1
    layers: list[int] = msgspec.field(default_factory=lambda: [32] * 6)
    batch_norm_place: str = "after"
    dropout: PerLayer = msgspec.field(default_factory=lambda: [0.0] * 5 + [0.25])
    initializer: str | float = "glorot uniform"
    optimizer: str = "adam"
    rate: float = 0.001
    batch: int = 128
    steps: int = 440
    every: int = 22
    seeds: int = 3
    reach: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1e-6 <= self.reach <= 1e6:
            raise SheetsimError(f"reach must be a number from 1e-6 to 1e6, not {self.reach:g}")

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """ReLU and sigmoid, each without and with batch normalization in the middle."""
        middle = [max(1, len(self.layers) // 2)]
        return tuple(
            {"name": name, "activation": activation, "batch_norm": middle if has else False}
            for activation in ("relu", "sigmoid")
            for name, has in ((activation, False), (f"{activation}, batch norm", True))
        )

    def edges(self) -> Array:
        """Of weights and biases."""
        return np.linspace(-self.reach, self.reach, BINS + 1)

    def more_records(self) -> MoreRecords | None:
        """Histograms by step: of parameters and outputs over the training part, and of gradients over a batch."""
        edges, powers = _column(self.edges()), _column(_powers())

        def records(
            net: TrainedNetwork,
            keys: TrainingKeys,
            data: TaskData,
            rows: Batches,
            loss: Matrix,
            gradients: Mapping[Matrix, Matrix],
        ) -> dict[str, Recording]:
            last = len(net.layers)
            chosen = [net.parameters[name] for name in _parameters(net)]
            of_state = {str(node.name): frequency(node, edges) for node in chosen}
            outputs = net.through(data.parts["train"][0]).outputs
            for k in sorted({1, last - 1}):
                of_state[f"z_{k}"] = frequency(outputs[k - 1], _column(self.output_edges(net, k)))
            of_steps = {
                f"d_W_{k}": frequency(log10(absolute(gradients[net.parameters[f"W_{k}"]]) + TINY), powers)
                for k in (1, last)
            }
            return {
                OF_STATE: Recording(of_state, keys.every, of_state=True),
                OF_STEPS: Recording(of_steps, keys.every),
            }

        return records

    def output_edges(self, net: TrainedNetwork, layer: int) -> Array:
        """Of the outputs of a hidden layer: its activation's bounds, or up to 3 · reach where it has none."""
        activation = ACTIVATIONS[net.layers[layer - 1].activation]
        low = activation.least if np.isfinite(activation.least) else -3 * self.reach
        high = activation.most if np.isfinite(activation.most) else 3 * self.reach
        # A bin ends at its upper edge: what is at the least bound stands below the first edge.
        return np.linspace(low, high, BINS + 1)

    def more_pages(self, graph: Graph, compared: Sequence[ComparedNetwork]) -> "list[Sheet]":
        """A page of heat maps for each network."""
        from sheetsim.studies.training.pages import heat_page

        pages: list[Sheet] = []
        for number, one in enumerate(compared, start=1):
            told = identifier(one.name)
            maps = []
            for part in (OF_STATE, OF_STEPS):
                records = one.training.records[part]
                for name in records.expressions:
                    leaf = one.training.of_first(part, name, f"histogram_{name}_{told}")
                    if str(leaf.name) not in graph:
                        graph.take(leaf, what="counts by step (rows) and bin (columns), of the first run")
                    edges = _powers() if part == OF_STEPS else self.edges()
                    if name.startswith("z_"):
                        edges = self.output_edges(one.network, int(name[2:]))
                    maps.append((_said(name), leaf, [float(edge) for edge in edges], records.steps(one.training.steps)))
            heading = f"{one.name}: distributions by step"
            note = (
                "Steps down, bins across: a bin is from the number above it to the next. The first run; outputs are "
                "those of the training part, gradients those of a step’s batch, as powers of ten of their magnitudes."
            )
            pages.append(heat_page(f"Distributions {number}", heading, note, maps, f"heat maps of {one.name}"))
        return pages


def _parameters(net: TrainedNetwork) -> list[str]:
    """Weights and biases of the first and the last layer."""
    last = len(net.layers)
    names = [f"{letter}_{k}" for letter in "Wb" for k in (1, last)]
    return [name for name in names if name in net.parameters]


def _powers() -> Array:
    return np.linspace(*MAGNITUDES, BINS + 1)


def _column(edges: Array) -> Matrix:
    return Matrix(Data(edges.reshape(-1, 1)), (), (len(edges), 1))


def _said(name: str) -> str:
    letters, _, number = name.rpartition("_")
    words = {
        "W": "Weights",
        "b": "Biases",
        "z": "Outputs",
        "d_W": "Gradients with respect to the weights, log₁₀ of their magnitudes,",
    }
    return f"{words[letters]} of layer {number}"
