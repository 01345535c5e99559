"""What the three networks say of a picture that a person chooses or draws, and what their hidden units look at."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from msgspec import Struct

from sheetsim.model.expr import Matrix, apply, column, equal, floor, where
from sheetsim.model.graph import Graph
from sheetsim.studies.training_in_cells.descent import HIDDEN, Descent
from sheetsim.studies.training_in_cells.pictures import CLASSES, SHAPES, as_picture, as_row


class Classified(Struct, frozen=True):
    """What the page Classify shows.

    asked, after: the drop-down of pictures, and the cell for the number of a step; chosen, moment: what they mean;
    truth: what the picture is; picture: it, 3×3; p, says: by start, of the chosen picture after the chosen step;
    drawn, p_drawn: a picture to draw in, and what is said of it after the last step; units: by start the hidden units'
    weights, 3×3 each.
    """

    asked: Matrix
    after: Matrix
    chosen: Matrix
    moment: Matrix
    truth: Matrix
    picture: Matrix
    p: Mapping[str, Matrix]
    says: Mapping[str, Matrix]
    drawn: Matrix
    p_drawn: Mapping[str, Matrix]
    units: Mapping[str, Sequence[Matrix]]


def classified(graph: Graph, descents: Sequence[Descent], steps: int) -> Classified:
    """The matrices, named in the graph."""
    x, y = graph["x"], graph["y"]
    count = float(y.shape[0])
    # With a sign before the number, which a spreadsheet else takes for a number and no text of the list.
    names = [f"#{number}" for number in range(1, y.shape[0] + 1)]
    asked = graph.choice("picture", names, names[0], what="the picture that is shown, a drop-down")
    after = graph.input("after", float(steps), (1, 1), at_least=0, what=f"after how many steps, 0 to {steps}")
    chosen = graph.define("chosen", _number(asked, names), what="the number of the picture that is shown")
    moment = graph.define("moment", _between(after, 0, float(steps)), what="the step after which is shown what is said")
    truth = graph.define(
        "truth", where(column(apply("row", y, chosen), 1) > 0.5, *CLASSES), what="what the chosen picture is"
    )
    picture = graph.define("shown", as_picture(graph, apply("row", x, chosen)), what="the chosen picture")
    drawn = graph.input("drawn", SHAPES["circle"], what="a picture to draw in")
    flat = graph.define("drawn_row", as_row(graph, drawn), what="the drawn picture as a row of nine pixels")
    p, says, p_drawn, units = {}, {}, {}, {}
    for one in descents:
        said = apply("row", one["p"], moment * count + chosen)
        p[one.name] = graph.define(
            f"p_chosen_{one.name}", said, what="what is said of the chosen picture: probabilities of circle and cross"
        )
        ahead = column(p[one.name], 1) - column(p[one.name], 2)
        word = where(ahead > 1e-9, "circle", where(ahead < -1e-9, "cross", "both alike"))
        says[one.name] = graph.define(f"says_{one.name}", word, what="the same in a word")
        p_drawn[one.name] = graph.define(
            f"p_drawn_{one.name}",
            one.said_of(graph, flat),
            what="what is said of the drawn picture after the last step",
        )
        units[one.name] = [
            graph.define(
                f"unit_{k}_{one.name}",
                as_picture(graph, column(one["W_1"][-1], k).T),
                what="a hidden unit's weights from the pixels after the last step, as a picture",
            )
            for k in range(1, HIDDEN + 1)
        ]
    return Classified(asked, after, chosen, moment, truth, picture, p, says, drawn, p_drawn, units)


def _number(choice: Matrix, names: Sequence[str]) -> Matrix:
    """The place of the chosen name, from 1."""
    return reduce(add, [equal(choice, name) * float(number) for number, name in enumerate(names, start=1)])


def _between(number: Matrix, low: float, high: float) -> Matrix:
    return where(number < low, low, where(number > high, high, floor(number)))
