"""Layers of a network that is trained: dense, batch normalization, dropout; and the losses. All are expressions.

A network is written once, and passed through twice: while it is trained, with the statistics of the batch and with
dropout, and to be evaluated, with running averages and without.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np
from msgspec import Struct, field

from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.distributions import normal, uniform
from sheetsim.model.expr import (
    Data,
    Draw,
    Matrix,
    absolute,
    column_mean,
    column_variance,
    equal,
    log,
    matrix,
    mean,
    row_log_sum_exp,
    row_sum,
    sqrt,
    sum_squares,
    total,
    where,
)
from sheetsim.model.initializers import Initializer
from sheetsim.model.training import StepDraw, slot

# Added to a batch's variance (Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1), and the share of a running average
# that stays at each step: the values of the reference programs.
EPSILON, MOMENTUM = 1e-7, 0.9

CROSS_ENTROPY, LOGISTIC, SQUARES = LOSSES = ("cross-entropy", "logistic", "squares")

# The place of batch normalization: at the pre-activations, before the activation, as in the paper; or after it.
BEFORE, AFTER = PLACES = ("before", "after")


class DenseLayer(Struct, frozen=True):
    """What a layer is: z = f(BN(x W + b)), then dropout.

    units: how many; activation: a name of ACTIVATIONS; initializer: of W; bias: whether there is b; bias_std:
    the standard deviation of the normal numbers that b begins with, 0 for a start at 0; batch_norm: "" for none, or one
    of PLACES; dropout: the share of outputs that are 0 in a step of training.
    """

    units: int
    activation: str
    initializer: Initializer
    bias: bool = True
    batch_norm: str = ""
    dropout: float = 0.0
    bias_std: float = 0.0


class Pass(Struct, frozen=True):
    """A way through the network.

    logits: the last layer's sums; sums, outputs: by layer; running: what the running averages are after it, by slot.
    """

    logits: Matrix
    sums: tuple[Matrix, ...]
    outputs: tuple[Matrix, ...]
    running: Mapping[Matrix, Matrix]


class TrainedNetwork(Struct, frozen=True, eq=False):
    """Slots of a network's parameters and running averages, by name, with their values at the start.

    Names are W_1, b_1, gamma_1, beta_1, and mean_1, variance_1. inputs: of the first layer.
    """

    layers: tuple[DenseLayer, ...]
    inputs: int
    parameters: dict[str, Matrix] = field(default_factory=dict)
    averages: dict[str, Matrix] = field(default_factory=dict)
    starts: dict[str, Matrix] = field(default_factory=dict)

    @property
    def weights(self) -> list[Matrix]:
        """The weights W_1, W_2, …: what decays."""
        return [node for name, node in self.parameters.items() if name.startswith("W_")]

    def through(
        self,
        x: Matrix,
        values: Mapping[str, Matrix] | None = None,
        masks: Mapping[int, Matrix] | None = None,
        named: Callable[[str, Matrix], Matrix] = lambda name, node: node,
    ) -> Pass:
        """One pass through the network.

        values: parameters and averages in place of the slots, by name; masks: uniform draws by layer from 1 in
        training, None to evaluate; named: gives cells of their own to sums (a_1), to normalized ones (n_1) and to
        outputs (z_1).
        """
        has = {**self.parameters, **self.averages, **(values or {})}
        trains = masks is not None
        sums, outputs = [], []
        running: dict[Matrix, Matrix] = {}
        z = x
        for number, layer in enumerate(self.layers, start=1):
            a = z @ has[f"W_{number}"]
            if layer.bias:
                a = a + has[f"b_{number}"]
            a = named(f"a_{number}", a)
            if layer.batch_norm == BEFORE:
                a = named(f"n_{number}", self._normalized(a, number, has, trains, running))
            z = ACTIVATIONS[layer.activation].function(a)
            if z is not a:
                z = named(f"z_{number}", z)
            if layer.batch_norm == AFTER:
                z = named(f"n_{number}", self._normalized(z, number, has, trains, running))
            sums.append(a)
            outputs.append(z)
            if masks is not None and number in masks:
                z = dropped(z, masks[number], layer.dropout)
        return Pass(sums[-1], tuple(sums), tuple(outputs), running)

    def _normalized(
        self, a: Matrix, number: int, has: Mapping[str, Matrix], trains: bool, running: dict[Matrix, Matrix]
    ) -> Matrix:
        gamma, beta, average, spread = (has[f"{name}_{number}"] for name in ("gamma", "beta", "mean", "variance"))
        if not trains:
            return normalized(a, average, spread, gamma, beta)
        of_batch = column_mean(a)
        variance = column_variance(a, of_batch)
        running |= {
            average: MOMENTUM * average + (1 - MOMENTUM) * of_batch,
            spread: MOMENTUM * spread + (1 - MOMENTUM) * variance,
        }
        return normalized(a, of_batch, variance, gamma, beta)

    def masks(self, rows: int) -> dict[int, StepDraw]:
        """Uniform draws for each layer with dropout: those of one layer are the same for all networks of a seed."""
        return {
            number: StepDraw(slot(f"mask_{number}", (rows, layer.units)), uniform(0, 1), f"mask_{number}")
            for number, layer in enumerate(self.layers, start=1)
            if layer.dropout
        }


def network(inputs: int, layers: Sequence[DenseLayer], seed: int) -> TrainedNetwork:
    """The slots and starts of a network.

    W_l = sd · e_l with standard draws e_l from the stream of that name, b_l = bias_std · e_b_l with standard normal
    ones, β 0, γ 1, running averages 0 and 1.
    """
    made = TrainedNetwork(tuple(layers), inputs)
    fan_in = inputs
    for number, layer in enumerate(layers, start=1):
        shape = fan_in, layer.units
        scheme = layer.initializer
        e = Matrix(Draw(scheme.draws, seed, f"e_{number}", scheme.design), (), shape, f"e_{number}")
        _add(made.parameters, made, f"W_{number}", scheme.sd(matrix(float(fan_in)), matrix(float(layer.units))) * e)
        row = 1, layer.units
        if layer.bias:
            start = _filled(row, 0.0)
            if layer.bias_std:
                e_b = Matrix(Draw(normal(), seed, f"e_b_{number}"), (), row, f"e_b_{number}")
                start = layer.bias_std * e_b
            _add(made.parameters, made, f"b_{number}", start)
        if layer.batch_norm:
            for name, value in (("gamma", 1.0), ("beta", 0.0)):
                _add(made.parameters, made, f"{name}_{number}", _filled(row, value))
            for name, value in (("mean", 0.0), ("variance", 1.0)):
                _add(made.averages, made, f"{name}_{number}", _filled(row, value))
        fan_in = layer.units
    return made


def _add(into: dict[str, Matrix], made: TrainedNetwork, name: str, start: Matrix) -> None:
    into[name] = slot(name, start.shape)
    made.starts[name] = start


def _filled(shape: tuple[int, int], value: float) -> Matrix:
    return Matrix(Data(np.full(shape, value)), (), shape)


def normalized(a: Matrix, average: Matrix, variance: Matrix, gamma: Matrix, beta: Matrix) -> Matrix:
    """γ·(a − μ)/√(σ² + ε) + β, by column (Ioffe & Szegedy 2015, algorithm 1)."""
    return gamma * ((a - average) / sqrt(variance + EPSILON)) + beta


def dropped(z: Matrix, mask: Matrix, rate: float) -> Matrix:
    """Inverted dropout: 0 where the uniform draw is below the rate, else z/(1 − rate), whose mean is z.

    Srivastava et al. (2014, JMLR 15) scale at test time instead; this is the usual form of today's programs.
    """
    return z * ((mask >= rate) / (1 - rate))


def data_loss(kind: str, logits: Matrix, y: Matrix, summed: bool = False) -> Matrix:
    """The loss of each row, as mean over the rows, or summed.

    cross-entropy: log Σ exp(a) − a_class, softmax and its negative log likelihood in one, y one-hot; logistic: of a
    single output, log(1 + exp a) − y·a, y 0 or 1; squares: ½ Σ (a − y)², a row's outputs together.
    """
    if kind == CROSS_ENTROPY:
        by_row = row_log_sum_exp(logits) - row_sum(y * logits)
    elif kind == LOGISTIC:
        # log(1 + exp a) without overflow.
        by_row = ACTIVATIONS["softplus"].function(logits) - y * logits
    else:
        by_row = row_sum((logits - y) ** 2) / 2
    return total(by_row) if summed else mean(by_row)


def penalty(weights: Iterable[Matrix], decay: float = 0.0, l1: float = 0.0) -> Matrix | None:
    """λ/2 ΣW² + l1 Σ|W| over all weights, or None where both are 0. Biases do not decay."""
    parts = []
    for W in weights:
        if decay:
            parts.append(decay / 2 * sum_squares(W))
        if l1:
            parts.append(l1 * total(absolute(W)))
    return reduce(add, parts) if parts else None


def accuracy(kind: str, logits: Matrix, y: Matrix) -> Matrix:
    """The share of rows whose class has the largest sum; of a row where k share it, 1/k: the share of guessing.

    Of a single output: where its sign says the class, and ½ where it is 0.
    """
    if kind == LOGISTIC:
        return mean(where(equal(logits, 0), 0.5, equal(logits > 0, y)))
    right = row_sum(y * logits)
    return mean(where(row_sum(logits > right) > 0, 0, 1 / row_sum(logits >= right)))


def entropy_of(counts: Matrix) -> Matrix:
    """The entropy of classes that occur so often, in nats: the least loss of outputs that do not look at the input."""
    shares = counts / total(counts)
    return -total(shares * log(where(shares > 0, shares, 1)))


def distinct_units(weights: Matrix, bias: Matrix | None) -> Matrix:
    """How many hidden units of a layer differ, 1 × 1: by the columns of `weights` and the bias.

    Units are distinguished by one sum of their weights and bias, each times a fixed random number. Sums that agree to 6
    digits of their root mean square count as equal units; for different ones it happens about once in a million pairs.
    Equality is not exact, as a BLAS may round equal columns differently, and training makes the last digits grow apart.
    """
    rows = weights.shape[0]
    told = np.random.default_rng(0).normal(size=(1, rows))
    sums = Matrix(Data(told), (), told.shape) @ weights
    if bias is not None:
        sums = sums + math.pi * bias
    near = 1e-6 * sqrt(sum_squares(sums) / float(sums.shape[1]))
    same = absolute(sums.T - sums) <= near
    return total(1 / row_sum(same))
