"""Tables about trained networks: where they end, how they get there, how they differ, and a word for each."""

from collections.abc import Sequence

from msgspec import Struct

from sheetsim.model.expr import (
    Matrix,
    absolute,
    if_error,
    matrix,
    maximum,
    mean,
    minimum,
    row,
    where,
)
from sheetsim.model.op_table import CONSTANT
from sheetsim.studies.training.networks import QUANTITIES, ComparedNetwork
from sheetsim.summary.student import Interval, interval
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# As near as this share to the entropy of the classes a network has learned no more than how frequent they are.
NEAR_ENTROPY = 0.05

# And it is better than to say the most frequent class where so much more of the training part is right.
MORE = 0.05

# Overfitting: this much more of the training part right than of the test part, at least.
GAP = 0.1

# In place of the step of an overflow that there was not.
NEVER = 1e15

KINDS = {"loss": "size", "accuracy": "share", "units": "count"}

VERDICTS = (
    Verdict(
        "learns",
        "the loss ends below 95 % of the baseline, and of classes less than 10 percentage points more of the training "
        "part than of the test part are right. The baseline is the least loss of outputs that do not look at the input",
        "good",
    ),
    Verdict(
        "overfits",
        "it learns, and at the end at least 10 percentage points more of the training part than of the test part are "
        "right, on average over the runs",
        "warning",
    ),
    Verdict(
        "one unit a layer",
        "it learns, but the hidden units of each layer never differ at a recorded step: the network has the use of one "
        "unit a layer",
        "bad",
    ),
    Verdict(
        "slow",
        "the loss ends at 95 % or more of the baseline, but of the training part over 5 percentage points more are "
        "right than by saying the most frequent class: it has begun to learn",
        "warning",
    ),
    Verdict(
        "does not learn",
        "the loss ends at 95 % or more of the baseline, and of classes at most 5 percentage points more are right than "
        "by saying the most frequent one",
        "bad",
    ),
    Verdict("overflow", "in at least one run the loss was not finite, and the training ended there", "bad"),
)


def over_runs(numbers: Matrix, kind: str = "number") -> Interval:
    """The mean of a number of each run, with its interval; that of a size or share ends where such numbers do."""
    return interval(numbers, nonnegative=kind in ("size", "share"), share=kind == "share")


def kind_of(quantity: str) -> str:
    """How a quantity is shown."""
    return KINDS[quantity.rpartition("_")[2]]


def recorded_quantities(compared: Sequence[ComparedNetwork]) -> list[str]:
    """What is recorded of every network."""
    return [name for name in compared[0].curves if all(name in one.curves for one in compared)]


def columns_over_runs(name: str, what: str, intervals: Sequence[Interval], kind: str) -> list[Column]:
    """A column of means, and where there are intervals, one of each end.

    Their cells are of this table alone: another may tell the same number.
    """
    columns = [Column(name, what, tuple(one.mean.placed(None) for one in intervals), kind)]
    for end in ("low", "high"):
        cells = [getattr(one, end) for one in intervals]
        if all(cell is not None for cell in cells):
            told = f"{end} end of its 95 % interval over runs, by Student's t"
            columns.append(Column(f"{name}_{end}", told, tuple(cell.placed(None) for cell in cells), kind))
    return columns


def final_table(compared: Sequence[ComparedNetwork]) -> Table:
    """A row per network: every quantity after the last step, mean over runs with interval."""
    columns: list[Column] = []
    for quantity in recorded_quantities(compared):
        ends = [row(one.curves[quantity], len(one.steps)) for one in compared]
        what = f"{QUANTITIES[quantity]}, at the end"
        if quantity == "units":
            most = tuple(maximum(one.curves[quantity]) for one in compared)
            columns.append(
                Column("units_most", f"{QUANTITIES[quantity]}; the most of all steps and runs", most, "count")
            )
            continue
        columns += columns_over_runs(
            quantity, what, [over_runs(end, kind_of(quantity)) for end in ends], kind_of(quantity)
        )
    first = [minimum(if_error(one.ended, NEVER)) for one in compared]
    steps = tuple(where(step < NEVER, step, float("nan")) for step in first)
    columns.append(
        Column("overflow_step", "the first step of all runs whose loss was not finite, if any", steps, "count")
    )
    names = [one.name for one in compared]
    return Table("final", "network", names, tuple(columns), "Final", "where each network ends, over runs")


def curve_table(compared: Sequence[ComparedNetwork]) -> Table:
    """A row per network and recorded step: every quantity, mean over runs with interval."""
    names, steps = [], []
    of: dict[str, list[Interval]] = {quantity: [] for quantity in recorded_quantities(compared)}
    for one in compared:
        for k, step in enumerate(one.steps, start=1):
            names.append(one.name)
            steps.append(matrix(float(step)))
            for quantity, intervals in of.items():
                numbers = row(one.curves[quantity], k)
                intervals.append(
                    Interval(mean(numbers)) if quantity == "units" else over_runs(numbers, kind_of(quantity))
                )
    columns = [Column("step", "steps done", tuple(steps), "count")]
    for quantity, intervals in of.items():
        kind = "decimal" if quantity == "units" else kind_of(quantity)
        columns += columns_over_runs(quantity, QUANTITIES[quantity], intervals, kind)
    what = "losses and accuracies by network and step, over runs"
    return Table("curves", "network", names, tuple(columns), "Curves", what, observed=False)


def difference_table(compared: Sequence[ComparedNetwork], against: str) -> Table | None:
    """A row per network: its final quantities less those of the network `against`, run by run, with intervals.

    The runs of all networks share draws, order and masks, so that differences vary less than the networks do. None
    where there is no other network.
    """
    base = next(one for one in compared if one.name == against)
    others = [one for one in compared if one is not base]
    if not others:
        return None
    columns: list[Column] = []
    for quantity in recorded_quantities(compared):
        if quantity == "units":
            continue
        of_base = row(base.curves[quantity], len(base.steps))
        intervals = [over_runs(row(one.curves[quantity], len(one.steps)) - of_base) for one in others]
        columns += columns_over_runs(
            f"{quantity}_difference", f"{quantity} less that of {against}, run by run", intervals, "number"
        )
    names = [one.name for one in others]
    what = f"each network less {against}, run by run with the same draws"
    return Table("differences", "network", names, tuple(columns), "Differences", what)


def network_verdicts(
    compared: Sequence[ComparedNetwork], final: Table, entropy: Matrix, common: Matrix | None
) -> list[Matrix]:
    """A word for each network. common: the share of the most frequent class, where there are classes."""
    words = []
    for k in range(len(compared)):
        loss = final["loss"][k]
        word: Matrix | str = "learns"
        has = {column.name for column in final.columns}
        if {"accuracy", "test_accuracy"} <= has:
            gap = final["accuracy"][k] - final["test_accuracy"][k]
            word = where(gap >= GAP, "overfits", word)
        if max(compared[k].keys.layers) > 1:
            word = where(final["units_most"][k] < 2, "one unit a layer", word)
        stays: Matrix | str = "does not learn"
        if "accuracy" in has and common is not None:
            stays = where(final["accuracy"][k] > common + MORE, "slow", stays)
        word = where(loss >= (1 - NEAR_ENTROPY) * entropy, stays, word)
        sound = if_error(0 * loss + 1, 0)
        words.append(where(sound > 0, word, "overflow"))
    return words


HOLDS = (
    Verdict("holds", "over the runs, the interval of the number lies on the claimed side of the limit", "good"),
    Verdict("undecided", "the interval over the runs reaches over the limit: more runs would tell", "warning"),
    Verdict("does not hold", "over the runs, the interval lies on the other side of the limit", "bad"),
    Verdict(
        "in this run",
        "the number of the one run is on the claimed side of the limit; seeds would tell how sure",
        "neutral",
    ),
    Verdict("not in this run", "the number of the one run is on the other side of the limit", "neutral"),
    Verdict("no number", "a network that the claim is about ended in overflow", "bad"),
)


def claim_words(runs: int) -> list[Verdict]:
    """What verdicts on claims can say of so many runs."""
    of_one = [verdict for verdict in HOLDS if "in this run" in verdict.word]
    others = [verdict for verdict in HOLDS if verdict not in of_one]
    return [*of_one, others[-1]] if runs < 2 else others


class TrainingClaim(Struct, frozen=True):
    """A claim of a source: a number of each run, and the limit that it is claimed to be below.

    name: of the row; what: the claim in a sentence; numbers: one a run, in a row or a column.
    """

    name: str
    what: str
    numbers: Matrix
    below: float


def training_claims(claims: Sequence[TrainingClaim]) -> Table:
    """A row per claim: the number, its interval over runs, the limit, and whether it holds."""
    intervals = [over_runs(claim.numbers) for claim in claims]
    columns = columns_over_runs("number", "what the claim is about, mean over runs", intervals, "number")
    limits = tuple(matrix(claim.below) for claim in claims)
    columns.append(Column("limit", "the claim: the number is below this", limits))
    words = []
    for claim, one in zip(claims, intervals, strict=True):
        if one.low is None or one.high is None:
            word = where(one.mean < claim.below, "in this run", "not in this run")
        else:
            # Runs that all give one number have an interval of no width.
            inside = where(one.low >= claim.below, "does not hold", "undecided")
            word = where(one.high < claim.below, "holds", inside)
        words.append(where(if_error(0 * one.mean + 1, 0) > 0, word, "no number"))
    columns.append(Column("verdict", "whether it holds", tuple(words), "text"))
    columns.append(Column("claim", "the claim in words", tuple(matrix(claim.what) for claim in claims), "text"))
    return Table(
        "claims", "about", [claim.name for claim in claims], tuple(columns), "Claims", "what sources claim, judged"
    )


def relative_distance(numbers: Matrix, to: Matrix) -> Matrix:
    """|x/to − 1|, and 0 where that is CONSTANT or less, a rounding."""
    far = absolute(numbers / to - 1)
    return where(far > CONSTANT, far, 0)
