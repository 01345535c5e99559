"""The summary of two hidden units by step and by start: how many they are, how far apart, and a verdict in words."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from sheetsim.model.expr import Matrix, if_error, maximum, mean, not_equal, sqrt, sum_squares, total, where
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.summary.table import Column, Table
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
FLAT = 0.25
APART = 5.0
FAR = 0.1

VERDICTS = (
    Verdict(
        "same forever",
        "at every step the two hidden units have exactly the same weights, and so has the output for both",
        "warning",
    ),
    Verdict(
        "same so far",
        "the two have the same weights at every step, but not the output's for both: nothing keeps them so",
        "warning",
    ),
    Verdict(
        "saturated",
        f"it starts where f′(a), the mean over units and samples, is under {FLAT:.0%} of its greatest value",
        "bad",
    ),
    Verdict(
        "apart",
        f"‖w_1 − w_2‖ is at the end over {APART:g} times that at the start and over {FAR:g} of ‖w_1‖ + ‖w_2‖, and "
        "the loss is below that at the start",
        "good",
    ),
    Verdict("differ", "the two units differ, and none of these", "neutral"),
    Verdict("overflow", "a number is too large for a cell: take a smaller scale or learning rate", "bad"),
)


class Start(Struct, frozen=True):
    """One start of the weights and its descent: series by their names without the start's."""

    name: str
    series: Mapping[str, Series]

    def __getitem__(self, name: str) -> Series:
        return self.series[name]


def measured(at: Mapping[str, Matrix], steepest: Matrix) -> dict[str, Matrix]:
    """Measures of a step: the number of distinct hidden units, how far they are apart, and how steep f is there."""
    slopes = [grad(total(at[f"z_{k}"]), [at[f"a_{k}"]])[0] for k in (1, 2)]
    return {
        "distinct": where(total(not_equal(at["w_1"], at["w_2"])) > 0, 2, 1),
        "distance": sqrt(sum_squares(at["w_1"] - at["w_2"])),
        "gradient": sqrt(sum_squares(at["d_w_1"]) + sum_squares(at["d_w_2"])),
        "slope": (mean(slopes[0]) + mean(slopes[1])) / (2 * steepest),
    }


MEASURES = {
    "distinct": "distinct hidden units: 1 where all weights and the bias of the two are equal. A spreadsheet "
    "compares about 15 digits",
    "distance": "‖w_1 − w_2‖, the distance between the two units' weights",
    "loss": "the logistic loss, mean log(1 + exp(−target · y))",
    "gradient": "‖(d_w_1, d_w_2)‖, the norm of the loss's gradient with respect to the hidden units' weights",
    "slope": "mean of f′(a) over units and samples, as a share of its greatest value",
}
KINDS = {"distinct": "count", "slope": "share", "distance": "size", "loss": "size", "gradient": "size"}


def start_table(graph: Graph, starts: Sequence[Start]) -> tuple[Table, tuple[Matrix, ...]]:
    """A row per start: each measure at the first step and at the last, and verdicts (`verdict_zeros`, …)."""
    columns = [
        Column(
            f"{key}_{end}", f"{what}; at the {end}", tuple(start[key][k] for start in starts), KINDS.get(key, "number")
        )
        for key, what in MEASURES.items()
        for end, k in (("start", 0), ("end", -1))
    ]
    most = tuple(maximum(start["distinct"]) for start in starts)
    columns.insert(2, Column("distinct_most", "the most distinct hidden units of all steps", most, "count"))
    steep = tuple(mean(start["slope"]) for start in starts)
    columns.append(Column("slope_mean", "the mean of slope over all steps", steep, "share"))
    names = [start.name for start in starts]
    table = Table("starts", "start", names, tuple(columns), "Starts", "how each start began and ended")
    return table, tuple(_verdict(graph, start, table, k) for k, start in enumerate(starts))


def _verdict(graph: Graph, start: Start, table: Table, k: int) -> Matrix:
    distance, before = table["distance_end"][k], table["distance_start"][k]
    size = sqrt(sum_squares(start["w_1"][-1])) + sqrt(sum_squares(start["w_2"][-1]))
    learned = table["loss_end"][k] < table["loss_start"][k]
    parted = where((distance > APART * before) * (distance > FAR * size) * learned, "apart", "differ")
    bent = where(table["slope_start"][k] < FLAT, "saturated", parted)
    # What keeps equal units equal is equal gradients, which need equal weights of the output.
    same = where(total(not_equal(start["v_1"], start["v_2"])) > 0, "same so far", "same forever")
    word = where(table["distinct_most"][k] > 1, bent, same)
    # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
    sound = if_error(0 * (total(start["loss"]) + distance) + 1, 0)
    return graph.define(f"verdict_{start.name}", where(sound > 0, word, "overflow"), what="the starts' verdicts")


def step_table(starts: Sequence[Start]) -> Table:
    """A row per step: each measure of each start."""
    columns = [
        Column(f"{key}_{start.name}", f"{what}; from {start.name}", tuple(start[key]), KINDS.get(key, "number"))
        for key, what in MEASURES.items()
        for start in starts
    ]
    return Table("steps", "step", range(len(starts[0]["loss"])), tuple(columns), "Steps", "numbers by step")
