"""A training: one step as expressions, made once and run as often as needed. It computes no value.

A step is given the state (parameters, and what the optimizer keeps of each), rows of the data, draws of its own and its
number, and gives the state after it. All of these are slots: leaves that have no value but the one that is given.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from sheetsim.arguments import listed, whole
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution, child_seed, stream
from sheetsim.model.expr import Matrix, Outcome, Slot
from sheetsim.model.grad import grad
from sheetsim.model.op import Array, Shape
from sheetsim.model.packing import packed, unpacked
from sheetsim.model.update_rules import Optimizer

# In which order a training takes the rows of its data: `epochs` goes through all in an order of its own each time, and
# leaves out what is too little for a batch; `random` draws each batch again, without a row twice; `fixed` has the first
# rows at every step.
ORDERS = ("epochs", "random", "fixed")

# The stream of the data's order.
ROWS = "rows"

# A part of the results: one column of records, a column a run.
BY_RUN = "by run"

# Another: by run, the step whose loss was not finite.
ENDED = "ended"

# Another: all columns of one expression, of the first run.
FIRST_RUN = "first run"


def slot(name: str, shape: Shape) -> Matrix:
    """A leaf whose value is given at each step."""
    return Matrix(Slot(), (), shape, name)


class StateVariable(NamedTuple):
    """What goes from step to step: where the step is given it, what it is at first, and what it is afterwards."""

    slot: Matrix
    start: Matrix
    after: Matrix


class Batches(Struct, frozen=True, eq=False):
    """Rows that are taken of data at each step, the same ones of each matrix.

    data: matrices of given numbers with one number of rows; slots: where the step is given theirs; size: rows of a
    batch; order: one of ORDERS.
    """

    data: Mapping[str, Matrix]
    slots: Mapping[str, Matrix]
    size: int
    order: str

    def __getitem__(self, name: str) -> Matrix:
        try:
            return self.slots[name]
        except KeyError:
            raise SheetsimError(f"the batches have no data {name!r}; they have {', '.join(self.slots)}") from None

    @property
    def rows(self) -> int:
        """The rows of the data."""
        return next(iter(self.data.values())).shape[0]

    def taken(self, seed: int) -> Iterator[np.ndarray | None]:
        """The numbers of the rows of each step, from 0; None for all, in their order."""
        if self.size == self.rows:
            while True:
                yield None
        if self.order == "fixed":
            first = np.arange(self.size)
            while True:
                yield first
        number = 0
        while True:
            generator = stream(seed, f"{ROWS}_{number}")
            number += 1
            if self.order == "random":
                yield generator.choice(self.rows, self.size, replace=False)
                continue
            order = generator.permutation(self.rows)
            for first_row in range(0, self.rows - self.size + 1, self.size):
                yield order[first_row : first_row + self.size]


def batches(data: Mapping[str, Matrix], size: int, order: str = "epochs") -> Batches:
    """Batches of the data's rows. Raises SheetsimError for sizes and orders that cannot be."""
    if not data or len({node.shape[0] for node in data.values()}) != 1:
        raise SheetsimError("batches: all data must be matrices with the same number of rows")
    rows = next(iter(data.values())).shape[0]
    if order not in ORDERS:
        raise SheetsimError(f"batches: order must be one of {', '.join(ORDERS)}, not {order!r}")
    if not 1 <= size <= rows:
        raise SheetsimError(f"batches: a batch of {size:,} rows cannot be taken from {rows:,}")
    slots = {name: slot(name, (size, node.shape[1])) for name, node in data.items()}
    return Batches(dict(data), slots, size, order)


class StepDraw(NamedTuple):
    """New draws at each step, each from a stream of its own: that of `stream` and the step's number."""

    slot: Matrix
    distribution: Distribution
    stream: str


class Recording(Struct, frozen=True, dict=True):
    """Numbers that are kept on the way: expressions, at each so many steps and at the last one.

    expressions: by column, 1 × 1 or 1 × n or n × 1 each; of_state: of the state and data alone, and so also before the
    first step (0); else of a step, with all that it is given, before its change of the state (steps from 1).
    """

    expressions: Mapping[str, Matrix]
    every: int = 1
    of_state: bool = False

    def steps(self, last: int) -> list[int]:
        """The numbers of the steps that are kept."""
        first = 0 if self.of_state else 1
        return sorted({*range(first, last + 1, self.every), last})

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns, one a number; of an expression of several numbers with their place behind the name."""
        names: list[str] = []
        for name, node in self.expressions.items():
            count = node.shape[0] * node.shape[1]
            names += [name] if count == 1 else [f"{name}_{k}" for k in range(1, count + 1)]
        return tuple(names)


# Fields of a training that hold nodes.
_OF_NODES = ("state", "loss", "step", "batches", "draws", "records", "_outcomes")


@dataclass(frozen=True, eq=False)
class TrainingLoop:
    """Steps from a start, for one seed or several.

    steps: how many; state: see StateVariable; loss: of a step, 1 × 1: the training ends where it is not finite,
    and what it would have recorded is then NaN; batches: None where a step takes no rows; draws: see StepDraw; step:
    the slot of its number, from 1; records: by name; kept: after which steps the state is kept, 0 before the first;
    seed: of the run, from which all draws come; seeds: in how many runs, each with a seed of its own.
    """

    name: str
    steps: int
    state: tuple[StateVariable, ...]
    loss: Matrix
    batches: Batches | None
    step: Matrix
    seed: int
    draws: tuple[StepDraw, ...] = ()
    records: Mapping[str, Recording] = field(default_factory=dict)
    kept: tuple[int, ...] = ()
    seeds: int = 1
    _outcomes: dict[Hashable, Matrix] = field(default_factory=dict)

    def nodes(self) -> list[Matrix]:
        """All that a step is made of, each once, in an order of their own."""
        nodes = [node for variable in self.state for node in variable]
        nodes += [self.loss, self.step]
        if self.batches is not None:
            nodes += [*self.batches.data.values(), *self.batches.slots.values()]
        nodes += [draw.slot for draw in self.draws]
        nodes += [node for records in self.records.values() for node in records.expressions.values()]
        return list(dict.fromkeys(nodes))

    def __getstate__(self) -> dict[str, Any]:
        # Nodes as a list: see `packing`. Outcomes are leaves of graphs, which have them.
        nodes = self.nodes()
        packed_nodes, places = packed(nodes)
        at = places.__getitem__
        batches = self.batches
        return {
            **{key: value for key, value in self.__dict__.items() if key not in _OF_NODES},
            "nodes": packed_nodes,
            "state": [tuple(map(at, variable)) for variable in self.state],
            "loss": at(self.loss),
            "step": at(self.step),
            "batches": None
            if batches is None
            else (
                {name: at(node) for name, node in batches.data.items()},
                {name: at(node) for name, node in batches.slots.items()},
                batches.size,
                batches.order,
            ),
            "draws": [(at(draw.slot), draw.distribution, draw.stream) for draw in self.draws],
            "records": {
                name: ({column: at(node) for column, node in one.expressions.items()}, one.every, one.of_state)
                for name, one in self.records.items()
            },
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        nodes = unpacked(state.pop("nodes"))

        def of(places: Mapping[str, int]) -> dict[str, Matrix]:
            return {name: nodes[place] for name, place in places.items()}

        if state["batches"] is not None:
            data, slots, size, order = state["batches"]
            state["batches"] = Batches(of(data), of(slots), size, order)
        state["state"] = tuple(StateVariable(*(nodes[place] for place in places)) for places in state["state"])
        state["draws"] = tuple(StepDraw(nodes[place], law, name) for place, law, name in state["draws"])
        state["records"] = {name: Recording(of(one), *more) for name, (one, *more) in state["records"].items()}
        state |= {"loss": nodes[state["loss"]], "step": nodes[state["step"]], "_outcomes": {}}
        self.__dict__.update(state)

    def seed_of(self, run: int, seed: int | None = None) -> int:
        """The seed of a run from 0: that of the first is the training's own; seed: in place of the training's."""
        base = self.seed if seed is None else seed
        return base if run == 0 else child_seed(base, run - 1)

    def by_run(self, part: str, column: str, name: str | None = None) -> Matrix:
        """One column of records as a leaf of a graph: kept steps × runs."""
        records = self.records[part]
        steps = len(records.steps(self.steps))
        return self._leaf((BY_RUN, part, records.columns.index(column)), (steps, self.seeds), name)

    def ended(self, name: str | None = None) -> Matrix:
        """By run, the step whose loss was not finite, NaN where there was none, as a leaf: runs × 1."""
        return self._leaf(ENDED, (self.seeds, 1), name)

    def of_first(self, part: str, column: str, name: str | None = None) -> Matrix:
        """Recording of an expression of several numbers, of the first run, as a leaf: kept steps × numbers."""
        records = self.records[part]
        node = records.expressions[column]
        return self._leaf(
            (FIRST_RUN, part, column), (len(records.steps(self.steps)), node.shape[0] * node.shape[1]), name
        )

    def kept_state(self, variable: Matrix, step: int, name: str | None = None) -> Matrix:
        """A state's value after a step at which it is kept, of the first run."""
        number = next((k for k, one in enumerate(self.state) if one.slot is variable), None)
        if number is None or step not in self.kept:
            raise SheetsimError(f"{self.name}: {variable.name} is not kept at step {step}")
        return self._leaf((number, step), variable.shape, name)

    def _leaf(self, part: Hashable, shape: Shape, name: str | None) -> Matrix:
        if part not in self._outcomes:
            self._outcomes[part] = Matrix(Outcome(self, part), (), shape, name)
        return self._outcomes[part]


def updated(
    optimizer: Optimizer,
    parameters: Sequence[tuple[Matrix, Matrix]],
    weights: Collection[Matrix],
    gradients: Sequence[Matrix],
    step: Matrix,
    steps: int,
) -> list[StateVariable]:
    """Parameters after a step, and what the optimizer keeps of each, which begins at 0.

    parameters: the slot of each and what it is at first; weights: those slots that decay; gradients: by each, in their
    order; step: the slot of the step's number; steps: of the whole training.
    """
    rate = optimizer.rate_at(step, steps)
    moved, kept = [], []
    for (place, start), gradient in zip(parameters, optimizer.clipped(gradients), strict=True):
        letters = {letter: slot(f"{letter}_{place.name}", place.shape) for letter in optimizer.starts(place)}
        after, state_after = optimizer.after(place, gradient, letters, step, rate, place in weights)
        moved.append(StateVariable(place, start, after))
        kept += [StateVariable(letters[one], start * 0, state_after[one]) for one in letters]
    return moved + kept


class TrainedModel:
    """A training of a person's own model, and what it gives as matrices of the model.

    loss: of each step, steps × runs.
    """

    def __init__(
        self, training: TrainingLoop, loss: Matrix, records: Mapping[str, Matrix], ends: Mapping[Matrix, Matrix]
    ) -> None:
        self.training = training
        self.loss = loss
        self._records = dict(records)
        self._ends = dict(ends)

    def __getitem__(self, name: str) -> Matrix:
        """What was recorded under a name: kept steps × runs, or × numbers, of the first run, where it is several."""
        try:
            return self._records[name]
        except KeyError:
            names = ", ".join(self._records) or "nothing"
            raise SheetsimError(f"{self.training.name} does not record {name!r}; it records {names}") from None

    def trained(self, parameter: Matrix) -> Matrix:
        """A parameter after the last step, of the first run. Raises SheetsimError for what was not trained."""
        if parameter not in self._ends:
            raise SheetsimError(f"{self.training.name} does not train {parameter.name or 'this matrix'}")
        return self._ends[parameter]


def train(
    name: str,
    loss: Matrix,
    parameters: Sequence[Matrix],
    optimizer: Optimizer,
    rows: Batches | None,
    *,
    steps: int,
    seed: int,
    record: Mapping[str, Matrix],
    every: int,
    seeds: int,
) -> TrainedModel:
    """A training of parameters, which begin as they are in the model, by the gradients of a loss.

    Raises SheetsimError for a loss that is not a single number or does not depend on a parameter.
    """
    whole(f"{name}: steps", steps, 1, 10_000_000)
    whole(f"{name}: every", every, 1)
    whole(f"{name}: seeds", seeds, 1, 10_000)
    checked = listed(f"{name}: parameters", parameters, "matrices")
    if not checked or not all(isinstance(node, Matrix) and node.name for node in checked):
        raise SheetsimError(f"{name}: the parameters must be one or more named matrices of the model")
    if len({node.expression for node in checked}) < len(checked):
        raise SheetsimError(f"{name}: two parameters are the same matrix: give each its own draws or numbers")
    if not isinstance(optimizer, Optimizer):
        raise SheetsimError(
            f"{name}: the optimizer must be a sheetsim.Optimizer, such as Optimizer('adam', rate=0.001)"
        )
    step = slot("step", (1, 1))
    places = [(node, node) for node in checked]
    weights = [node for node in checked if node.shape[0] > 1]
    variables = updated(optimizer, places, weights, grad(loss, checked), step, steps)
    records = {
        "loss": Recording({"loss": loss}),
        **{key: Recording({key: one}, every, True) for key, one in record.items()},
    }
    training = TrainingLoop(
        name, steps, tuple(variables), loss, rows, step, seed, records=records, kept=(steps,), seeds=seeds
    )
    told = {}
    for key, node in record.items():
        single = node.shape == (1, 1)
        take = training.by_run if single else training.of_first
        told[key] = take(key, key, f"{name}_{key}")
    ends = {node: training.kept_state(node, steps, f"{node.name}_{name}") for node in checked}
    return TrainedModel(training, training.by_run("loss", "loss", f"{name}_loss"), told, ends)


def trainings(nodes: Iterable[Matrix]) -> list[TrainingLoop]:
    """The trainings whose outcomes are among the nodes, each once."""
    return list(dict.fromkeys(node.source.training for node in nodes if isinstance(node.source, Outcome)))


def drawn_at(draw: StepDraw, seed: int, step: int) -> Array:
    """The numbers of a step's draw."""
    return draw.distribution.sample(stream(seed, f"{draw.stream}_{step}"), draw.slot.shape)
