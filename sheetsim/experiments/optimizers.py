"""Five rules that descend a function of two variables, a row a step: their paths, gradients, states and losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sheetsim.errors import SheetsimError
from sheetsim.experiments.study import Study
from sheetsim.model.expr import Matrix, column, matrix, sqrt
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.workbook.layout import Block, Item, Line, Lines, Number, Page, Sheet, Text, step_blocks

Function = Callable[[Matrix, Matrix], Matrix]

# (the state before, the gradient, the cells, the step) to the change of the position and the state after.
Rule = Callable[[Mapping[str, Matrix], Matrix, Mapping[str, Matrix], int], tuple[Matrix, dict[str, Matrix]]]
State = Mapping[str, Matrix]

CELLS: dict[str, tuple[float, str]] = {
    "rate_sgd": (0.95, "learning rate η of SGD"),
    "rate_momentum": (0.1, "learning rate η of Momentum"),
    "momentum": (0.9, "α: the share of the velocity that stays"),
    "rate_adagrad": (1.5, "learning rate η of AdaGrad"),
    "rate_rmsprop": (0.3, "learning rate η of RMSprop"),
    "decay": (0.9, "ρ: the share of RMSprop's mean square that stays"),
    "rate_adam": (0.3, "learning rate η of Adam"),
    "beta_1": (0.9, "β₁: the share of Adam's mean gradient that stays"),
    "beta_2": (0.999, "β₂: the share of Adam's mean square that stays"),
    "epsilon": (1e-8, "ε: added to roots, against division by 0"),
}


def bowl(x: Matrix, y: Matrix) -> Matrix:
    """x²/20 + y²: steep across, flat along, so that plain descent swings from side to side."""
    return x**2 / 20 + y**2


def sgd(state: State, g: Matrix, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    """p ← p − η g."""
    return -cell["rate_sgd"] * g, {}


def momentum(state: State, g: Matrix, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    """v ← α v − η g; p ← p + v (Polyak 1964)."""
    v = cell["momentum"] * state["v"] - cell["rate_momentum"] * g
    return v, {"v": v}


def adagrad(state: State, g: Matrix, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    """h ← h + g²; p ← p − η g / (√h + ε) (Duchi et al. 2011)."""
    h = state["h"] + g**2
    return -cell["rate_adagrad"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def rmsprop(state: State, g: Matrix, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    """h ← ρ h + (1 − ρ) g²; p ← p − η g / (√h + ε), without bias correction (Tieleman & Hinton 2012, lecture 6e)."""
    h = cell["decay"] * state["h"] + (1 - cell["decay"]) * g**2
    return -cell["rate_rmsprop"] * g / (sqrt(h) + cell["epsilon"]), {"h": h}


def adam(state: State, g: Matrix, cell: State, t: int) -> tuple[Matrix, dict[str, Matrix]]:
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; p ← p − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε), which corrects
    the bias of starting from 0 (Kingma & Ba 2015, arXiv:1412.6980)."""
    m = cell["beta_1"] * state["m"] + (1 - cell["beta_1"]) * g
    v = cell["beta_2"] * state["v"] + (1 - cell["beta_2"]) * g**2
    steady = sqrt(v / (1 - cell["beta_2"] ** t)) + cell["epsilon"]
    return -cell["rate_adam"] * (m / (1 - cell["beta_1"] ** t)) / steady, {"m": m, "v": v}


# By name: what people call it, its rule and its state, which begins at 0.
RULES: dict[str, tuple[str, Rule, str]] = {
    "sgd": ("SGD", sgd, ""),
    "momentum": ("Momentum", momentum, "v"),
    "adagrad": ("AdaGrad", adagrad, "h"),
    "rmsprop": ("RMSprop", rmsprop, "h"),
    "adam": ("Adam", adam, "mv"),
}

HEAD = 6  # rows above a path's first step


@dataclass(frozen=True)
class Path:
    """One optimiser's series: its position p, f there, its gradient and its state."""

    name: str
    p: Series
    f: Series
    others: tuple[Series, ...]


def optimizers(
    f: Function = bowl,
    *,
    start: Sequence[float] = (-7.0, 2.0),
    steps: int = 30,
    cells: Mapping[str, float] | None = None,
) -> Study:
    """The paths of SGD, Momentum, AdaGrad, RMSprop and Adam: series p_sgd … p_adam, columns x and y, row 0 the start.

    f: of two single numbers, in functions of the model language; its gradients g_… are by `grad`. cells: other rates
    and parameters than those of CELLS. Beside each path are f_… and the state (v_momentum, h_adagrad, h_rmsprop,
    m_adam, v_adam). Raises SheetsimError when f has no derivative, the start is no pair of numbers, or a cell unknown.
    """
    unknown = [name for name in cells or {} if name not in CELLS]
    if unknown:
        raise SheetsimError(f"no parameter {unknown[0]!r}: there are {', '.join(CELLS)}")
    graph = Graph()
    values = {name: value for name, (value, _) in CELLS.items()} | dict(cells or {})
    cell = {name: graph.input(name, value, (1, 1)) for name, value in values.items()}
    begin = graph.input("start", start, (1, 2))
    paths = [_path(graph, name, f, begin, cell, steps) for name in RULES]
    title = "Optimisers: five paths down one function"
    return Study(graph, title, lambda command, live: _sheets(title, begin, cell, paths))


def _path(graph: Graph, name: str, f: Function, start: Matrix, cell: State, steps: int) -> Path:
    _, rule, letters = RULES[name]

    def at(p: Matrix) -> Matrix:
        return matrix(f(column(p, 1), column(p, 2)))

    def step(before: dict[str, Matrix], t: int) -> dict[str, Matrix]:
        p = before[f"p_{name}"]
        (g,) = grad(at(p), [p])
        change, state = rule({letter: before[f"{letter}_{name}"] for letter in letters}, g, cell, t)
        return {f"g_{name}": g, f"p_{name}": p + change} | {f"{key}_{name}": node for key, node in state.items()}

    begin = {f"p_{name}": start} | {f"{letter}_{name}": [[0.0, 0.0]] for letter in letters}
    keys = [f"{letter}_{name}" for letter in ("p", "g", *letters)]
    made = graph.series(begin, step=step, steps=steps, columns=dict.fromkeys(keys, ("x", "y")))
    losses = graph.stacked(f"f_{name}", [at(p) for p in made[f"p_{name}"]], ("f",))
    return Path(name, made[f"p_{name}"], losses, tuple(made[key] for key in keys[1:]))


def _sheets(title: str, start: Matrix, cell: State, paths: Sequence[Path]) -> list[Sheet]:
    items: list[Item] = [
        Text(0, 0, title, "title"),
        Text(1, 0, "Change a yellow cell, and every later step follows.", "text"),
        Text(3, 0, "start (x, y)", "label"),
        Block(3, 1, start, "input"),
    ]
    for row, (name, node) in enumerate(cell.items(), start=4):
        items += [Text(row, 0, name, "label"), Block(row, 1, node, "input")]
        items.append(Text(row, 3, CELLS[name][1], "hint"))
    lines = tuple(Line(RULES[path.name][0], (path.f,)) for path in paths)
    items.append(Lines(16, 0, "f by step", lines, (720, 360), axis="step + 1"))
    return [Page("Optimisers", tuple(items), {0: 22, 1: 10, 2: 10}, {0: 28}), *map(_page, paths)]


def _page(path: Path) -> Page:
    """Position, f, gradient and state side by side, a row a step."""
    label, rule, _ = RULES[path.name]
    items: list[Item] = [Text(0, 0, label, "title"), Text(1, 0, " ".join(str(rule.__doc__).split()), "text")]
    items.append(Text(2, 0, "Row t of the gradient g is that of f at step t − 1, by which step t goes.", "text"))
    items.append(Text(HEAD - 1, 0, "step", "heading"))
    items += [Number(HEAD + t, 0, t, "heading") for t in range(len(path.p))]
    left = 1
    for series in (path.p, path.f, *path.others):
        items.append(Text(HEAD - 2, left, str(series.name), "heading-left", series.shape[1]))
        items += [Text(HEAD - 1, left + k, heading, "column") for k, heading in enumerate(series.columns)]
        items += step_blocks(HEAD + series.first, left, series)
        left += series.shape[1]
    return Page(label, tuple(items), {0: 8, 1: 12}, {0: 28}, freeze=(HEAD, 1))
