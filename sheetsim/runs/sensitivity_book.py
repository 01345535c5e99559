"""How the sensitivity of a study looks as a workbook: indices as live formulas over a sheet of the design's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from sheetsim.model.expr import Matrix
from sheetsim.studies.about import about_page
from sheetsim.studies.contents import bound
from sheetsim.studies.pages import table_items, title_height
from sheetsim.studies.sections import Section, lead, lines, moved, stacked
from sheetsim.summary.design_indices import INDEX_COLUMNS
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import HorizontalBars, Line, MatrixSheet, Page, Sheet, Text

SENSITIVITY, DESIGN = "Sensitivity", "Design"

# Charts of statistics: the first ones.
MOST_CHARTS = 12

CHART_WIDTH = 650
COLUMNS = 1 + len(INDEX_COLUMNS)

# Pixels of a row of cells, of a row's two bars, and of a chart beside these.
ROW, BARS, BESIDE = 20, 30, 110


def sensitivity_book(
    title: str,
    description: str,
    tables: Sequence[Table],
    design: Matrix,
    headings: Sequence[str],
    notes: Sequence[str],
    command: str,
    parameters: Mapping[str, Any],
    scipy: bool,
) -> list[Sheet]:
    """The workbook of a sensitivity.

    tables: one a statistic, with formulas over the design's columns, which the headings name; notes: what else to know;
    command, parameters, scipy: as About shows them.
    """
    sentences = [
        f"What moves the variance over {design.shape[0]:,} pairs of replicates: Sobol indices of the input and of each "
        "layer's draws, each as a whole (e_l are the draws of the weights W_l).",
        "first_order: the share that a group makes by itself. total: the share in which it has a part, with all its "
        f"interactions. Both are formulas over the sheet {DESIGN}; intervals are numbers, by the bootstrap.",
    ]
    sections = [lead(sentences, COLUMNS, 34)]
    if notes:
        sections.append(lines(notes))
    for k, table in enumerate(tables):
        heading = Text(0, 0, f"Variance of {table.name}", "section")
        items = [heading, *(moved(item, 1) for item in table_items(table))]
        sections.append(Section(items, 2 + len(table.labels), gap=2))
        if k < MOST_CHARTS:
            sections.append(_chart(table))
    shown, heights = stacked(sections, 1)
    page = Page(
        SENSITIVITY,
        (Text(0, 0, title, "title", COLUMNS), *shown),
        {0: 20} | dict.fromkeys(range(1, COLUMNS), 16),
        {0: title_height(title), **heights},
    )
    numbers = MatrixSheet(DESIGN, design, "pair", tuple(headings), words="the statistics at Saltelli's design")
    about = about_page(title, description, command, parameters, {"Columns": INDEX_COLUMNS}, scipy=scipy)
    return bound([page, numbers, about])


def _chart(table: Table) -> Section:
    """Both indices of a table's rows."""
    height = BESIDE + BARS * len(table.labels)
    parts = Line("first-order", table["first_order"]), Line("total", table["total"])
    axis = f"share of the variance of {table.name}"
    label = f"Variance of {table.name}"
    chart = HorizontalBars(0, 0, "", parts, 0, (CHART_WIDTH, height), axis, label=label)
    return Section([chart], height // ROW + 1)
