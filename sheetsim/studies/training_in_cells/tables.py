"""Tables about the three trainings: where each ends, how it gets there, and a word for each."""

from collections.abc import Sequence

from sheetsim.model.expr import Matrix, if_error, matrix, maximum, minimum, row_numbers, where
from sheetsim.model.graph import Graph
from sheetsim.studies.training_in_cells.descent import MEASURES, Descent
from sheetsim.summary.table import Column, Table
from sheetsim.summary.variance import NONE
from sheetsim.summary.verdict import Verdict

# Where the verdicts draw their lines. They are conventions of this program, stated beside the verdicts.
RIGHT = 0.95
OF_ENTROPY = 0.95
RISEN = 1.05

VERDICTS = (
    Verdict(
        "learned",
        "at the end at least 95 % of the pictures are right, and 95 % were so first in the first half of the steps",
        "good",
    ),
    Verdict(
        "late",
        "at the end at least 95 % of the pictures are right, but 95 % were so first in the second half of the steps",
        "warning",
    ),
    Verdict(
        "one unit",
        "at every step the three hidden units have the same weights and bias: the network works as with one unit",
        "bad",
    ),
    Verdict(
        "in part",
        "the units differ and the loss ends below 95 % of the entropy of the classes, but fewer than 95 % of the "
        "pictures are right at the end",
        "warning",
    ),
    Verdict(
        "waits",
        "the units differ, and the loss rises by at most 5 %, but ends at 95 % or more of the entropy of the classes, "
        "the loss without looking at the picture, and fewer than 95 % are right",
        "bad",
    ),
    Verdict(
        "rises",
        "the loss ends more than 5 % above that at the start, and fewer than 95 % are right: the steps are too long",
        "bad",
    ),
    Verdict("overflow", "a number is too large for a cell: take a smaller learning rate or momentum", "bad"),
)

KINDS = {"loss": "size", "accuracy": "share", "units": "count", "gradient": "size"}


def _first(descent: Descent) -> Matrix:
    """The first step at which enough pictures are right; NaN where there is none."""
    steps = len(descent["accuracy"])
    number = minimum(where(descent["accuracy"] >= RIGHT, row_numbers(descent["accuracy"]) - 1, steps))
    return where(number < steps, number, NONE)


def ends_table(descents: Sequence[Descent]) -> Table:
    """A row per start: where it ends, when it was right, and how many units it had the use of."""
    columns = (
        Column("loss", f"{MEASURES['loss']}; after the last step", tuple(one["loss"][-1] for one in descents), "size"),
        Column(
            "accuracy",
            f"{MEASURES['accuracy']}; after the last step",
            tuple(one["accuracy"][-1] for one in descents),
            "share",
        ),
        Column(
            "steps_to_95_percent",
            "the first step after which at least 95 % of the pictures are right; #N/A: none",
            tuple(_first(one) for one in descents),
            "count",
        ),
        Column(
            "units", f"{MEASURES['units']}; after the last step", tuple(one["units"][-1] for one in descents), "count"
        ),
        Column(
            "units_most",
            "the most distinct hidden units of all steps",
            tuple(maximum(one["units"]) for one in descents),
            "count",
        ),
        Column(
            "loss_start",
            f"{MEASURES['loss']}; before the first step",
            tuple(one["loss"][0] for one in descents),
            "size",
        ),
        Column(
            "gradient_start",
            f"{MEASURES['gradient']}; before the first step",
            tuple(one["gradient"][0] for one in descents),
            "size",
        ),
    )
    names = [one.name for one in descents]
    return Table("final", "network", names, columns, "Final", "where each start ends")


def measures_table(descents: Sequence[Descent]) -> Table:
    """A row per start and step: each measure."""
    names = [one.name for one in descents for _ in one["loss"]]
    steps = tuple(matrix(float(k)) for one in descents for k in range(len(one["loss"])))
    columns = [Column("step", "steps done", steps, "count")]
    for key, what in MEASURES.items():
        columns.append(Column(key, what, tuple(node for one in descents for node in one[key]), KINDS[key]))
    return Table("curves", "network", names, tuple(columns), "Curves", "numbers by start and step", observed=False)


def start_verdicts(graph: Graph, descents: Sequence[Descent], final: Table) -> tuple[Matrix, ...]:
    """A word a start, named `verdict_constant` and so on."""
    words = []
    for k, one in enumerate(descents):
        loss, first = final["loss"][k], final["steps_to_95_percent"][k]
        half = (len(one["loss"]) - 1) / 2
        late = where(if_error(first, 0) > half, "late", "learned")
        short = where(loss >= OF_ENTROPY * graph["entropy"], "waits", "in part")
        short = where(loss > RISEN * final["loss_start"][k], "rises", short)
        word = where(final["accuracy"][k] >= RIGHT, late, short)
        word = where(final["units_most"][k] < 2, "one unit", word)
        # Overflow: an error value in the sheet, infinity or NaN here, neither of which compares.
        sound = if_error(0 * (loss + final["gradient_start"][k] + final["units_most"][k]) + 1, 0)
        words.append(
            graph.define(f"verdict_{one.name}", where(sound > 0, word, "overflow"), what="the starts' verdicts")
        )
    return tuple(words)
