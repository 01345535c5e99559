"""The study of gradient flow: samples through a network to a loss, and its gradients back through the layers.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from sheetsim.errors import SheetsimError
from sheetsim.model.backward import LOSSES, BackwardPass, backward_pass
from sheetsim.model.graph import Graph
from sheetsim.studies.forward.study import Forward, Scheme, check_scheme, chosen_initializer
from sheetsim.studies.gradient_flow.gradients import (
    FLOWS,
    GRADIENTS,
    flow_verdicts,
    gradient_histograms,
    gradient_table,
)
from sheetsim.studies.study import Findings, Study, check_one_of
from sheetsim.summary.layers import layer_table

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook
    from sheetsim.workbook.layout import Page

# What the output layer's drop-down and its cell beside it are.
OF_OUTPUT = (
    "the output layer's initializer, a drop-down",
    "the standard deviation that output_initializer uses for “custom”",
)


class GradientFlow(Forward, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `gradient-flow`: the network of `Forward` with a linear output layer, a loss, and its gradients.

    Attributes
    ----------
    histogram
        Bins alone: the range is that of the gradients.
    outputs
        Units of the linear output layer.
    output_initializer
        Scheme of the output layer's weights, as `initializer`.
    loss
        The loss.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "gradient-flow"
    TITLE: ClassVar[str] = "Gradient flow"
    TABLES: ClassVar[tuple[str, ...]] = (
        *("gradients", "layers", "histograms"),
        *("histograms-a", "histograms-d_a", "histograms-d_z", "histograms-d_W"),
    )
    SHEETS_A_LAYER: ClassVar[int] = 7
    SMALL: ClassVar[Mapping[str, int]] = {"samples": 40, "inputs": 10, "width": 10}

    study: str = "gradient-flow"
    outputs: int = 10
    output_initializer: Scheme = "xavier"
    loss: str = "mse"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.outputs < 1:
            raise SheetsimError(f"outputs must be at least 1, not {self.outputs}")
        for key in ("range", "reach", "tallest"):
            if getattr(self.histogram, key) is not None:
                raise SheetsimError(
                    f"histogram.{key} is only for the study forward: here each histogram has the range of its numbers"
                )
        if self.charts != "column":
            raise SheetsimError('charts other than "column" are only for the study forward')
        check_one_of("loss", self.loss, LOSSES)
        check_scheme(self.output_initializer)

    def build(self) -> Study:
        """The network with its backward pass, its tables and verdicts. Raises SheetsimError for unreadable data."""
        graph = Graph(seed=self.seed, draws=self.draws, redraw=self.redraw)
        network = self.network(graph)
        initializer = chosen_initializer(
            graph, "output_initializer", "output_custom_std", self.output_initializer, OF_OUTPUT
        )
        loss = graph.choice("loss", LOSSES, self.loss, what="the loss, a drop-down")
        flow = backward_pass(graph, network, self.outputs, initializer, loss)
        return Study(graph, self.title or self.TITLE, lambda: self._of_flow(graph, flow), self.is_full)

    def _of_flow(self, graph: Graph, flow: BackwardPass) -> Findings:
        table, layers = gradient_table(flow), layer_table(flow.network)
        words = flow_verdicts(graph, table, flow)
        histograms, curve = gradient_histograms(graph, flow, table, self.histogram.bins)

        # Once for all books of the study, which share their cells.
        @cache
        def traces() -> "Sequence[Page]":
            from sheetsim.studies.trace_pages import backward_traces

            return backward_traces(flow)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.gradient_flow.book import GradientFlowBook

            parts = graph, flow, table, layers, words, histograms, curve, traces
            return GradientFlowBook(self, *parts).sheets(command, live)

        return Findings(
            sheets,
            (table, layers),
            {"histograms": histograms["d_W"], **{f"histograms-{k}": histogram for k, histogram in histograms.items()}},
            words,
            FLOWS,
            (
                *(f"{d}_norm" for d in GRADIENTS),
                *("d_a_zeros", "d_a_ratio", "expected", "slope_square", "reach", "rate"),
            ),
        )

    def widths(self) -> list[int]:
        """The columns of each layer's pre-activations, the output layer's last."""
        return [*self.layers, self.outputs]
