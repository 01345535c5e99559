"""Many networks of one shape, by NumPy: what becomes of one input's length on its way, and of a gradient's back."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.draws import Distribution
from sheetsim.model.expr import Routine
from sheetsim.model.op import Array
from sheetsim.summary.theory import computed, normal_rule

# Numbers of the weights that are held at once.
AT_ONCE = 4_000_000

# The nodes are fine enough for sums of such a variance.
FINE = 4096.0


# σ_w and σ_b.
Scales = tuple[float, float]


def passes(activation: str, scales: Scales, law: Distribution, widths: Sequence[int], networks: int) -> Routine:
    """Logarithms of squared norms, less the mean field’s: networks × 2L.

    They are of ‖z_l‖² for l = 1…L, and of ‖d‖² after 1…L layers backward. scales: σ_w and σ_b; law: of the weights'
    standard draws; widths: of the input and the layers. Its arguments: a uniform draw, from which all others follow,
    and the input, 1 × inputs.
    """
    return Routine("passes through networks", partial(_passes, activation, scales, law, tuple(widths), networks))


def theory_of_lengths(activation: str, scales: Scales, widths: Sequence[int]) -> Routine:
    """Theory by layer, L × 4: mean and variance of both logarithms. Its argument: the input.

    To the first order in 1/width, for given lengths before, ln ‖z_l‖² has the variance κ/n_l, κ = E[f⁴]/E[f²]² − 1, and
    hands on that of the layer before by γ² = (d ln E[f²]/d ln q)². Where f multiplies sizes γ is 1: Σ κ/n_l, 5 Σ 1/n_l
    for relu, and the mean is minus half of it (Hanin 2018, arXiv:1801.03744; Hanin & Nica 2019, arXiv:1812.05994).
    Back the variance is Σ 2/n_{l−1} + 3 (E[f′⁴]/E[f′²]² − 1)/n_l. NaN: where f does not multiply sizes there is none.

    Biases make q = σ_w² E[z²] + σ_b² (Poole et al. 2016, arXiv:1606.05340, eq. 3), of which a length before changes a
    part alone, and γ is multiplied by σ_w² E[z²]/q, by the chain rule. Sizes are then not multiplied: the other three
    are NaN. Draws that are not normal change the sums' fourth moments by O(1/width), and so nothing to this order.
    """
    return Routine("theory of the logarithms", partial(_expected, activation, scales, tuple(widths)))


@np.errstate(all="ignore")
def _passes(
    activation: str,
    scales: Scales,
    law: Distribution,
    widths: tuple[int, ...],
    networks: int,
    start: Array,
    x: Array,
) -> Array:
    gain, bias = scales
    generator = np.random.Generator(np.random.PCG64(int(start.item() * 2**53)))
    pairs = list(pairwise(widths))
    chunk = max(1, AT_ONCE // sum(a * b for a, b in pairs))
    seconds, chis = _mean_field(activation, scales, float((x**2).mean()), len(pairs))
    logs = []
    for first in range(0, networks, chunk):
        count = min(chunk, networks - first)
        z = np.broadcast_to(x, (count, 1, widths[0]))
        kept, lengths = [], []
        for (before, width), second in zip(pairs, seconds, strict=True):
            draws = law.sample(generator, (count * before, width)).reshape(count, before, width)
            W = draws * (gain / np.sqrt(before))
            a = z @ W
            if bias:
                a = a + bias * generator.standard_normal((count, 1, width))
            z, slope = computed(activation, a)
            kept.append((W, slope))
            lengths.append(np.log((z**2).mean(axis=(1, 2)) / second))
        d = generator.standard_normal((count, 1, widths[-1]))
        length, back = np.log((d**2).sum(axis=(1, 2))), []
        for (W, slope), chi in zip(reversed(kept), reversed(chis), strict=True):
            d = (d * slope) @ W.transpose(0, 2, 1)
            length += np.log(chi)
            back.append(np.log((d**2).sum(axis=(1, 2))) - length)
        logs.append(np.array([*lengths, *back]).T)
    whole = np.concatenate(logs)
    return np.where(np.isfinite(whole), whole, np.nan)


def multiplies_sizes(activation: str, bias: float) -> bool:
    """Whether a layer multiplies the lengths of its inputs, whatever they are."""
    return ACTIVATIONS[activation].active is not None and not bias


@np.errstate(all="ignore")
def _expected(activation: str, scales: Scales, widths: tuple[int, ...], x: Array) -> Array:
    s, w = normal_rule(FINE)
    gain, bias = scales
    sizes = multiplies_sizes(activation, bias)
    variance, back = 0.0, 0.0
    rows, slopes = [], []
    second = float((x**2).mean())
    for width in widths[1:]:
        of_weights = gain**2 * second
        q = of_weights + bias**2
        f, slope = computed(activation, np.sqrt(q) * s)
        second = float(w @ f**2)
        kappa, gamma = float((w @ f**4) / second**2 - 1), float(np.sqrt(q) * (w @ (f * slope * s)) / second)
        gamma *= of_weights / q
        variance = gamma**2 * variance + kappa / width
        slopes.append(float((w @ slope**4) / (w @ slope**2) ** 2 - 1))
        rows.append([-variance / 2 if sizes else np.nan, variance])
    for k, (before, width) in enumerate(zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True)):
        back += 2 / before + 3 * slopes[-1 - k] / width
        rows[k] += [-back / 2, back] if sizes else [np.nan, np.nan]
    return np.array(rows)


def _mean_field(activation: str, scales: Scales, second: float, layers: int) -> tuple[list[float], list[float]]:
    """E[z²] and χ by layer."""
    s, w = normal_rule(FINE)
    gain, bias = scales
    seconds, chis = [], []
    for _ in range(layers):
        f, slope = computed(activation, np.sqrt(gain**2 * second + bias**2) * s)
        second = float(w @ f**2)
        seconds.append(second)
        chis.append(float(gain**2 * (w @ slope**2)))
    return seconds, chis
