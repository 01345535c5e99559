"""The keys of all studies with drawn weights: gain, distribution of the draws, and drawn biases. One definition."""

import math
from dataclasses import replace
from typing import Any, ClassVar

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import GAINS, STANDARD, WEIGHT_DRAWS, Initializer, weight_draws
from sheetsim.studies.study import check_one_of

BIAS = "σ_b: the biases' standard deviation"
SIGMA_W = "σ_w: the weights' standard deviation times √units"
GAIN = "what the standard deviations of all weights are multiplied by"

# Of a start of weights, behind what it is.
SCALED = " They are multiplied by the cell “gain”."
BIASED = " Biases start at the cell “bias_std” times their draws."

# What is no number of a gain: the usual one of the activation.
OF_ACTIVATION = "activation"


class DrawnWeights:
    """What the studies with drawn weights have in common. Each declares the fields, with defaults of its own.

    Attributes
    ----------
    bias
        Standard deviation σ_b of drawn biases; 0 for no biases.
    gain
        Factor of all standard deviations of weights: a number, or "activation" for the usual gain of the activation.
    weight_draws
        Distribution of weights, a name of WEIGHT_DRAWS, where the scheme draws normal numbers.
    """

    __slots__ = ()

    UNSAID: ClassVar[tuple[str, ...]] = ("bias", "gain", "weight_draws")

    activation: Any
    bias: float | None
    gain: float | str
    weight_draws: str

    def check_weights(self) -> None:
        """Raises SheetsimError for impossible values of the three keys."""
        # Of symmetry none says that biases are drawn as weights are.
        if self.bias is not None:
            check_bias(self.bias)
        check_gain(self.gain)
        check_one_of("weight_draws", self.weight_draws, WEIGHT_DRAWS)

    @property
    def gain_size(self) -> float:
        """The gain as a number."""
        return gain_of(self.gain, self.activation)

    @property
    def law(self) -> Distribution:
        """What standard draws of weights are drawn from."""
        return weight_draws(self.weight_draws)

    @property
    def law_in_words(self) -> str:
        """The kind of these draws: `standard normal`, `uniform`, or `truncated normal`."""
        return {"normal": "standard normal", "truncated": "truncated normal"}.get(self.weight_draws, self.weight_draws)

    def initializers_of(self, graph: Graph, initializers: list[Initializer]) -> list[Initializer]:
        """The initializers with the gain, a cell `gain` where it is not 1, and with the draws."""
        if self.gain != 1:
            gain = graph.input("gain", self.gain_size, at_least=0.0, what=GAIN)
            initializers = [scaled_by(gain, initializer) for initializer in initializers]
        return [with_draws(self.weight_draws, initializer) for initializer in initializers]

    def bias_std(self, graph: Graph) -> Matrix | None:
        """The cell `bias_std`; None where there are no biases."""
        return graph.input("bias_std", self.bias, at_least=0.0, what=BIAS) if self.bias else None


def check_bias(bias: float) -> None:
    """Raises SheetsimError for what is no standard deviation."""
    if not 0 <= bias < math.inf:
        raise SheetsimError(f"bias must be a finite standard deviation of at least 0, not {bias:g}")


def check_gain(gain: float | str) -> None:
    """Raises SheetsimError for what is no gain."""
    if isinstance(gain, str):
        check_one_of("gain", gain, (OF_ACTIVATION,))
    elif not 0 <= gain < math.inf:
        raise SheetsimError(f"gain must be a finite number of at least 0, or activation, not {gain:g}")


def gain_of(gain: float | str, activation: str) -> float:
    """The gain as a number; of an activation, that of GAINS."""
    return GAINS[activation] if isinstance(gain, str) else gain


def scaled_by(gain: Matrix, initializer: Initializer) -> Initializer:
    """The initializer with standard deviations that are so many times as large."""
    return replace(initializer, sd=lambda fan_in, fan_out: gain * initializer.sd(fan_in, fan_out))


def with_draws(name: str, initializer: Initializer) -> Initializer:
    """The initializer with draws of WEIGHT_DRAWS, where it has independent normal ones."""
    if name == "normal" or (initializer.draws, initializer.design) != (STANDARD, "random"):
        return initializer
    return replace(initializer, draws=weight_draws(name))
