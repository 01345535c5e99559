"""The sheets of a backward pass's matrices: targets, gradients from the output back, and what targets are made of."""

from collections.abc import Iterator

from sheetsim.model.backward import BackwardPass
from sheetsim.studies.network_sheets import OfLayers
from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, Sheet, Text

BY_OUTPUTS = OfLayers("d_z", "sample", "gradients", "gradients of the loss with respect to the activations")
BY_SUMS = OfLayers("d_a", "sample", "gradients", "gradients of the loss with respect to the pre-activations")
BY_WEIGHTS = OfLayers("d_W", "fan-in", "gradients", "gradients of the loss with respect to the weights")


def backward_sheets(flow: BackwardPass) -> Iterator[Sheet]:
    """The targets, and from the output back, as they are computed, the gradients."""
    yield MatrixSheet("Targets", flow.targets, "sample", tab="input", words="what the outputs should be")
    for step in reversed(flow.steps):
        if step.d_z is not step.d_a:
            yield BY_OUTPUTS.sheet(step.number, step.d_z)
        yield BY_SUMS.sheet(step.number, step.d_a)
        yield BY_WEIGHTS.sheet(step.number, step.d_W)


def target_sheets(flow: BackwardPass) -> Iterator[Sheet]:
    """Draws of the targets, the labels, and each sample's largest output."""
    words = "standard draws that targets are made of"
    yield MatrixSheet("Target draws", flow.random_targets, "sample", tab="draws", words=words)
    items: tuple[Item, ...] = (
        Text(0, 0, "draw", "column"),
        Text(0, 1, "label", "column"),
        Text(0, 3, "classes", "column"),
        Block(1, 0, flow.label_draws),
        Block(1, 1, flow.labels, "whole"),
        Block(0, 4, flow.classes, "column"),
    )
    words = "the samples' labels, and the draws that they are made of"
    yield Page("Labels", items, {0: 10, 1: 8}, freeze=(1, 0), tab="draws", words=words)
    items = (
        *(Text(0, k, f"of {k + 1}", "column") for k in range(len(flow.maxima))),
        *(Block(1, k, node) for k, node in enumerate(flow.maxima)),
    )
    yield Page("Shift", items, freeze=(1, 0), words="each sample's greatest output, taken off before EXP")
