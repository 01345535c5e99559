"""How a search looks as a workbook.

It has the best trials and which others may be as good, the best so far by method, values against hyperparameters,
importance, and every trial.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from sheetsim.language import Joined, Name, sentences
from sheetsim.model.expr import (
    Matrix,
    absolute,
    exp,
    mean,
    row,
    row_sum,
    where,
)
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.runs.search_importance import WHAT, Importance
from sheetsim.runs.search_plan import SearchPlan
from sheetsim.runs.search_space import identity
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.study import toml_value
from sheetsim.summary.student import cut, half_width, row_half_widths
from sheetsim.summary.verdict import Verdict, meanings, tones
from sheetsim.workbook.layout import (
    Block,
    Item,
    Line,
    Lines,
    Number,
    Page,
    Scatter,
    Sheet,
    Text,
    Ticks,
    Trace,
)

# Trials on Overview, and on the sheet Trials.
BEST, MOST_ROWS = 20, 10_000

CHART, SMALL = (760, 340), (420, 300)
CHART_ROWS = 19

# Characters of a value.
LONGEST = 40

WORDS = (
    Verdict("best", "the trial with the best value of this search", "good"),
    Verdict(
        "may be best",
        "the 95 % interval of its difference from the best, replicate by replicate with the same draws, holds 0: more "
        "replicates may put it first",
        "neutral",
    ),
    Verdict("worse", "the interval lies wholly on the worse side", "warning"),
    Verdict("no interval", "a single replicate: whether it differs is not known", "neutral"),
    Verdict("as good", "nothing is drawn: its value is the best one", "good"),
)

CLAIMS = (
    Verdict("holds", "over the searches, the 95 % interval of the difference lies above 0", "good"),
    Verdict("undecided", "the interval holds 0: more searches (repeats), or more trials, would tell", "neutral"),
    Verdict("does not hold", "the interval lies below 0", "bad"),
)

CAUTIONS = (
    "The best of many trials looks better than it is, as it was chosen for its value. Run it again with another "
    "seed before it is relied on.",
    "Intervals are of one trial each, by Student’s t over its replicates. Replicate k has the same draws in every "
    "trial, so that differences between trials vary less than their values do.",
)

OF_HALVING = (
    "Of halving, of which a trial costs its share of the budget, by what is paid for; its values are also those of "
    "trials with a part of the budget."
)

IMPORTANCE_CAUTION = (
    "With care: trials of grid, random, sobol and lhs cover the space evenly, those of bayes and halving crowd where "
    "the value is good, and a surrogate of few trials is little more than its smoothness. Indices are of effects "
    "alone, not of what hyperparameters do together."
)


class SearchBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out.

    trials: best first, those that failed last; numbers: trials that have a value × replicates; so_far: by method, best
    so far by trial × repeats, from trial `first`; importance: of the space's hyperparameters; reason: why there are
    not more trials.
    """

    plan: SearchPlan
    trials: Sequence[Any]
    numbers: Array
    so_far: Mapping[str, Array]
    first: int
    importance: Sequence[Importance]
    reason: str
    confidence: float

    def sheets(self, command: str, live: bool) -> list[Sheet]:
        """The sheets in their order."""
        graph = Graph()
        table = _Columns(graph, self)
        # First, as the claims of Overview are about its columns.
        so_far = self._so_far(graph)
        pages: list[Sheet] = [self._overview(table), so_far, self._against(graph), self._all(table)]
        about = about_page(
            self.plan.title,
            self.plan.description,
            command,
            _flat(self.plan.parameters),
            {
                "Columns of Trials": COLUMNS,
                "Words": meanings([*WORDS, *(CLAIMS if self._claimed else ())]),
                "Importance": WHAT,
                "Value": {self.plan.value: self.plan.searched.what},
            },
            scipy=True,
        )
        return bound([*pages, about])

    @property
    def _good(self) -> list[Any]:
        return [trial for trial in self.trials if not trial.failure][:MOST_ROWS]

    @property
    def _several(self) -> bool:
        return len(self.plan.methods) > 1 or self.plan.asked.repeats > 1

    def _distinct(self) -> list[int]:
        """The places of the best trials that differ: searches by several methods may have the same points."""
        places: dict[str, int] = {}
        for k, trial in enumerate(self._good):
            places.setdefault(identity(trial.keys), k)
            if len(places) == BEST:
                break
        return list(places.values())

    def _heads(self) -> list[str]:
        return ["trial", *(["method", "repeat"] if self._several else [])]

    def _of_trial(self, row_number: int, trial: Any, place: int = 0) -> list[Item]:
        items: list[Item] = [Number(row_number, place, trial.number, "whole")]
        if self._several:
            items += [Text(row_number, place + 1, trial.method, "hint", is_name=True)]
            items += [Number(row_number, place + 2, trial.repeat, "whole")]
        return items

    def _values(self, row_number: int, place: int, trial: Any) -> list[Item]:
        return [
            _shown(row_number, place + k, trial.keys[key])
            for k, key in enumerate(self.plan.columns)
            if key in trial.keys
        ]

    def _overview(self, table: "_Columns") -> Page:
        plan, failed = self.plan, sum(bool(trial.failure) for trial in self.trials)
        heads = [
            *self._heads(),
            "value",
            "low",
            "high",
            "behind",
            "behind low",
            "behind high",
            "word",
            *map(Name, plan.columns),
        ]
        wide = max(len(heads), 8)
        items: list[Item] = [Text(0, 0, plan.title, "title", wide)]
        lead = [
            *([plan.description] if plan.description else []),
            sentences(
                f"{len(self.trials):,} trials by {', '.join(plan.methods)}: the {plan.goal} {plan.value}, which is "
                f"{plan.searched.what}.",
                _replicated(plan),
                _sentence(self.reason),
                f"{failed:,} of them failed; they stand last on the sheet Trials." if failed else "",
            ),
            *CAUTIONS[: 2 if plan.replicates > 1 else 1],
        ]
        items += [Text(1 + k, 0, sentence, "lead", wide) for k, sentence in enumerate(lead)]
        heights = {0: 30.0} | {1 + k: 34.0 for k in range(len(lead))}
        r = 2 + len(lead)
        items += [Text(r, c, head, "column") for c, head in enumerate(heads)]
        left = len(self._heads())
        places = self._distinct()
        for at, k in enumerate(places, start=r + 1):
            items += self._of_trial(at, self._good[k])
            items += table.cells(at, left, k)
            items += self._values(at, left + 7, self._good[k])
        r += 2 + len(places)
        if self._claimed:
            section, r = self._claims(table.graph, r, wide)
            items += section
        items += [Text(r, 0, "What the words mean", "section")]
        said = meanings([*table.words, *(CLAIMS if self._claimed else ())])
        for k, (word, meaning) in enumerate(said.items(), start=1):
            items += [Text(r + k, 0, word, "label"), Text(r + k, left, meaning, "hint", wide - left)]
        r += 2 + len(said)
        items += [
            Text(r, 0, "Importance of hyperparameters", "section"),
            Text(r + 1, 0, IMPORTANCE_CAUTION, "lead", wide),
        ]
        heights[r + 1] = 34.0
        names = ("hyperparameter", "trials", "rank correlation", "first order")
        items += [Text(r + 2, c, name, "column") for c, name in zip((0, left, left + 1, left + 2), names, strict=True)]
        for k, one in enumerate(self.importance, start=r + 3):
            items += [Text(k, 0, one.key, "label", is_name=True), Number(k, left, one.trials, "whole")]
            for c, number in ((left + 1, one.rank_correlation), (left + 2, one.first_order)):
                items.append(Text(k, c, "–", "muted") if math.isnan(number) else Number(k, c, number, "ratio"))
        widths = {0: 18.0} | dict.fromkeys(range(1, wide), 16.0)
        return Page("Overview", tuple(items), widths, heights, tones=tones(WORDS, CLAIMS))

    @property
    def _claimed(self) -> bool:
        return len(self.so_far) > 1 and self.plan.asked.repeats > 1

    def _claims(self, graph: Graph, r: int, wide: int) -> tuple[list[Item], int]:
        """A row per pair of methods: the difference of what their searches end at, over the repeats."""
        items: list[Item] = [
            Text(r, 0, "Methods compared: the best value at the end, search by search", "section"),
            *(Text(r + 1, c, head, "column") for c, head in enumerate(("claim", "better by", "low", "high", "word"))),
        ]
        methods = list(self.so_far)
        r += 2
        for k, later in enumerate(methods):
            for earlier in methods[:k][::-1]:
                ends = [self._end(graph, method) for method in (later, earlier)]
                difference = ends[0] - ends[1] if self.plan.goal.kind == "max" else ends[1] - ends[0]
                center = mean(difference)
                half = half_width(difference, center, self.confidence)
                name = f"{later}_over_{earlier}"
                center = graph.define(name, center, what=f"how much better {later} ends than {earlier}, over repeats")
                low = graph.define(f"{name}_low", center - half, what="low end of its 95 % interval")
                high = graph.define(f"{name}_high", center + half, what="high end of its 95 % interval")
                word = where(low > 0, "holds", where(high < 0, "does not hold", "undecided"))
                items += [Text(r, 0, f"{later} beats {earlier}", "label")]
                items += [Block(r, c, node) for c, node in enumerate((center, low, high), start=1)]
                items.append(Block(r, 4, word.placed(None), "verdict"))
                r += 1
        return items, r + 1

    def _end(self, graph: Graph, method: str) -> Matrix:
        """What the searches of a method end at, 1 × repeats; of a number to be near to, how far away."""
        node = graph[f"best_{method}"]
        last = row(node, node.shape[0])
        return absolute(last - self.plan.goal.near) if self.plan.goal.kind == "near" else last

    def _so_far(self, graph: Graph) -> Page:
        plan = self.plan
        items: list[Item] = [Text(0, 0, f"Best {plan.value} so far, by trial", "title", 12)]
        repeats = plan.asked.repeats
        means = f"Lines: means over {repeats} searches with seeds of their own, with 95 % intervals."
        note = sentences(
            "Of each search the best value among its trials up to then.",
            means if repeats > 1 else "",
            OF_HALVING if "halving" in self.so_far and len(self.so_far) > 1 else "",
        )
        items.append(Text(1, 0, note, "text"))
        if not self.so_far:
            items.append(Text(3, 0, "No search has a value.", "text"))
            return Page("Best so far", tuple(items), {0: 10}, {0: 30}, words="the best value by trial and method")
        top = 4 + CHART_ROWS
        count = len(next(iter(self.so_far.values())))
        trials = graph.input("trial", np.arange(self.first, self.first + count, dtype=float).reshape(-1, 1))
        items += [Text(top, 0, "trial", "column"), Block(top + 1, 0, trials, "whole")]
        lines: list[Line] = []
        left = 1
        for method, numbers in self.so_far.items():
            node = graph.input(f"best_{method}", numbers, what=f"best so far by trial, a column a search by {method}")
            repeats = numbers.shape[1]
            items += [Text(top - 1, left, method, "section", is_name=True)]
            items += [Text(top, left + k, f"search {k + 1}", "column") for k in range(repeats)]
            items.append(Block(top + 1, left, node))
            left += repeats
            if repeats == 1:
                lines.append(Line(Name(method), (node,)))
                continue
            center = row_sum(node) / float(repeats)
            center = graph.define(f"mean_{method}", center, what=f"mean over the searches by {method}")
            half = row_half_widths(node, center, self.confidence)
            low, high = cut(
                center - half, center + half, nonnegative=plan.searched.nonnegative, share=plan.searched.share
            )
            ends = [
                graph.define(f"low_{method}", low, what="low end of its interval"),
                graph.define(f"high_{method}", high, what="high end of its interval"),
            ]
            for k, (name, one) in enumerate(zip(("mean", "low", "high"), (center, *ends), strict=True)):
                items += [Text(top, left + k, name, "column"), Block(top + 1, left + k, one)]
            ends_of = Joined(Name(method), " interval")
            lines += [Line(Name(method), (center,)), *(Line(ends_of, (one,), "band") for one in ends)]
            left += 4
        share = plan.searched.share
        chart = Lines(3, 0, f"Best {plan.value} so far", tuple(lines), CHART, "trial", (trials,), share=share)
        widths = dict.fromkeys(range(left), 12.0)
        return Page("Best so far", (*items, chart), widths, {0: 30}, words="the best value by trial and method")

    def _against(self, graph: Graph) -> Page:
        """A chart per hyperparameter: the values of the trials that have it."""
        plan = self.plan
        items: list[Item] = [Text(0, 0, f"{plan.value} against each hyperparameter", "title", 12)]
        note = "A point a trial. Of choices their number, from 1; of a logarithmic scale the power of ten."
        items.append(Text(1, 0, note, "text"))
        keys = [key for key in plan.columns if any(key in trial.keys for trial in self._good)]
        top = 4 + CHART_ROWS * ((len(keys) + 1) // 2)
        charts: list[Item] = []
        for k, key in enumerate(keys):
            named = next((one for one in plan.space.hyperparameters if one.key == key), None)
            points, log = _points(named, key, self._good)
            called = Name(f"{log}{key}")
            node = graph.input(f"points_{k + 1}", points, what=f"{called} and value of each trial")
            left = 3 * k
            items += [Text(top, left, called, "column"), Text(top, left + 1, plan.value, "column", is_name=True)]
            items.append(Block(top + 1, left, node))
            if named is not None and named.choices:
                told = "; ".join(f"{n}: {_text(choice)}" for n, choice in enumerate(named.choices, start=1))
                items.append(Text(top - 1, left, told[:250], "text", is_name=True))
            across = _ticks(points[:, 0])
            if named is not None and named.choices:
                across = Ticks(0.0, len(named.choices) + 1.0, 1.0)
            window = across, _ticks(points[:, 1])
            value = Name(plan.value)
            trace = (Trace(value, node, 0, "point"),)
            place = 3 + CHART_ROWS * (k // 2), 6 * (k % 2)
            charts.append(
                Scatter(*place, Joined(value, " against ", called), trace, (), window, SMALL, (called, value))
            )
        widths = dict.fromkeys(range(max(12, 3 * len(keys))), 12.0)
        words = "the values against each hyperparameter"
        return Page("Hyperparameters", (*items, *charts), widths, {0: 30}, words=words)

    def _all(self, table: "_Columns") -> Page:
        plan, good = self.plan, self._good
        left = len(self._heads())
        heads = [*self._heads(), *map(Name, plan.columns)]
        items: list[Item] = [Text(0, c, head, "column") for c, head in enumerate(heads)]
        for k, trial in enumerate(good, start=1):
            items += [*self._of_trial(k, trial), *self._values(k, left, trial)]
        placed, end = table.items(len(heads))
        items += placed
        bad = [trial for trial in self.trials if trial.failure][: max(0, MOST_ROWS - len(good))]
        for k, trial in enumerate(bad, start=1 + len(good)):
            items += [*self._of_trial(k, trial), *self._values(k, left, trial)]
            items.append(Text(k, len(heads), f"failed: {trial.failure}"[:1000], "hint"))
        widths = dict.fromkeys(range(end), 13.0)
        return Page("Trials", tuple(items), widths, freeze=(1, left), words="a row a trial, the best first")


COLUMNS = {
    "value": "mean over the replicates",
    "low, high": "ends of its 95 % interval by Student’s t (of what is never negative, for the logarithm of the mean)",
    "behind": "how much the best trial is better, replicate by replicate; of a number to be near to, how much nearer",
    "behind low, high": "ends of the 95 % interval of that difference",
    "replicate k": "the value of each replicate; the seed of replicate k is the same in every trial",
}


class _Columns:
    """The columns of the trials that have a value, as matrices with a row per trial, and words on the first ones."""

    def __init__(self, graph: Graph, book: SearchBook) -> None:
        self.graph, plan = graph, book.plan
        self._plan, self._shapes = plan, book.numbers.shape
        self._made: dict[str, Matrix] = {}
        self.words: list[Verdict] = [WORDS[0]]
        if not len(book.numbers):
            return
        count = float(plan.replicates)
        self._x = x = graph.input("results", book.numbers[:MOST_ROWS], what="a row a trial, a column a replicate")
        value = graph.define("value", row_sum(x) / count if count > 1 else x + 0, what="mean over the replicates")
        self._made["value"] = value
        best = row(value, 1)
        goal, near = plan.goal, plan.goal.near
        if plan.replicates > 1:
            half = row_half_widths(x, value)
            low, high = value - half, value + half
            if plan.searched.nonnegative:
                above = value > 0
                low = where(above, value * exp(-half / value), low)
                high = where(above, value * exp(half / value), high)
            if plan.searched.share:
                high = where(high > 1, 1, high)
            self._made["low"] = graph.define("low", low, what="low end of the value’s interval")
            self._made["high"] = graph.define("high", high, what="high end of the value’s interval")
        if goal.kind == "near":
            behind = absolute(value - near) - absolute(best - near)
        else:
            behind = best - value if goal.kind == "max" else value - best
        behind = self._made["behind"] = graph.define("behind", behind, what="how much better the best trial is")
        if plan.replicates > 1:
            if goal.kind == "near":
                reach = half + row(half, 1)
            else:
                difference = row(x, 1) - x
                reach = row_half_widths(difference, row_sum(difference) / count)
            self._made["behind_low"] = graph.define("behind_low", behind - reach, what="low end of that interval")
            self._made["behind_high"] = graph.define("behind_high", behind + reach, what="high end of that interval")
            self.words += WORDS[1:3]
        else:
            self.words += [WORDS[2], WORDS[4]] if not plan.searched.is_drawn else [WORDS[3]]

    def cells(self, row_number: int, left: int, k: int) -> list[Item]:
        """What Overview shows of the k-th trial: value, its interval, how far behind the best, and a word."""
        items: list[Item] = []
        names = ("value", "low", "high", "behind", "behind_low", "behind_high")
        for c, name in enumerate(names):
            if name in self._made:
                items.append(Block(row_number, left + c, row(self._made[name], k + 1).placed(None)))
        if k == 0:
            return [*items, Text(row_number, left + 6, "best", "verdict")]
        if "behind_low" in self._made:
            word = where(row(self._made["behind_low"], k + 1) > 0, "worse", "may be best")
        elif self._plan.searched.is_drawn:
            return [*items, Text(row_number, left + 6, "no interval", "verdict")]
        else:
            word = where(row(self._made["behind"], k + 1) > 0, "worse", "as good")
        return [*items, Block(row_number, left + 6, word.placed(None), "verdict")]

    def items(self, left: int) -> tuple[list[Item], int]:
        """The columns on the sheet Trials, from a column on, and the one after them."""
        items: list[Item] = []
        for name, node in self._made.items():
            items += [Text(0, left, name.replace("_", " "), "column"), Block(1, left, node)]
            left += 1
        if not self._made:
            return items, left + 1
        left += 1
        items += [Text(0, left + k, f"replicate {k}", "column") for k in range(self._plan.replicates)]
        return [*items, Block(1, left, self._x)], left + self._plan.replicates


def _sentence(reason: str) -> str:
    """Why there are not more trials, as a sentence."""
    parts = [part for one in reason.split("; ") for part in ("; ", one)]
    return Joined(*parts[1:], ".", english=f"{reason[:1].upper()}{reason[1:]}.")


def _replicated(plan: SearchPlan) -> str:
    if not plan.searched.is_drawn:
        return "Nothing is drawn on the way to it: a trial is a single run."
    return "A trial is a single run." if plan.replicates == 1 else f"A trial is {plan.replicates} replicates."


def _points(named: Any, key: str, trials: Sequence[Any]) -> tuple[Array, str]:
    """Of each trial that has the hyperparameter, where it stands and the value; and what its name begins with."""
    pairs = [(trial.keys[key], trial.value) for trial in trials if key in trial.keys]
    if named is not None and named.choices:
        return np.array([(1.0 + named.choices.index(value), y) for value, y in pairs]), ""
    if named is not None and named.log:
        return np.array([(math.log10(value), y) for value, y in pairs]), "log10 "
    return np.array([(float(value), y) for value, y in pairs]), ""


def _ticks(numbers: Array) -> Ticks:
    """An axis around the numbers, with ticks of 1, 2 or 5 times a power of ten."""
    low, high = float(numbers.min()), float(numbers.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        low, high = low - max(abs(low), 1) / 10, high + max(abs(high), 1) / 10
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    tick = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    return Ticks(*(float(f"{x:.12g}") for x in (math.floor(low / tick) * tick, math.ceil(high / tick) * tick, tick)))


def _shown(row_number: int, place: int, value: Any) -> Item:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Number(row_number, place, value, "whole" if isinstance(value, int) else "up-to")
    return Text(row_number, place, _text(value), "hint", is_name=True)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else toml_value(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The file's keys, those of its tables with their path."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        inner = isinstance(value, Mapping) and key in ("set", "space")
        flat |= {f"{key}.{name}": item for name, item in value.items()} if inner else {key: value}
    return flat
