"""The keys of training studies: what data, which networks, how they are trained. They are checked here."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.draws import check_seed
from sheetsim.model.expr import matrix, sqrt
from sheetsim.model.initializers import SCHEMES, Initializer, constant, scaled
from sheetsim.model.layers import LOSSES, PLACES, DenseLayer
from sheetsim.model.training import ORDERS
from sheetsim.model.update_rules import RULES, SCHEDULES, Optimizer
from sheetsim.studies.data_sets.source import DataSource
from sheetsim.studies.study import Experiment, check_one_of
from sheetsim.studies.weight_keys import DrawnWeights, gain_of, scaled_by, with_draws

# What a network is called that is compared with none.
NETWORK = "network"

# All weights equal: `constant 0.01`.
EQUAL = "constant "

# The variance 1/(n_in + n_out), which some call Xavier's: half of glorot's.
HALF_GLOROT = "1/(n_in+n_out)"

# A key of one value for all hidden layers, or one each.
PerLayer: TypeAlias = float | list[float]

MOST = {"steps": 1_000_000, "seeds": 1000, "batch": 1_000_000, "every": 1_000_000}
MOST_NETWORKS = 64
MOST_LAYERS = 100
MOST_UNITS = 10_000

# What a network may have of its own; all else is the same for all of a study.
OWN = (
    *("layers", "activation", "initializer", "bias", "gain", "weight_draws", "batch_norm", "batch_norm_place"),
    *("dropout", "weight_decay", "decoupled", "l1", "clip", "optimizer", "rate", "schedule", "factor", "drop_every"),
    *("momentum", "decay", "beta_1", "beta_2", "epsilon"),
)


class TrainingKeys(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys that all studies of training share.

    Attributes
    ----------
    seeds
        Number of runs, each with other draws of weights, order and masks.
    samples
        Training samples at most (None: all).
    layers
        Units of each hidden layer.
    activation
        Activation of the hidden layers: a name of ACTIVATIONS, or a list with one a layer.
    initializer
        Initializer of all weights: a name of SCHEMES, a number (the standard deviation), `constant 0.01` (all equal) or
        `1/(n_in+n_out)` (the variance).
    bias
        Whether layers have biases, which begin at 0; or the standard deviation σ_b of the normal numbers that they
        begin with.
    gain
        Factor of the initializer's standard deviations: a number, or "activation" for the usual gain of each layer's
        activation (1 of the linear output layer).
    batch_norm
        Batch normalization of all hidden layers, or of those of these numbers, from 1.
    batch_norm_place
        Batch normalization before or after the activation.
    dropout
        Share of outputs of the hidden layers that are dropped, or a list with one a layer.
    loss
        Loss (None: what suits the data).
    optimizer
        The optimizer.
    schedule
        How the learning rate changes: `step` multiplies it by `factor` after each `drop_every` steps, `cosine` lets it
        fall to 0 along half a cosine over all steps (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts).
    rate
        Learning rate η.
    factor
        Factor of the schedule `step`.
    drop_every
        Steps after which the schedule `step` multiplies.
    weight_decay
        λ of λ/2 ΣW² in the loss; where decoupled, of W ← W − ηλW (AdamW).
    decoupled
        Whether weight decay is decoupled from the gradient: W ← W − ηλW (AdamW).
    l1
        Factor of Σ|W| in the loss.
    clip
        Largest norm of all gradients together, 0 for none (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm
        1).
    batch
        Rows a step, 0 for all.
    order
        Order of the rows: `epochs` goes through all rows in a new order each time, `random` draws each batch again,
        `fixed` takes the first rows at every step.
    summed
        Whether the loss of a step is summed over the rows, instead of averaged.
    steps
        Number of steps.
    every
        Losses and accuracies are recorded after each so many steps.
    networks
        Networks to compare, each with a name and the keys of OWN that it has of its own.
    against
        Network that the others are compared with (the last).
    live
        Network whose weights the workbook holds (the last).

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    UNSAID: ClassVar[tuple[str, ...]] = ("gain", "weight_draws")

    seed: int = 0
    seeds: int = 1
    data: str = "digits"
    target: str | int | None = None
    drop: list[str | int] = msgspec.field(default_factory=list)
    labels: str | None = None
    sheet: str | None = None
    scale: str = "unit"
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    samples: int | None = None
    layers: list[int] = msgspec.field(default_factory=lambda: [100])
    activation: str | list[str] = "relu"
    initializer: str | float = "he"
    bias: bool | float = True
    gain: float | str = 1.0
    weight_draws: str = "normal"
    batch_norm: bool | list[int] = False
    batch_norm_place: str = "before"
    dropout: PerLayer = 0.0
    loss: str | None = None
    optimizer: str = "sgd"
    rate: float = 0.1
    schedule: str = "constant"
    factor: float = 0.5
    drop_every: int = 100
    momentum: float = 0.9
    decay: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    clip: float = 0.0
    weight_decay: float = 0.0
    decoupled: bool = False
    l1: float = 0.0
    batch: int = 100
    order: str = "epochs"
    summed: bool = False
    steps: int = 500
    every: int = 20
    networks: list[dict[str, Any]] = msgspec.field(default_factory=list)
    against: str | None = None
    live: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed, "pcg64")
        for key, most in MOST.items():
            low = 0 if key == "batch" else 1
            if not low <= getattr(self, key) <= most:
                raise SheetsimError(f"{key} must be {low} to {most:,}, not {getattr(self, key):,}")
        check_one_of("order", self.order, ORDERS)
        if self.loss is not None:
            check_one_of("loss", self.loss, LOSSES)
        _ = self.source
        self._check_network()
        names = [name for name, _ in self.compared()]
        for key in ("against", "live"):
            value = getattr(self, key)
            if value is not None:
                check_one_of(key, value, names)

    def _check_network(self) -> None:
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise SheetsimError(f"layers must list 1 to {MOST_LAYERS} numbers of units, not {len(self.layers)}")
        if not all(1 <= units <= MOST_UNITS for units in self.layers):
            raise SheetsimError(f"layers: a layer must have 1 to {MOST_UNITS:,} units")
        names = [self.activation] * len(self.layers) if isinstance(self.activation, str) else self.activation
        self._check_each("activation", names, "names")
        for name in names:
            check_one_of("activation", name, tuple(ACTIVATIONS))
        _ = self.start
        self.check_weights()
        check_one_of("batch_norm_place", self.batch_norm_place, PLACES)
        if not isinstance(self.batch_norm, bool) and not all(1 <= k <= len(self.layers) for k in self.batch_norm):
            raise SheetsimError(f"batch_norm: layers are numbered 1 to {len(self.layers)}")
        rates = self._dropout()
        self._check_each("dropout", rates, "shares")
        if not all(0 <= rate < 1 for rate in rates):
            raise SheetsimError("dropout must be at least 0 and below 1")
        self._check_rule()

    def _check_each(self, key: str, values: Sequence[object], what: str) -> None:
        if len(values) != len(self.layers):
            raise SheetsimError(f"{key}: {len(values)} {what} for {len(self.layers)} hidden layers")

    def _check_rule(self) -> None:
        check_one_of("optimizer", self.optimizer, tuple(RULES))
        check_one_of("schedule", self.schedule, SCHEDULES)
        ranges = {"rate": (0, 1e6), "factor": (0, 1), "epsilon": (0, 1), "clip": (0, 1e12)}
        ranges |= {"weight_decay": (0, 1e6), "l1": (0, 1e6)}
        ranges |= dict.fromkeys(("momentum", "decay", "beta_1", "beta_2"), (0, 1))
        for key, (low, high) in ranges.items():
            value = getattr(self, key)
            if not (math.isfinite(value) and low <= value <= high):
                raise SheetsimError(f"{key} must be a number from {low:g} to {high:g}, not {value:g}")
        if max(self.beta_1, self.beta_2) == 1:
            raise SheetsimError("beta_1 and beta_2 must be below 1")
        if self.drop_every < 1:
            raise SheetsimError(f"drop_every must be at least 1, not {self.drop_every}")

    def networks_of_its_own(self) -> Sequence[Mapping[str, Any]]:
        """The networks that a study compares where its keys name none."""
        return ()

    @property
    def source(self) -> DataSource:
        """Where the data are from."""
        return DataSource(
            self.data,
            self.target,
            tuple(self.drop),
            self.labels,
            self.sheet,
            scale=self.scale,
            test_fraction=self.test_fraction,
            validation_fraction=self.validation_fraction,
            limit=self.samples,
        )

    @property
    def start(self) -> Initializer:
        """The initializer of all weights."""
        value = self.initializer
        if not isinstance(value, str):
            if not (math.isfinite(value) and 0 <= value <= 1e6):
                raise SheetsimError(f"initializer: a standard deviation must be from 0 to 1e6, not {value:g}")
            return scaled(value)
        if value.startswith(EQUAL):
            try:
                return constant(float(value.removeprefix(EQUAL)))
            except ValueError:
                raise SheetsimError(f"initializer: {value!r} must be written like `constant 0.01`") from None
        if value == HALF_GLOROT:
            return Initializer(lambda fan_in, fan_out: sqrt(1 / (fan_in + fan_out)))
        if value not in SCHEMES:
            names = f"{', '.join(SCHEMES)}, {HALF_GLOROT}, a number, or `constant 0.01`"
            raise SheetsimError(f"initializer must be one of {names}, not {value!r}")
        return SCHEMES[value]

    def _dropout(self) -> list[float]:
        return list(self.dropout) if isinstance(self.dropout, list) else [self.dropout] * len(self.layers)

    def dense_layers(self, inputs: int, outputs: int) -> list[DenseLayer]:
        """The hidden layers and the linear output layer."""
        count = len(self.layers)
        names = [self.activation] * count if isinstance(self.activation, str) else self.activation
        has = range(1, count + 1) if self.batch_norm is True else self.batch_norm or ()
        biased, std = (self.bias, 0.0) if isinstance(self.bias, bool) else (True, self.bias)
        place = self.batch_norm_place
        hidden = [
            DenseLayer(units, name, self._start(name), biased, place if k in has else "", rate, std)
            for k, (units, name, rate) in enumerate(zip(self.layers, names, self._dropout(), strict=True), start=1)
        ]
        return [*hidden, DenseLayer(outputs, "identity", self._start("identity"), biased, bias_std=std)]

    def _start(self, activation: str) -> Initializer:
        """The initializer of a layer with that activation: with the gain, and the draws of the weights."""
        gain = gain_of(self.gain, activation)
        start = with_draws(self.weight_draws, self.start)
        return start if gain == 1 else scaled_by(matrix(gain), start)

    def rule(self) -> Optimizer:
        """The optimizer with its numbers."""
        keys = ("rate", "schedule", "factor", "drop_every", "momentum", "decay", "beta_1", "beta_2", "epsilon", "clip")
        decay = self.weight_decay if self.decoupled else 0.0
        return Optimizer(self.optimizer, weight_decay=decay, **{key: getattr(self, key) for key in keys})

    def compared(self) -> list[tuple[str, "TrainingKeys"]]:
        """The compared networks by name, each as the study with that network's keys.

        Raises SheetsimError with the network at fault.
        """
        entries: list[Mapping[str, Any]] = [*(self.networks or self.networks_of_its_own())] or [{"name": NETWORK}]
        if len(entries) > MOST_NETWORKS:
            raise SheetsimError(f"networks: {len(entries)} are given, but at most {MOST_NETWORKS} can be compared")
        made: dict[str, TrainingKeys] = {}
        for number, entry in enumerate(entries, start=1):
            name = entry.get("name", "")
            if not isinstance(name, str) or not name.strip() or len(name) > 40 or not name.isprintable():
                raise SheetsimError(f"networks: network {number} needs a name, a text of at most 40 characters")
            if name in made:
                raise SheetsimError(f"networks: two networks have the name {name!r}")
            unknown = [key for key in entry if key not in ("name", *OWN)]
            if unknown:
                raise SheetsimError(
                    f"networks: {name} has the key {unknown[0]!r}; a network's own keys are name, {', '.join(OWN)}"
                )
            keys = {key: value for key, value in entry.items() if key != "name"}
            try:
                made[name] = self._with(name, keys)
            except SheetsimError as error:
                raise SheetsimError(f"networks: {name}: {error}") from None
        return list(made.items())

    def _with(self, name: str, different: Mapping[str, Any]) -> "TrainingKeys":
        """The study of that network alone, with its own keys."""
        if not different and self.networks == [{"name": name}]:
            return self
        keys = msgspec.structs.asdict(self)
        return type(self)(**{**keys, "networks": [{"name": name}], "against": None, "live": None, **different})
