"""A person's own model as a study: its outputs are what there is to tell of it."""

from typing import TYPE_CHECKING

from sheetsim.model.graph import Graph
from sheetsim.studies.study import Findings, Study

if TYPE_CHECKING:
    from sheetsim.workbook.layout import Sheet


def model_study(model: Graph) -> Study:
    """The model as a study."""
    title = getattr(model, "title", "") or "Model"

    def sheets(command: str, live: bool) -> "list[Sheet]":
        from sheetsim.studies.model_book import model_sheets

        return model_sheets(model, title, command)

    return Study(model, title, lambda: Findings(sheets))
