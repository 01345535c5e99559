"""The pages of a study's outputs, whose first questions need numbers; and a person's own model as a study."""

from typing import TYPE_CHECKING, NamedTuple

from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.model.graph import Graph
from sheetsim.studies.study import Findings, Study
from sheetsim.summary.table import Table

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook
    from sheetsim.summary.outputs import Asked
    from sheetsim.workbook.layout import Layout, Page


class LaidOut(NamedTuple):
    """A study's book: its layout, the answers to its first questions about the outputs, and values computed on the way.

    The answers are None where there is no output.
    """

    layout: "Layout"
    risk: Table | None
    values: Values


def first_questions(study: Study, values: Values) -> "dict[str, Asked]":
    """By label of an output's quantity, what its page asks at first; values: of the outputs' matrices."""
    return study.outputs.questions(evaluate([quantity.x for quantity in study.outputs.of], values))


def pages_of_outputs(study: Study, risk: Table | None, live: bool, matrices: bool = True) -> "list[Page]":
    """The pages of a study's outputs, none where it has none; live, matrices: as of `output_pages`."""
    if risk is None:
        return []
    from sheetsim.studies.output_pages import output_pages

    outputs = study.outputs
    return output_pages(
        outputs.of, outputs.table, outputs.percentiles, risk, outputs.histograms, live=live, matrices=matrices
    )


def lay_out(study: Study, command: str, live: bool) -> LaidOut:
    """The study's book. Of its outputs all trials are computed first, as the pages ask what fits their numbers."""
    values: Values = {}
    risk = None
    if study.graph.outputs:
        values = evaluate([output.matrix for output in study.graph.outputs.values()])
        risk = study.outputs.risk(first_questions(study, values))
    return LaidOut(study.layout(command, live, pages_of_outputs(study, risk, live)), risk, values)


def model_study(model: Graph) -> Study:
    """The model as a study: its outputs are its findings."""
    return Study(model, title_of(model), lambda: Findings(no_sheets))


def title_of(model: Graph) -> str:
    """What a model's book is called."""
    return str(getattr(model, "title", "")) or "Model"


def no_sheets(command: str, live: bool) -> "StudyBook":
    """A model's sheets are `ModelRun`'s."""
    raise NotImplementedError
