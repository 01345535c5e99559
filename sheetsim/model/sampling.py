"""Sampling: designs and correlations of a matrix of draws, and the draw as a leaf of a model. It knows no expression.

Every design gives standard normal scores, a correlation mixes them, and the distribution makes numbers of them.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from sheetsim.arguments import one_of
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution, Generator, legacy_stream, stream
from sheetsim.model.hdr import matrix_uniforms, of_uniforms
from sheetsim.model.op import Array, Shape
from sheetsim.model.rank_correlation import arranged, is_constant

DESIGNS = ("random", "antithetic", "lhs", "sobol")

# Of weights alone, whose rows are no samples.
ORTHOGONAL = "orthogonal"

# What scipy.stats.qmc.Sobol has direction numbers for, and the points of its 30 bits.
SOBOL_INPUTS = 21_201
SOBOL_BITS = 30

# A correlation that was computed is symmetric, and 1 on its diagonal, except for the last digits.
CORRELATION_ROUNDING = 1e-12

# What all pairs of inputs have, or a matrix, inputs × inputs.
InputCorrelation: TypeAlias = float | Array


class Partner(NamedTuple):
    """An earlier input that a draw has a rank correlation with: its draw, and the name that a person gave it.

    weight: its part in the sum of the partners' scores that has the correlations which were asked for.
    """

    draw: "Draw"
    name: str
    correlation: float
    weight: float


class Draw:
    """Random numbers of a distribution, samples × inputs, from the stream that `seed` and `stream` pick.

    design: one of DESIGNS. `random` draws independent samples; `antithetic` mirrors the first half of the samples in
    the second, u → 1 − u on the scale of quantiles (Hammersley & Morton 1956), which makes means of odd functions exact
    and doubles the variance of means of even ones, such as the second moment: a pair has one value; `lhs` is a Latin
    hypercube, one sample in each of n equal strata of every input (McKay, Beckman & Conover 1979); `sobol` a Sobol'
    sequence scrambled by a random linear matrix and a shift (Matoušek 1998), not by Owen's nested permutations. Both
    are scipy.stats.qmc's. Weights can also be `orthogonal`: see `orthogonal_draws`.
    correlation: None, what all pairs of inputs have, or a matrix. It is that of the inputs' normal scores z, of which
    an input is the quantile of Φ(z) (a Gaussian copula): the inputs' own where they are normal, near it elsewhere.
    hdr: whether the numbers are those of HDR 2.0 (see `hdr.matrix_uniforms`), which are independent ones of a normal or
    uniform distribution.
    before: None, or how many numbers of NumPy's legacy generator come before these: they are then the next ones of the
    one generator that `seed` alone picks.
    partners: inputs with as many samples that this one, of a single column, has rank correlations with: its numbers,
    drawn by its design, are put in the order that has these (see `arranged`), and the partners' stay as they are.
    """

    def __init__(
        self,
        distribution: Distribution,
        seed: int,
        stream: str,
        design: str = "random",
        correlation: InputCorrelation | None = None,
        before: int | None = None,
        partners: tuple[Partner, ...] = (),
        hdr: bool = False,
    ) -> None:
        self.hdr = hdr
        self.distribution = distribution
        self.seed = seed
        self.stream = stream
        self.design = design
        self.correlation = correlation
        self.before = before
        # All that the partners depend on, and these, each after its own: in a row, and before `partners`, so that
        # neither a pickle nor a sample goes as deep as there are inputs.
        earlier = ((*partner.draw.ancestors, partner.draw) for partner in partners)
        self.ancestors: tuple[Draw, ...] = tuple(dict.fromkeys(chain.from_iterable(earlier)))
        self.partners = partners

    @property
    def is_plain(self) -> bool:
        """Independent numbers from NumPy's generator alone, which come in the same order however many are asked for."""
        is_random = self.design == "random" and self.correlation is None and not self.partners
        return is_random and not self.hdr and self.distribution.family.in_order

    @property
    def by_scipy(self) -> bool:
        """Whether SciPy has a part in the numbers."""
        return self.design != ORTHOGONAL and not self.is_plain

    @property
    def law(self) -> str:
        """What is drawn, for a person."""
        if self.design == ORTHOGONAL:
            return ORTHOGONAL
        ranks = ", ".join(f"{partner.correlation:g} with {partner.name}" for partner in self.partners)
        return f"{self.distribution}, rank correlation {ranks}" if ranks else str(self.distribution)

    def sample(self, shape: Shape, seed: int | None = None, made: dict["Draw", Array] | None = None) -> Array:
        """The numbers, samples × inputs, float64; of another run than the draw's own where a seed is given.

        made: of the same run, those of draws that others are correlated with, which are added and not made again.
        Raises SheetsimError when the distribution gives a number that is not finite, and when a partner is constant.
        """
        if not self.partners:
            return self._alone(shape, seed)
        made = {} if made is None else made
        for draw in (*self.ancestors, self):
            if draw not in made:
                made[draw] = draw._among(made, draw._alone(shape, seed))
        return made[self]

    def _among(self, made: Mapping["Draw", Array], numbers: Array) -> Array:
        """The numbers in the order that has the correlations with the partners'."""
        if not self.partners:
            return numbers
        others = [made[partner.draw] for partner in self.partners]
        for partner, other in zip(self.partners, others, strict=True):
            if is_constant(other):
                raise SheetsimError(f"{self.stream}: {partner.name} is constant, so nothing can be correlated with it")
        return arranged(numbers, others, [partner.correlation for partner in self.partners])

    def _alone(self, shape: Shape, seed: int | None) -> Array:
        """The numbers as they are drawn, whatever the partners are."""
        if self.hdr:
            from scipy.special import ndtri

            u = matrix_uniforms(self.seed if seed is None else seed, self.stream, shape)
            return self._finite(np.asarray(of_uniforms(self.distribution, u, ndtri)))
        generator = self._generator(seed)
        if self.design == ORTHOGONAL:
            return orthogonal_draws(generator, shape)
        if self.design == "random" and self.correlation is None:
            return self._finite(self.distribution.sample(generator, shape))
        with np.errstate(all="ignore"):
            return self._finite(self.distribution.from_normal(self._scores(generator, shape)))

    def pieces(self, shape: Shape, rows: int, seed: int | None = None) -> Iterator[Array]:
        """The numbers of `sample`, bit for bit, in blocks of `rows` samples; the last one may be shorter.

        A plain draw holds one block at a time; any other is made whole and cut.
        """
        if rows < 1:
            raise SheetsimError(f"{self.stream}: a piece has at least 1 row, not {rows}")
        samples, inputs = shape
        starts = range(0, samples, rows)
        if not self.is_plain:
            whole = self.sample(shape, seed)
            yield from (whole[start : start + rows] for start in starts)
            return
        generator = self._generator(seed)
        for start in starts:
            yield self._finite(self.distribution.sample(generator, (min(rows, samples - start), inputs)))

    def _generator(self, seed: int | None) -> Generator:
        seed = self.seed if seed is None else seed
        return stream(seed, self.stream) if self.before is None else legacy_stream(seed, self.before)

    def _scores(self, generator: Generator, shape: Shape) -> Array:
        """Standard normal scores, samples × inputs, with the design's arrangement and the correlation."""
        samples, inputs = shape
        if self.design == "random":
            return _mixed(generator.standard_normal(shape), self.correlation)
        if self.design == "antithetic":
            half = _mixed(generator.standard_normal((samples // 2, inputs)), self.correlation)
            return np.concatenate([half, -half])
        from scipy.special import ndtri
        from scipy.stats import qmc

        if self.design == "lhs":
            points = qmc.LatinHypercube(inputs, rng=generator).random(samples)
        else:
            # To the middle of its cell: a point on the grid may be 0, whose quantile is infinite.
            points = qmc.Sobol(inputs, bits=SOBOL_BITS, rng=generator).random(samples) + 0.5**SOBOL_BITS / 2
            # In an order of their own: two matrices whose rows go through one sequence would go together.
            points = generator.permutation(points)
        return _mixed(ndtri(points), self.correlation)

    def _finite(self, values: Array) -> Array:
        # The sum of squares takes a third of the time, and may overflow.
        if not np.isfinite(np.vdot(values, values)) and not np.isfinite(values).all():
            raise SheetsimError(f"{self.stream}: {self.distribution} gives numbers too large for double precision")
        return values


def orthogonal_draws(generator: Generator, shape: Shape) -> Array:
    """A matrix with orthogonal columns, or rows where it has fewer of these, all as long and uniform among such ones.

    Its elements have mean 0 and mean square 1 exactly: divided by √max(rows, columns), the columns or rows are
    orthonormal (Saxe, McClelland & Ganguli 2013, arXiv:1312.6120). It is the Q of a normal matrix; only with the signs
    that make R's diagonal positive is that uniform (Mezzadri 2007, arXiv:math-ph/0609050).
    """
    tall = max(shape), min(shape)
    q, r = np.linalg.qr(generator.standard_normal(tall))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0) * np.sqrt(tall[0])
    return q if shape == tall else np.ascontiguousarray(q.T)


def check_design(design: str, samples: int, inputs: int) -> None:
    """Raises SheetsimError for an unknown design, or a size that it cannot have."""
    one_of("sampling", design, DESIGNS)
    if design == "antithetic" and samples % 2:
        raise SheetsimError(f"samples must be even for antithetic sampling, not {samples}")
    if design != "sobol":
        return
    lower = 1 << (samples.bit_length() - 1)
    if lower != samples:
        raise SheetsimError(f"samples must be a power of two for sobol sampling: {lower} or {2 * lower}, not {samples}")
    if samples > 2**SOBOL_BITS:
        raise SheetsimError(f"sobol sampling has at most 2^{SOBOL_BITS} samples, not {samples}")
    if inputs > SOBOL_INPUTS:
        raise SheetsimError(f"sobol sampling has at most {SOBOL_INPUTS:,} inputs, not {inputs}")


def check_legacy(
    distribution: Distribution, design: str, correlation: InputCorrelation | None, partners: tuple[Partner, ...] = ()
) -> None:
    """Raises SheetsimError for draws that the legacy generator's run of normal numbers does not have."""
    if distribution.name != "normal" or not distribution.family.in_order:
        raise SheetsimError(f"draws mt19937 supports only normal numbers, not {distribution}: use draws pcg64")
    if design != "random" or correlation is not None or partners:
        raise SheetsimError("draws mt19937 supports neither sampling designs nor correlation: use draws pcg64")


def as_correlation(value: Any, inputs: int) -> InputCorrelation:
    """What a person gave as the correlation of so many inputs: a number for all pairs, or a matrix, inputs × inputs.

    Singular ones are allowed. Raises SheetsimError where the inputs cannot be correlated so.
    """
    try:
        array = np.asarray(value)
    except Exception:  # an object's own conversion may raise anything
        raise SheetsimError("correlation must be a number or a square matrix of numbers") from None
    if array.dtype.kind not in "iuf" or array.ndim not in (0, 2):
        raise SheetsimError("correlation must be a number or a square matrix of numbers")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise SheetsimError("correlation must be finite")
    return _as_number(float(array), inputs) if array.ndim == 0 else _as_matrix(array, inputs)


def _as_number(correlation: float, inputs: int) -> float:
    least = -1 / max(inputs - 1, 1)
    if not least <= correlation <= 1:
        raise SheetsimError(f"correlation of {inputs} inputs must lie between {least:g} and 1, not {correlation:g}")
    return correlation


def _as_matrix(correlation: Array, inputs: int) -> Array:
    rows, columns = correlation.shape
    if (rows, columns) != (inputs, inputs):
        raise SheetsimError(f"correlation is {rows}×{columns}, but must be {inputs}×{inputs}: a row for each input")
    differing = np.argwhere(np.abs(correlation - correlation.T) > CORRELATION_ROUNDING)
    if len(differing):
        r, c = differing[0]
        raise SheetsimError(f"correlation must be symmetric: row {r + 1}, column {c + 1} differs from its mirror image")
    off = np.flatnonzero(np.abs(np.diagonal(correlation) - 1) > CORRELATION_ROUNDING)
    if len(off):
        raise SheetsimError(f"correlation must have ones on its diagonal: row {off[0] + 1} does not")
    least = np.linalg.eigvalsh(correlation)[0]
    # The error of a computed eigenvalue: one of a singular matrix comes out a little below 0.
    if least < -(inputs**2) * np.finfo(float).eps:
        raise SheetsimError(f"correlation must be positive semi-definite: its smallest eigenvalue is {least:g}")
    return correlation


def _mixed(z: Array, correlation: InputCorrelation | None) -> Array:
    """Independent scores times the symmetric square root of the correlation, which singular matrices have too."""
    if correlation is None:
        return z
    if isinstance(correlation, float):
        inputs = z.shape[1]
        alone = np.sqrt(1 - correlation)
        common = (np.sqrt(max(1 + (inputs - 1) * correlation, 0.0)) - alone) / inputs
        mixed: Array = alone * z + common * z.sum(axis=1, keepdims=True)
    else:
        eigenvalues, vectors = np.linalg.eigh(correlation)
        mixed = z @ ((vectors * np.sqrt(np.maximum(eigenvalues, 0))) @ vectors.T)
    return mixed
