"""A trained network as live sheets: weights of a chosen checkpoint, held-out samples through it, and what it says."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    apply,
    choose,
    column,
    column_sum,
    equal,
    floor,
    row_sum,
    sigmoid,
    softmax,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.layers import CROSS_ENTROPY, LOGISTIC, SQUARES, TrainedNetwork, accuracy, data_loss
from sheetsim.studies.training.networks import ComparedNetwork, TaskData
from sheetsim.workbook.layout import Block, Colors, Item, MatrixSheet, Number, Page, Sheet, Text

# Held-out samples that pass through the live network, and classes that a chain of conditions distinguishes.
MOST_SAMPLES = 200
MOST_CLASSES = 30

# Numbers of weights that a book holds: of all checkpoints, and of the last one alone.
MOST_WEIGHTS, MOST_WEIGHTS_AT_ALL = 1_500_000, 500_000

# Its title.
NETWORK_PAGE = "Network"


class LiveNetwork(Struct, frozen=True):
    """The matrices of a trained network in a graph.

    checkpoint: the drop-down; kept: by parameter its value at each checkpoint; values: at the chosen one; passed: named
    matrices of the pass, in their order; x, y: the held-out samples; told: what is said of them by name.
    """

    name: str
    part: str
    checkpoint: Matrix
    kept: Mapping[str, Sequence[Matrix]]
    values: Mapping[str, Matrix]
    passed: Sequence[Matrix]
    x: Matrix
    y: Matrix
    told: Mapping[str, Matrix]


def weights_of(one: ComparedNetwork) -> int:
    """The numbers of a network's parameters and running averages."""
    nodes = [*one.network.parameters.values(), *one.network.averages.values()]
    return sum(node.shape[0] * node.shape[1] for node in nodes)


def live_network(graph: Graph, one: ComparedNetwork, data: TaskData) -> LiveNetwork | None:
    """The network's live matrices, named in the graph; None where it has too many weights for a book."""
    count = weights_of(one)
    if count > MOST_WEIGHTS_AT_ALL:
        return None
    steps = one.training.kept if count * len(one.training.kept) <= MOST_WEIGHTS else one.training.kept[-1:]
    # Without a comma, which would part a drop-down's texts.
    options = [f"after step {step}" for step in steps]
    checkpoint = graph.choice("checkpoint", options, options[-1], what="whose weights the network has, a drop-down")
    net = one.network
    kept, values = {}, {}
    for name, variable in {**net.parameters, **net.averages}.items():
        leaves = [one.training.kept_state(variable, step, f"{name}_step_{step}") for step in steps]
        for leaf in leaves:
            graph.take(leaf, what=f"{_words(name)} as it was trained, by checkpoint")
        kept[name] = leaves
        chosen = choose(checkpoint, dict(zip(options, leaves, strict=True))) if len(leaves) > 1 else leaves[0] * 1
        values[name] = graph.define(name, chosen, what=f"{_words(name)} at the chosen checkpoint")
    part = "test" if "test" in data.parts else "train"
    x_all, y_all = (node.source.values[:MOST_SAMPLES] for node in data.parts[part])  # type: ignore[union-attr]
    x = graph.input("x", x_all, what=f"samples of the {part} part, a row each")
    y = graph.input("y", y_all, what="what they are: one-hot classes, 0 or 1, or numbers")
    passed: list[Matrix] = []

    def named(name: str, node: Matrix) -> Matrix:
        passed.append(graph.define(name, node, what=_PASS[name[0]]))
        return passed[-1]

    logits = net.through(x, values, named=named).logits
    told = _told(graph, data, logits, y) | _of_sample(graph, net, values, data, logits, x)
    return LiveNetwork(one.name, part, checkpoint, kept, values, passed, x, y, told)


_PASS = {
    "a": "pre-activations: what goes into the layer times its weights, and the bias",
    "n": "what batch normalization makes of it, by the running averages",
    "z": "activations f of the sums",
}

# By the first part of a name: the title of its sheets, and what it is.
_PARAMETERS = {
    "W": ("Weights", "weights"),
    "b": ("Bias", "biases"),
    "gamma": ("Gamma", "scale γ of batch normalization"),
    "beta": ("Beta", "shift β of batch normalization"),
    "mean": ("Mean", "running mean of batch normalization"),
    "variance": ("Variance", "running variance of batch normalization"),
}
_TITLES = {"a": "Linear", "n": "Normalized", "z": "Activation"}


def _title(name: str) -> str:
    letters, _, number = name.rpartition("_")
    return f"{_PARAMETERS[letters][0]} {number}"


def _words(name: str) -> str:
    return _PARAMETERS[name.rpartition("_")[0]][1]


def _told(graph: Graph, data: TaskData, logits: Matrix, y: Matrix) -> dict[str, Matrix]:
    """Loss, and of classes probabilities, predictions, accuracy and the confusion matrix."""
    told = {"loss": graph.define("live_loss", data_loss(data.kind, logits, y), what="loss of the shown samples")}
    classes = len(data.whole.class_names)
    if data.kind == SQUARES or not 2 <= classes <= MOST_CLASSES:
        return told
    numbers = graph.input("classes", np.arange(1.0, classes + 1), what="the numbers of the classes")
    told["classes"] = numbers
    told["p"] = graph.define(
        "p", _probabilities(data.kind, logits), what="probabilities of the classes, a row a sample"
    )
    label = y @ numbers.T if data.kind == CROSS_ENTROPY else y + 1
    told["label"] = graph.define("label", label, what="the number of each sample's class")
    told["predicted"] = graph.define(
        "predicted", _predicted(data.kind, logits, classes), what="the class that the network says, the first of equals"
    )
    counts = equal(told["label"], numbers).T @ equal(told["predicted"], numbers)
    told["confusion"] = graph.define(
        "confusion", counts, kind="count", what="how many samples of a class (row) are said to be of a class (column)"
    )
    told["accuracy"] = graph.define(
        "live_accuracy", accuracy(data.kind, logits, y), what="share of the shown samples that is right"
    )
    return told


def _probabilities(kind: str, logits: Matrix) -> Matrix:
    return softmax(logits) if kind == CROSS_ENTROPY else sigmoid(logits)


def _predicted(kind: str, logits: Matrix, classes: int) -> Matrix:
    if kind == LOGISTIC:
        return where(logits > 0, 2, 1)
    result = logits if classes < 1 else None
    for number in range(classes, 0, -1):
        greatest = row_sum(logits > column(logits, number)) < 0.5
        result = row_sum(logits * 0) + number if result is None else where(greatest, number, result)
    assert result is not None
    return result


def _of_sample(
    graph: Graph,
    net: TrainedNetwork,
    values: Mapping[str, Matrix],
    data: TaskData,
    logits: Matrix,
    x: Matrix,
) -> dict[str, Matrix]:
    """One sample that a person chooses, and one that a person draws where samples are pictures."""
    count = x.shape[0]
    if data.kind == SQUARES or not 2 <= len(data.whole.class_names) <= MOST_CLASSES:
        return {}
    sample = graph.input("sample", 1.0, (1, 1), what=f"the number of a sample, 1 to {count}")
    number = where(sample < 1, 1, where(sample > count, count, floor(sample)))
    told = {"sample": sample}
    told["sample_p"] = graph.define(
        "sample_p",
        apply("row", _probabilities(data.kind, logits), number),
        what="what the network says of the chosen sample",
    )
    shape = data.whole.image_shape
    if shape is None:
        return told
    rows, columns = shape
    tile = np.tile(np.eye(columns), (1, rows))
    keep = np.repeat(np.eye(rows), columns, axis=1)
    told["tile"] = graph.input("tile", tile, what="1 where a pixel of the row is of the picture's column")
    told["keep"] = graph.input("keep", keep, what="1 where a pixel of the row is of the picture's row")
    chosen = apply("row", x, number)
    told["picture"] = graph.define(
        "picture", (told["keep"] * chosen) @ told["tile"].T, what="the chosen sample as a picture"
    )
    first = (keep * x.source.values[0]) @ tile.T  # type: ignore[union-attr]
    told["drawn"] = graph.input("drawn", first, what="a picture to draw in: its pixels are yellow cells")
    flat = graph.define(
        "drawn_x",
        column_sum((told["drawn"] @ told["tile"]) * told["keep"]),
        what="the drawn picture as a row of pixels",
    )
    told["drawn_x"] = flat

    def named(name: str, node: Matrix) -> Matrix:
        told[f"drawn_{name}"] = graph.define(f"drawn_{name}", node, what=f"of the drawn picture: {_PASS[name[0]]}")
        return told[f"drawn_{name}"]

    said = _probabilities(data.kind, net.through(flat, values, named=named).logits)
    told["drawn_p"] = graph.define("drawn_p", said, what="what the network says of the drawn picture")
    return told


def network_page(live: LiveNetwork, data: TaskData, changes: bool) -> Page:
    """The page Network: what the network says of the held-out samples, of one of them, and of a drawn picture.

    changes: whether the book has formulas.
    """
    told, names = live.told, data.whole.class_names
    part = "training" if live.part == "train" else live.part
    rows = live.x.shape[0]
    cut = data.shown_samples
    shown = f"The first {rows:,} of {cut:,} samples" if rows < cut else f"All {rows:,} samples"
    through = f"{shown} of the {part} part pass through the first run's network"
    said = (
        f"{through}, by formulas. Change a weight of a checkpoint (sheets Trained …), a sample, or the yellow cells, "
        "and all follows."
    )
    items: list[Item] = [
        Text(0, 0, f"The trained network {live.name}", "title", 12),
        Text(1, 0, said if changes else f"{through}.", "text"),
        Text(2, 0, "Checkpoint", "label"),
        Block(2, 1, live.checkpoint, "input"),
        Text(2, 4, "loss", "label"),
        Block(2, 5, told["loss"], "number"),
    ]
    widths: dict[int, float] = {0: 22, 1: 16} | dict.fromkeys(range(2, 60), 7.0)
    if "accuracy" in told:
        items += [Text(3, 4, "accuracy", "label"), Block(3, 5, told["accuracy"], "percent")]
        items += [Text(3, 0, "Sample", "label"), Block(3, 1, told["sample"], "input")]
    areas = []
    row = 5
    if "sample_p" in told:
        classes = list(names) if data.kind == CROSS_ENTROPY else [names[1]]
        items += [Text(row, 0, "Probability of", "heading-left"), Text(row, 1, " ", "heading")]
        items += [Text(row, c, name, "heading", is_name=True) for c, name in enumerate(classes, start=2)]
        items += [Text(row + 1, 0, "the chosen sample", "label"), Block(row + 1, 2, told["sample_p"], "percent")]
        areas.append((row + 1, 2, *told["sample_p"].shape))
        row += 2
        if "drawn_p" in told:
            items += [Text(row, 0, "the drawn picture", "label"), Block(row, 2, told["drawn_p"], "percent")]
            areas.append((row, 2, *told["drawn_p"].shape))
            row += 1
    row += 1
    pictures = []
    if "picture" in told:
        _, across = told["picture"].shape
        second = 3 + across
        items += [
            Text(row, 0, "the chosen sample", "section"),
            Text(row, second, "draw here: the yellow cells", "section"),
        ]
        items += [Block(row + 1, 2, told["picture"], "pixel"), Block(row + 1, second, told["drawn"], "input")]
        pictures = [(row + 1, 2, *told["picture"].shape), (row + 1, second, *told["drawn"].shape)]
        row += told["picture"].shape[0] + 2
    if "confusion" in told:
        items += [Text(row, 0, "Confusion matrix", "section")]
        items += [Text(row + 1, 0, "class", "heading-left"), Text(row + 1, 1, "said to be", "heading")]
        items += [Text(row + 1, c, name, "heading", is_name=True) for c, name in enumerate(names, start=2)]
        items += [Text(row + 2 + k, 0, name, "index", is_name=True) for k, name in enumerate(names)]
        items.append(Block(row + 2, 2, told["confusion"], "count"))
        areas.append((row + 2, 2, *told["confusion"].shape))
    items += [Colors((area,)) for area in areas]
    if pictures:
        items.append(Colors(tuple(pictures)))
    return Page(
        NETWORK_PAGE, tuple(items), widths, {0: 28}, tab="results", words="a trained network, live", freeze=(1, 0)
    )


def network_sheets(live: LiveNetwork) -> list[Sheet]:
    """The sheets of the live network's matrices."""
    told = live.told
    sheets: list[Sheet] = [
        MatrixSheet("Samples", live.x, "sample", constants="given", tab="input", words="held-out samples, a row each"),
        MatrixSheet("Targets", live.y, "sample", constants="given", tab="input", words="what the samples are"),
    ]
    for name, node in live.values.items():
        sheets.append(MatrixSheet(_title(name), node, tab="weights", words=f"{_words(name)} at the chosen checkpoint"))
    for node in live.passed:
        name = str(node.name)
        tab = "sums" if name.startswith("a") else "activations"
        title = f"{_TITLES[name[0]]} {name.rpartition('_')[2]}"
        sheets.append(MatrixSheet(title, node, "sample", tab=tab, words=_PASS[name[0]]))
    if "p" in told:
        sheets.append(MatrixSheet("Probabilities", told["p"], "sample", tab="activations", words="softmax of the sums"))
        items: list[Item] = [
            Text(0, 0, "sample", "index"),
            Text(0, 1, "label", "column"),
            Text(0, 2, "predicted", "column"),
        ]
        items += [Number(1 + k, 0, float(1 + k), "index") for k in range(live.x.shape[0])]
        items += [Block(1, 1, told["label"], "whole"), Block(1, 2, told["predicted"], "whole")]
        items += [Text(0, 4, "classes", "index"), Block(0, 5, told["classes"], "whole")]
        sheets.append(
            Page("Predictions", tuple(items), {}, freeze=(1, 1), words="the class of each sample, and what is said")
        )
    for name, leaves in live.kept.items():
        sheets.append(_kept_page(name, leaves))
    passed = [node for name, node in told.items() if name.startswith("drawn_") and name != "drawn_p"]
    if passed:
        rows: list[Item] = [Text(0, 0, "matrix", "index")]
        for k, node in enumerate(passed, start=1):
            rows += [Text(k, 0, str(node.name), "index"), Block(k, 1, node)]
        sheets.append(Page("Drawn", tuple(rows), {0: 14}, freeze=(1, 1), words="the drawn picture through the network"))
    for part in ("tile", "keep"):
        if part in told:
            words = "constants that make one row of a picture's pixels"
            sheets.append(MatrixSheet(part.capitalize(), told[part], tab="draws", words=words))
    return sheets


def _kept_page(name: str, leaves: Sequence[Matrix]) -> Page:
    items: list[Item] = []
    top = 0
    for leaf in leaves:
        items.append(Text(top, 0, str(leaf.name), "heading-left"))
        items.append(Block(top + 1, 0, leaf, "number"))
        top += leaf.shape[0] + 2
    return Page(
        f"Trained {_title(name)}", tuple(items), {}, tab="weights", words=f"{_words(name)} as trained, by checkpoint"
    )
