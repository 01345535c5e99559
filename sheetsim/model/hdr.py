"""HDR 2.0, the counter-based generator of the SIPmath 3.0 standard (D. Hubbard), and the streams of a run's matrices.

Uniform numbers of a counter and up to four identifiers, by arithmetic that a sheet has too. It knows no expression.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution
from sheetsim.model.op import Array, Shape

# Of its uniform numbers, (k + 0.5)/VALUES: there are no others.
VALUES = 2**32


class Half(NamedTuple):
    """One of the two hashes of HDR 2.0 and what is made of it.

    DIVIDED mod (hash mod modulus · a + b), for divisor (a, b), times the first of `rest`, mod its second.

    factors: what the counter, variable, entity, seed3 and seed4 are multiplied by in the hash.
    """

    factors: tuple[int, int, int, int, int]
    modulus: int
    divisor: tuple[int, int]
    rest: tuple[int, int]


FIRST = Half((2499997, 1800451, 2000371, 1796777, 2299603), 7450589, (4658, 7450581), (383, 99991))
SECOND = Half((2246527, 2399993, 2100869, 1918303, 1624729), 7450987, (7580, 7560584), (17669, 7440893))
DIVIDED = 999999999999989

# What the first half is multiplied by before they are added, and then the sum.
FIRST_FACTOR, SUM_FACTOR = 7440893, 1343

# Identifiers stay under 9e7, where MOD of old versions of Excel ends: a seed is two of them, its last 7 digits and the
# others, so that there are HDR_SEEDS of them.
ENTITIES = 90_000_000
SEED3 = 10**7


def hdr_uniforms(trials: Any, entity: int, variable: Any, seed3: int = 0, seed4: int = 0) -> Array:
    """Uniform numbers in (0, 1) for the numbers of trials, from 1, of a stream with these identifiers.

    Arrays of variables, whole numbers too, are broadcast against the trials.
    """
    i, var = np.asarray(trials, dtype=np.int64), np.asarray(variable, dtype=np.int64)
    first, second = (_half(half, i, var, entity, seed3, seed4) for half in (FIRST, SECOND))
    uniforms: Array = ((first * FIRST_FACTOR + second) * SUM_FACTOR % VALUES + 0.5) / VALUES
    return uniforms


def _half(half: Half, *identifiers: Any) -> Any:
    hashed = sum(factor * one for factor, one in zip(half.factors, identifiers, strict=True))
    (times, plus), (factor, rest) = half.divisor, half.rest
    return DIVIDED % (hashed % half.modulus * times + plus) * factor % rest


def entity_of(name: str) -> int:
    """The identifier of a matrix: by its name, so that adding a matrix leaves the other draws alone."""
    return int.from_bytes(hashlib.blake2s(name.encode()).digest()[:8], "little") % ENTITIES


def matrix_uniforms(seed: int, name: str, shape: Shape) -> Array:
    """The uniform numbers of a matrix in a run: its rows are the trials and its columns the variables, both from 1."""
    rows, columns = np.arange(1, shape[0] + 1)[:, None], np.arange(1, shape[1] + 1)
    return hdr_uniforms(rows, entity_of(name), columns, seed % SEED3, seed // SEED3)


def of_uniforms(distribution: Distribution, u: Any, quantile: Callable[[Any], Any]) -> Any:
    """Numbers of a distribution that `check_hdr` lets pass, from uniform ones; quantile: the standard normal one's."""
    given: dict[str, Any] = dict(distribution.parameters)
    if distribution.name == "uniform":
        return given["low"] + (given["high"] - given["low"]) * u
    z = quantile(u)
    return z if (given["mean"], given["std"]) == (0, 1) else given["mean"] + given["std"] * z


def check_hdr(distribution: Distribution, is_plain: bool) -> None:
    """Raises SheetsimError for draws that are not normal or uniform; is_plain: without a design or correlation."""
    law = Distribution(distribution.name, distribution.parameters)
    if distribution.name not in ("normal", "uniform") or law != distribution:
        raise SheetsimError(
            f"draws hdr and live support only normal and uniform numbers, not {distribution}: use draws pcg64"
        )
    if not is_plain:
        raise SheetsimError("draws hdr and live support neither sampling designs nor correlation: use draws pcg64")
