"""Which hyperparameters a search's values depend on: rank correlations, and first-order indices of the surrogate."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from sheetsim.engine.blas import one_thread
from sheetsim.model.op import Array
from sheetsim.runs.search_methods import MethodOptions, Surrogate
from sheetsim.runs.search_space import Hyperparameter, Keys, Space

# Points of the space over which the surrogate's variance is taken, and the fewest and most trials that it is made of.
POINTS, FEWEST, MOST_POINTS = 1024, 8, 500

WHAT = {
    "rank_correlation": "Spearman’s rank correlation of the hyperparameter and the value over the trials that have "
    "both; of choices the share of the variance of the values’ ranks that lies between them",
    "first_order": "share of the surrogate’s variance over the space due to the hyperparameter alone (first-order "
    "Sobol index of the Gaussian process’ mean)",
}


class Importance(Struct, frozen=True):
    """Of a hyperparameter: see WHAT; trials: that have it, and a value. NaN where there is no number."""

    key: str
    trials: int
    rank_correlation: float
    first_order: float


def importances(
    space: Space, options: MethodOptions, points: Sequence[Keys], values: Sequence[float]
) -> list[Importance]:
    """A row per hyperparameter; values: NaN of trials that failed, which are left out."""
    kept = [k for k, value in enumerate(values) if np.isfinite(value)]
    valued, numbers = [points[k] for k in kept], np.array([values[k] for k in kept])
    shares = _first_orders(space, options, valued, numbers)
    made = []
    for one, share in zip(space.hyperparameters, shares, strict=True):
        has = [k for k, point in enumerate(valued) if one.key in point]
        made.append(Importance(one.key, len(has), _ranked(one, [valued[k] for k in has], numbers[has]), share))
    return made


def _ranked(one: Hyperparameter, points: Sequence[Keys], values: Array) -> float:
    from scipy.stats import rankdata

    if len(points) < 3 or np.ptp(values) == 0:
        return float("nan")
    ranks = rankdata(values)
    if one.choices:
        groups = [one.choices.index(point[one.key]) for point in points]
        means = {group: ranks[[other == group for other in groups]].mean() for group in set(groups)}
        return float(np.var([means[group] for group in groups]) / ranks.var())
    numbers = rankdata([float(point[one.key]) for point in points])
    if np.ptp(numbers) == 0:
        return float("nan")
    return float(np.corrcoef(numbers, ranks)[0, 1])


def _first_orders(space: Space, options: MethodOptions, points: Sequence[Keys], values: Array) -> list[float]:
    """By Saltelli's estimator (2010, table 2) over a scrambled Sobol sequence."""
    from scipy.stats import qmc

    d = len(space)
    if len(points) < FEWEST or np.ptp(values) == 0:
        return [float("nan")] * d
    surrogate = Surrogate(space, options)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).astype(int)).tolist()
    surrogate.add([points[k] for k in chosen], [float(values[k]) for k in chosen])
    both = qmc.Sobol(2 * d, rng=np.random.default_rng([options.seed, 6])).random(POINTS)
    a, b = both[:, :d], both[:, d:]
    with one_thread():
        process, _ = surrogate.process

        def mean(u: Array) -> Array:
            return process.projected(space.features(u)).T @ process.whitened

        f_a, f_b = mean(a), mean(b)
        variance = float(np.var(np.concatenate([f_a, f_b])))
        if variance < 1e-12:
            return [float("nan")] * d
        shares = []
        for k in range(d):
            mixed = a.copy()
            mixed[:, k] = b[:, k]
            shares.append(float(np.clip(np.mean(f_b * (mean(mixed) - f_a)) / variance, 0, 1)))
    return shares
