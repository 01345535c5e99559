"""Order statistics and counts without sorting are those of the sort, whatever the numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetsim.model.order import order_statistics_and_counts

Array = Any


def check(values: Array, edges: Array, ranks: Array, **options: int) -> None:
    rising = np.sort(values)
    found, at_most = order_statistics_and_counts(values, edges, ranks, **options)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, rising[ranks])
    np.testing.assert_array_equal(at_most, np.searchsorted(rising, edges, side="right"))


@st.composite
def numbers(draw: st.DrawFn) -> Array:
    """Up to 80 numbers of one type: of any size, of a size of their own, with ties; some with infinities and NaN."""
    width = draw(st.sampled_from([32, 64]))
    special = draw(st.booleans())
    kinds = [
        st.floats(width=width, allow_nan=special, allow_infinity=special),
        st.floats(-1, 1, width=width),
        st.sampled_from([0.0, -0.0, 1.0, 1.5, -1.0]),
    ]
    values = draw(st.lists(draw(st.sampled_from([*kinds, st.one_of(kinds)])), min_size=1, max_size=80))
    return np.array(values, dtype=f"float{width}")


@settings(max_examples=60, deadline=None)
@given(numbers(), st.lists(st.floats(), max_size=5), st.integers(0, 2))
def test_any_numbers(values: Array, others: list[float], zooms: int) -> None:
    with np.errstate(over="ignore"):
        beside = [np.nextafter(values[:6], toward, dtype=values.dtype) for toward in (np.inf, -np.inf)]
        edges = np.concatenate([values[:6], *beside, np.array(others, dtype=values.dtype)]).astype(values.dtype)
    check(values, edges, np.arange(len(values)), few=0, zooms=zooms)


CASES: dict[str, Callable[[Array], Array]] = {
    "half zeros": lambda g: np.maximum(g, 0),
    "a median just above half zeros": lambda g: np.maximum(g - np.median(g) + 1e-5, 0),
    "between 0 and 1": lambda g: 1 / (1 + np.exp(-g)),
    "saturated": lambda g: np.tanh(50 * g),
    "heavy tails": lambda g: g / np.roll(g, 1),
    "all sizes": lambda g: np.exp(20 * g),
    "seven values": lambda g: np.round(np.clip(g, -3, 3)),
    "constant": np.ones_like,
    "far from 0": lambda g: 1e6 + g,
    "near the least positive number": lambda g: g * 1e-44,
    "of a range beyond the greatest number": lambda g: g * (np.finfo(g.dtype).max / 5),
    "infinity": lambda g: np.where(g > 3, np.inf, g),
    "NaN": lambda g: np.where(g > 3, np.nan, g),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_outputs_of_a_layer(case: str, dtype: Any) -> None:
    with np.errstate(over="ignore"):
        values = CASES[case](np.random.default_rng(0).standard_normal(20_000).astype(dtype)).astype(dtype)
    edges = np.sort(values[np.isfinite(values)])[::700]
    check(values, edges, np.array([0, 999, 1000, 9999, 10_000, 18_999, 19_000, 19_999]))
