"""The networks that a study of training compares: each as a training of expressions, with what is recorded of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from msgspec import Struct

from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, largest
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.layers import (
    CROSS_ENTROPY,
    LOGISTIC,
    SQUARES,
    TrainedNetwork,
    accuracy,
    data_loss,
    distinct_units,
    entropy_of,
    network,
    penalty,
)
from sheetsim.model.op import Array
from sheetsim.model.training import Batches, Recording, StateVariable, TrainingLoop, batches, slot, updated
from sheetsim.studies.data_sets.records import Records
from sheetsim.studies.data_sets.source import DataSource, load_records
from sheetsim.studies.data_sets.split import DataSet, split_records
from sheetsim.studies.training.keys import TrainingKeys

# The records of the state: what curves are made of.
CURVES = "curves"

# What is recorded of each part of the data: its letter in names, and how a person calls it.
PARTS = {"train": "", "validation": "validation_", "test": "test_"}

MATRICES = {
    "x_train": "inputs of the training part, samples × inputs",
    "y_train": "what is to be learned of the training part: one-hot classes, or numbers",
    "x_validation": "inputs of the validation part",
    "y_validation": "what is to be learned of the validation part",
    "x_test": "inputs of the test part, which is not trained on",
    "y_test": "what is to be learned of the test part",
}


class TaskData(Struct, frozen=True):
    """The data as matrices: x and y of each part.

    kind: the loss that suits, one of LOSSES; whole: the data set; digests: of each file its name and SHA-256.
    """

    whole: DataSet
    kind: str
    parts: Mapping[str, tuple[Matrix, Matrix]]
    digests: Sequence[tuple[str, str]]

    @property
    def shown_samples(self) -> int:
        """The samples of the part that the live network is shown with."""
        return self.parts["test" if "test" in self.parts else "train"][0].shape[0]

    @property
    def outputs(self) -> int:
        """The units of the last layer."""
        return self.parts["train"][1].shape[1]


class ComparedNetwork(Struct, frozen=True):
    """A network of the comparison: its keys, slots and training.

    curves: by quantity (loss, accuracy, …) the recorded numbers, recorded steps × runs; steps: the numbers of these;
    ended: by run the step whose loss was not finite, NaN where there was none, runs × 1.
    """

    name: str
    keys: TrainingKeys
    network: TrainedNetwork
    training: TrainingLoop
    curves: Mapping[str, Matrix]
    steps: Sequence[int]
    ended: Matrix


# More records of a network, by name: of its slots, its keys, the data, the batch, a step's loss, and gradients by slot.
MoreRecords = Callable[
    [TrainedNetwork, TrainingKeys, TaskData, Batches, Matrix, Mapping[Matrix, Matrix]], dict[str, Recording]
]


def identifier(name: str) -> str:
    """A network's name as a part of matrices' names."""
    return re.sub(r"\W+", "_", name.replace(".", "_")).strip("_") or "network"


@lru_cache(maxsize=1)
def _records(source: DataSource, changed: float) -> Records:
    """Every sample. changed: when a file of it was, so that another one of that name is read again."""
    return load_records(source)


@lru_cache(maxsize=2)
def _data_set(source: DataSource, seed: int, changed: float) -> tuple[DataSet, tuple[tuple[str, str], ...]]:
    records = _records(source, changed)
    return split_records(records, source, seed), records.sha256


def _changed(source: DataSource) -> float:
    """When the files were changed last, 0 for a set that is no file."""
    times = [0.0]
    for name in (source.data, source.labels):
        with suppress(OSError):
            times.append(Path(name or "").stat().st_mtime if name and Path(name).suffix else 0.0)
    return max(times)


def task_data(graph: Graph, keys: TrainingKeys) -> TaskData:
    """The data of a study in its graph. Raises SheetsimError for data that the loss does not suit."""
    whole, digests = _data_set(keys.source, keys.seed, _changed(keys.source))
    classes = len(whole.class_names)
    suits = CROSS_ENTROPY if classes > 2 else LOGISTIC if classes == 2 else SQUARES
    kind = keys.loss or suits
    if classes == 0 and kind != SQUARES:
        raise SheetsimError(
            f"loss: {kind} needs classes, but the target {whole.target_name} is a number: use {SQUARES}"
        )
    if kind == LOGISTIC and classes > 2:
        raise SheetsimError(f"loss: {LOGISTIC} is for two classes, but the data have {classes}: use {CROSS_ENTROPY}")
    parts = {}
    for part in PARTS:
        x, y = getattr(whole, f"{part}_x"), getattr(whole, f"{part}_y")
        if len(x):
            names = f"x_{part}", f"y_{part}"
            x_node = graph.input(names[0], x, what=MATRICES[names[0]])
            y_node = graph.input(names[1], _targets(y, classes, kind), what=MATRICES[names[1]])
            parts[part] = x_node, y_node
    return TaskData(whole, kind, parts, digests)


def _targets(y: Array, classes: int, kind: str) -> Array:
    if classes == 0 or kind == LOGISTIC:
        return np.asarray(y, dtype=np.float64).reshape(-1, 1)
    return np.eye(classes)[np.asarray(y, dtype=np.int64)]


def baseline(graph: Graph, data: TaskData) -> Matrix:
    """The least training loss of outputs that do not look at the input, named `entropy`.

    That of the classes, or half the variance of numbers.
    """
    y = data.parts["train"][1].source.values  # type: ignore[union-attr]
    if data.kind == SQUARES:
        spread = graph.input("spread", float(y.var(axis=0).sum()), what="variance of the numbers to be learned")
        return graph.define("entropy", spread / 2, what="half the variance: the loss of the mean")
    counts = graph.input(
        "class_counts", _counts(data, "train"), what="how many samples of each class the training part has"
    )
    return graph.define("entropy", entropy_of(counts), what="entropy of the training part’s classes, in nats")


def _counts(data: TaskData, part: str) -> Array:
    """Samples by class, classes × 1."""
    numbers = getattr(data.whole, f"{part}_y")
    return np.bincount(numbers, minlength=len(data.whole.class_names)).astype(float).reshape(-1, 1)


def compared_network(
    graph: Graph,
    name: str,
    keys: TrainingKeys,
    data: TaskData,
    *,
    more: MoreRecords | None = None,
    kept: Sequence[int] = (),
) -> ComparedNetwork:
    """A network's training: forward pass, loss, gradients and update, and its curves as leaves of the graph."""
    x, y = data.parts["train"]
    net = network(x.shape[1], keys.dense_layers(x.shape[1], data.outputs), keys.seed)
    size = keys.batch or x.shape[0]
    if size > x.shape[0]:
        raise SheetsimError(
            f"batch: {size:,} rows are more than the {x.shape[0]:,} of the training part; 0 takes all at each step"
        )
    rows = batches({"x": x, "y": y}, size, keys.order)
    masks = net.masks(size)
    passed = net.through(rows["x"], masks={number: mask.slot for number, mask in masks.items()})
    loss = data_loss(data.kind, passed.logits, rows["y"], keys.summed)
    decay = penalty(net.weights, 0.0 if keys.decoupled else keys.weight_decay, keys.l1)
    objective = loss if decay is None else loss + decay
    parameters = list(net.parameters.values())
    gradients = grad(objective, parameters)
    step = slot("step", (1, 1))
    places = [(node, net.starts[key]) for key, node in net.parameters.items()]
    state = updated(keys.rule(), places, net.weights, gradients, step, keys.steps) + [
        StateVariable(average, net.starts[str(average.name)], passed.running[average])
        for average in net.averages.values()
    ]
    records = {CURVES: _curves(net, data, keys)}
    if more is not None:
        by_slot = dict(zip(parameters, gradients, strict=True))
        records |= more(net, keys, data, rows, objective, by_slot)
    training = TrainingLoop(
        name,
        keys.steps,
        tuple(state),
        objective,
        rows,
        step,
        keys.seed,
        tuple(masks.values()),
        records,
        tuple(kept),
        keys.seeds,
    )
    told = identifier(name)
    curves = {}
    for column in records[CURVES].columns:
        leaf = training.by_run(CURVES, column, f"{column}_{told}")
        graph.take(leaf, what=f"{QUANTITIES[column]}, by recorded step and run")
        curves[column] = leaf
    ended = graph.take(training.ended(f"ended_{told}"), what="by run the step whose loss was not finite, if any")
    return ComparedNetwork(name, keys, net, training, curves, records[CURVES].steps(keys.steps), ended)


QUANTITIES = {
    "loss": "loss of the training part, without penalties and dropout",
    "accuracy": "share of the training part that is classified right",
    "validation_loss": "loss of the validation part",
    "validation_accuracy": "share of the validation part that is classified right",
    "test_loss": "loss of the test part",
    "test_accuracy": "share of the test part that is classified right",
    "units": "the most distinct hidden units of a layer; units are equal if their incoming weights and bias agree to 6 "
    "digits",
}


def _curves(net: TrainedNetwork, data: TaskData, keys: TrainingKeys) -> Recording:
    """Loss and accuracy of each part, with running averages and without dropout, and the number of distinct units."""
    made: dict[str, Matrix] = {}
    for part, prefix in PARTS.items():
        if part in data.parts:
            x, y = data.parts[part]
            logits = net.through(x).logits
            made[f"{prefix}loss"] = data_loss(data.kind, logits, y)
            if data.kind != SQUARES:
                made[f"{prefix}accuracy"] = accuracy(data.kind, logits, y)
    hidden = range(1, len(net.layers))
    counts = [distinct_units(net.parameters[f"W_{k}"], net.parameters.get(f"b_{k}")) for k in hidden]
    made["units"] = largest(*counts)
    return Recording(made, keys.every, of_state=True)
