"""Methods of search: which points of a space to try next, given the values of those before. They run no trial.

A method is a generator: it gives a batch of points, is sent their values (NaN of a trial that failed), and ends when it
has no more. What it gives depends on its arguments and these values alone, and so neither on workers nor on a stop.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from sheetsim.engine.blas import one_thread
from sheetsim.engine.gaussian_process import GaussianProcess, Kernel, fitted
from sheetsim.model.op import Array
from sheetsim.runs.search_space import Keys, Space, identity, unlike

# Of a batch of points and their values.
Method: TypeAlias = Generator[list[Keys], Sequence[float], None]

# Draws of random search without a point that is new, after which a space counts as tried out.
MOST_MISSES = 1000

# Candidates of the acquisition: over the whole cube, and about the best points.
SOBOL_CANDIDATES, NEAR_CANDIDATES, NEAR_POINTS = 256, 192, 6

# Trials that the surrogate's hyperparameters are fitted to at most, and how many more there are when they are fitted
# again: a fit costs the cube of their number.
MOST_FITTED, FIT_AGAIN = 150, 1.25

# Median deviations within which values are taken nearly as they are.
TAME = 3.0

# From so many trials on a fit goes on from the one before it alone.
SETTLED = 40

# Trials before the first fit.
FIRST_TRIALS = 5


class Goal(Struct, frozen=True):
    """What a value is to be: the largest (`max`), the least (`min`), or as near to a number as can be."""

    kind: str = "max"
    near: float = 0.0

    def score(self, value: float) -> float:
        """The greater, the better; −∞ of NaN and infinities."""
        if not math.isfinite(value):
            return -math.inf
        return value if self.kind == "max" else -value if self.kind == "min" else -abs(value - self.near)

    def reached(self, value: float, wish: float) -> bool:
        """Whether a value is as good as the wanted one; of `near`, no further away than it."""
        return self.score(value) >= (-abs(wish) if self.kind == "near" else self.score(wish))

    def __str__(self) -> str:
        return f"nearest {self.near:g}" if self.kind == "near" else {"max": "greatest", "min": "least"}[self.kind]


class MethodOptions(Struct, frozen=True):
    """How a method goes about it.

    trials: how many; seed: of its own draws; batch: points that bayes proposes at once; acquisition: `ei` (expected
    improvement) or `ucb` (mean + κ · deviation); kappa: κ; eta, resource, budget, least: of `halving`, which spends the
    budget of the key `resource`, and least of it at least on a trial.
    """

    trials: int
    seed: int
    goal: Goal = Goal()
    batch: int = 4
    acquisition: str = "ei"
    kappa: float = 2.0
    eta: int = 3
    resource: str = "steps"
    budget: int = 0
    least: int = 0


def grid(space: Space, options: MethodOptions) -> Method:
    """A grid with at most so many points, in an order drawn by the seed: it may be stopped anywhere."""
    points = space.grid(options.trials)
    order = np.random.default_rng([options.seed, 1]).permutation(len(points))
    yield [points[k] for k in order]


def random(space: Space, options: MethodOptions) -> Method:
    """Independent points, uniform on the scales of the hyperparameters (Bergstra & Bengio 2012)."""
    yield _new(space, _random(space, options), options.trials)


def sobol(space: Space, options: MethodOptions) -> Method:
    """A scrambled Sobol sequence: points that fill the space evenly."""
    yield _new(space, _sobol(len(space), [options.seed, 3]), options.trials)


def lhs(space: Space, options: MethodOptions) -> Method:
    """A Latin hypercube: of each range, as many equal parts as there are trials, and a trial in each part."""
    from scipy.stats import qmc

    rng = np.random.default_rng([options.seed, 4])
    points = qmc.LatinHypercube(len(space), rng=rng).random(options.trials)
    yield unlike(map(space.point, points))


def bayes(space: Space, options: MethodOptions) -> Method:
    """A Gaussian process of what was found says where to look next (Snoek et al. 2012).

    The first points are of a Sobol sequence. Then each batch has the points of largest acquisition, one after another:
    until its trial has run, a point counts as found at its posterior mean (the kriging believer of Ginsbourger et al.
    2010). A trial that failed counts as the worst value found. Whatever runs the trials, a batch has the same points.
    """
    rng = np.random.default_rng([options.seed, 5])
    first = min(options.trials, max(FIRST_TRIALS, 2 * len(space) + 1))
    points = _new(space, _sobol(len(space), [options.seed, 3]), first)
    surrogate = Surrogate(space, options)
    values = yield points
    surrogate.add(points, values)
    while len(surrogate.points) < options.trials:
        with one_thread():
            points = surrogate.proposals(min(options.batch, options.trials - len(surrogate.points)), rng)
        if not points:
            return
        values = yield points
        surrogate.add(points, values)


def halving(space: Space, options: MethodOptions) -> Method:
    """Successive halving (Jamieson & Talwalkar 2016), for as much work as so many whole trials take.

    Many random points have a small budget, then the best 1/eta of them eta times as much, and so on up to the whole
    budget.
    """
    rungs = halving_rungs(options)
    points = _new(space, _random(space, options), rungs[0][1])
    for k, (budget, _) in enumerate(rungs):
        values = yield [point | {options.resource: budget} for point in points]
        if k + 1 < len(rungs):
            scores = [options.goal.score(value) for value in values]
            order = sorted((k for k in range(len(points)) if scores[k] > -math.inf), key=lambda k: -scores[k])
            points = [points[k] for k in order[: rungs[k + 1][1]]]
        if not points:
            return


def halving_rungs(options: MethodOptions) -> list[tuple[int, int]]:
    """The budgets with how many trials each has, from the least to the whole.

    Each budget is eta times the one before. Of the numbers of rungs that leave one trial at least for the last, the
    largest is taken.
    """
    best: list[tuple[int, int]] = []
    budgets = [options.budget]
    while budgets[-1] >= max(1, options.least):
        rising = budgets[::-1]
        most = options.trials * options.budget
        count = int(most / sum(budget / options.eta**k for k, budget in enumerate(rising)))
        counts = [count // options.eta**k for k in range(len(rising))]
        if counts[-1] < 1:
            break
        best = list(zip(rising, counts, strict=True))
        if budgets[-1] == 1:
            break
        budgets.append(math.ceil(budgets[-1] / options.eta))
    return best


METHODS: dict[str, Callable[[Space, MethodOptions], Method]] = {
    "grid": grid,
    "random": random,
    "sobol": sobol,
    "lhs": lhs,
    "bayes": bayes,
    "halving": halving,
}


class Surrogate:
    """The Gaussian process of a search: points with their values, and which to try next."""

    def __init__(self, space: Space, options: MethodOptions) -> None:
        self.space, self.options = space, options
        self.points: list[Keys] = []
        self.values: list[float] = []
        self._seen: set[str] = set()
        self._u = np.zeros((0, len(space)))
        self._kernel: Kernel | None = None
        self._fitted_at = 0

    def add(self, points: Sequence[Keys], values: Sequence[float]) -> None:
        """Takes in what trials found."""
        self.points += points
        self.values += values
        self._seen |= set(map(identity, points))
        self._u = np.concatenate([self._u, [self.space.coordinates(point) for point in points]])

    @property
    def process(self) -> tuple[GaussianProcess, float]:
        """The process of the values, made standard, and where the number that they are to be near to lies among them.

        A trial that failed counts as the worst of the others; of no finite value there is a process about 0.
        """
        goal, values = self.options.goal, np.array(self.values, dtype=np.float64)
        finite = np.isfinite(values)
        worst = min(values[finite], key=goal.score) if finite.any() else 0.0
        y = _tamed(np.where(finite, values, worst), goal)
        center, spread = float(y.mean()), float(y.std())
        spread = spread if spread > 1e-12 * max(1.0, abs(center)) else 1.0
        x, y = self.space.features(self._u), (y - center) / spread
        if self._kernel is None or len(y) >= FIT_AGAIN * self._fitted_at:
            self._fit(x, y)
        assert self._kernel is not None
        return GaussianProcess(self._kernel, x, y), -center / spread

    def _fit(self, x: Array, y: Array) -> None:
        some = np.unique(np.linspace(0, len(y) - 1, MOST_FITTED).astype(int)) if len(y) > MOST_FITTED else slice(None)
        d = x.shape[1]
        fresh = [Kernel((0.3,) * d), Kernel((1.0,) * d, 1.0, 0.1)]
        before = [] if self._kernel is None else [self._kernel]
        self._kernel = fitted(x[some], y[some], before if before and len(y) >= SETTLED else [*before, *fresh][:2])
        self._fitted_at = len(y)

    def proposals(self, count: int, rng: np.random.Generator) -> list[Keys]:
        """So many new points of largest acquisition; fewer where the space has no more."""
        goal = self.options.goal
        process, near = self.process
        u = self._candidates(rng)
        features = self.space.features(u)
        projected = process.projected(features)
        mean = projected.T @ process.whitened
        variance = process.kernel.signal - np.einsum("ij,ij->j", projected, projected)
        # At a trial the process is without its noise: the best mean, and not the luckiest value.
        best = max(_scores(process.fits, goal, near))
        seen = self._seen.copy()
        chosen: list[Keys] = []
        while len(chosen) < count:
            deviation = np.sqrt(np.maximum(variance, 1e-12))
            acquisition = acquired(mean, deviation, best, near, self.options)
            place = self._best_new(u, acquisition, seen)
            if place is None:
                break
            point = self.space.point(u[place])
            chosen.append(point)
            seen.add(identity(point))
            # The believed value is the mean, which therefore stays; the deviation falls about the point.
            here = process.kernel.between(features[[place]], features)[0] - projected[:, place] @ projected
            row = here / math.sqrt(max(variance[place], 0) + process.kernel.noise)
            projected = np.vstack([projected, row])
            variance = variance - row * row
            best = max(best, float(_scores(mean[[place]], goal, near)[0]))
        return chosen

    def _best_new(self, u: Array, acquisition: Array, seen: set[str]) -> int | None:
        for place in np.argsort(-acquisition, kind="stable"):
            if identity(self.space.point(u[place])) not in seen:
                return int(place)
        return None

    def _candidates(self, rng: np.random.Generator) -> Array:
        """Points of the cube: a Sobol sequence, and points about the best trials."""
        d = len(self.space)
        spread = next(_sobol_blocks(d, rng, SOBOL_CANDIDATES))
        order = sorted(range(len(self.values)), key=lambda k: -self.options.goal.score(self.values[k]))
        about = self._u[order[:NEAR_POINTS]].repeat(NEAR_CANDIDATES // min(NEAR_POINTS, len(order)), axis=0)
        widths = rng.choice([0.2, 0.05, 0.01], size=(len(about), 1))
        moved = about + rng.normal(size=about.shape) * widths
        # One hyperparameter in two is left as it is: the choices, above all.
        moved = np.where(rng.random(about.shape) < 0.5, about, moved)
        return np.concatenate([spread, np.clip(moved, 0, 1)])


def acquired(mean: Array, deviation: Array, best: float, near: float, options: MethodOptions) -> Array:
    """The acquisition of points whose values have a normal distribution.

    ei: E[max(0, score − best)]; for a number to be near to, the score is −|value − near|, and what is above `best` a
    tent of three ramps. ucb: the best score within κ deviations of the mean.
    """
    kind = options.goal.kind
    if options.acquisition == "ucb":
        reach = options.kappa * deviation
        if kind == "near":
            return -np.maximum(0, np.abs(mean - near) - reach)
        return (mean if kind == "max" else -mean) + reach
    if kind == "near":
        away, half = mean - near, -best
        return _ramp(away + half, deviation) - 2 * _ramp(away, deviation) + _ramp(away - half, deviation)
    return _ramp((mean if kind == "max" else -mean) - best, deviation)


def _ramp(distance: Array, deviation: Array) -> Array:
    """E[max(0, v)] of a normal v with that mean and deviation (Jones et al. 1998, eq. 15)."""
    from scipy.special import ndtr

    z = distance / deviation
    return np.asarray(distance * ndtr(z) + deviation * np.exp(-z * z / 2) / math.sqrt(2 * math.pi))


def _tamed(values: Array, goal: Goal) -> Array:
    """Values on a scale on which far ones count by their logarithm: asinh of their distance from the median.

    Where a goal is a number to be near to, the distance is from that number.
    """
    center = goal.near if goal.kind == "near" else float(np.median(values))
    scale = float(np.median(np.abs(values - center))) or float(np.abs(values - center).max()) or 1.0
    return np.asarray(np.arcsinh((values - center) / (TAME * scale)))


def _scores(values: Array, goal: Goal, near: float) -> Array:
    return values if goal.kind == "max" else -values if goal.kind == "min" else -np.abs(values - near)


def _new(space: Space, coordinates: Iterator[Array], count: int) -> list[Keys]:
    """So many different points of a stream; fewer where the space has no more."""
    seen: dict[str, Keys] = {}
    misses = 0
    for u in coordinates:
        point = space.point(u)
        before = len(seen)
        seen.setdefault(identity(point), point)
        misses = 0 if len(seen) > before else misses + 1
        if len(seen) >= count or misses > MOST_MISSES:
            break
    return list(seen.values())


def _random(space: Space, options: MethodOptions) -> Iterator[Array]:
    rng = np.random.default_rng([options.seed, 2])
    while True:
        yield from rng.random((64, len(space)))


def _sobol(dimensions: int, seed: Sequence[int]) -> Iterator[Array]:
    for block in _sobol_blocks(dimensions, np.random.default_rng(seed), 64):
        yield from block


def _sobol_blocks(dimensions: int, rng: np.random.Generator, size: int) -> Iterator[Array]:
    """Blocks of a scrambled sequence, as many points as a power of two each."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, rng=rng)
    while True:
        yield np.asarray(sequence.random(size))
