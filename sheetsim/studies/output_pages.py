"""The pages of a model's outputs: their summary, and of each quantity a histogram, percentiles and risk numbers."""

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from sheetsim.language import Joined, Name, sentences
from sheetsim.model.expr import Data, Matrix
from sheetsim.studies.histogram_pages import BARS_NOTE
from sheetsim.studies.pages import VALUES
from sheetsim.studies.sections import table_page
from sheetsim.summary.outputs import OutputHistogram, Quantity
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Bars, Block, Item, Line, Lines, Page, Text

# Pages of single quantities: more are in the tables alone.
MOST_PAGES = 20

# Magnitudes that are shown as whole numbers.
LARGE = (1e3, 1e12)

CHART = (710, 250)

# What stands in a row of the page: its label, the column of the risk table, its style, and the text beside it.
RISK_ROWS = (
    ("A number t", "threshold", "input", "change it: the share of trials at or below it follows"),
    ("P(output ≤ t)", "at_most", "percent-center", "the share of trials at or below t"),
    ("    its 95 % interval: low", "at_most_low", "percent-center", "Wilson's, of independent trials"),
    ("    high", "at_most_high", "percent-center", ""),
    ("A probability p", "probability", "input", "change it: the value at it follows"),
    ("The value at p", "value", "center", "so much of the trials lies at or below it: the p-quantile"),
    ("Mean of what is at or above it", "mean_above", "center", "the expected shortfall of a cost"),
    ("Mean of what is at or below it", "mean_below", "center", "the expected shortfall of a profit"),
    ("A number a", "low", "input", "change it, and b: the share between them follows"),
    ("A number b", "high", "input", ""),
    ("P(a < output ≤ b)", "between", "percent-center", "the share of trials above a and at or below b"),
)

# Columns of the page: what is typed and answered, percentiles, and what the charts draw.
PERCENTILES, DRAWN = 5, 8


def output_pages(
    of: Sequence[Quantity],
    table: Table,
    percentiles: Table,
    risk: Table,
    histograms: Mapping[str, OutputHistogram],
    trials: str = "",
    more_rows: Mapping[str, Sequence[tuple[str, Matrix, str, str]]] | None = None,
    live: bool = True,
    matrices: bool = True,
) -> list[Page]:
    """The summary's page, and a page per quantity for the first MOST_PAGES.

    trials: the sheet whose rows are trials, that of the output's matrix if it is not named; more_rows: by label, rows
    below the risk numbers: a label, a cell, its style and a hint; live, matrices: whether the book has formulas, and
    the sheet of trials.
    """
    longest = max(len(quantity.label) for quantity in of)
    widths = {0: max(12, longest + 2)} | dict.fromkeys(range(1, len(table.columns) + 1), 12)
    note = "A row an output: rows of its matrix are trials, and each of its columns is a quantity."
    if trials and matrices:
        note = f"A row an output: statistics of its column of the sheet {trials}."
    more: list[Item] = [Text(len(of) + 2, 0, note, "text")]
    if len(of) > MOST_PAGES:
        more.append(Text(len(of) + 3, 0, f"The first {MOST_PAGES} of {len(of)} have a page each.", "text"))
    # Of those that have a page, where their counts stand.
    counts = [(histograms[quantity.label].counts,) if k < MOST_PAGES else () for k, quantity in enumerate(of)]
    summary = table_page(table, widths, more=more, drawn={"distribution": counts}, counts=True)
    pages = [replace(summary, words="a row an output", tab="results")]
    titles = titles_of("Output", of[:MOST_PAGES])
    for k, (quantity, title) in enumerate(zip(of, titles, strict=False)):
        more_of = (more_rows or {}).get(quantity.label, ())
        sheet = str(trials or quantity.output.matrix.name)
        told = (
            f"A trial is a row of the sheet {sheet}; yellow cells can be changed."
            if live
            else sentences(f"A trial is a row of the sheet {sheet}." if matrices else "", VALUES)
        )
        pages.append(_page(title, quantity, percentiles, risk, k, histograms[quantity.label], told, more_of, live))
    return pages


def titles_of(first: str, of: Sequence[Quantity]) -> list[str]:
    """The titles of the quantities' pages: a sheet's has 31 characters at most, and case does not tell two apart."""
    titles = [f"{first} {in_title(quantity.label)}" for quantity in of]
    folded = [title.casefold() for title in titles]
    fits = [len(title) <= 31 and folded.count(title.casefold()) == 1 for title in titles]
    return [title if fit else f"{first} {k}" for k, (title, fit) in enumerate(zip(titles, fits, strict=True), start=1)]


def in_title(label: str) -> str:
    """A label without what a sheet's title may not hold, and the signs of a cell's address: `'A B'!C1` is `A B C1`."""
    return re.sub(r"[\[\]:*?/\\'$]", "", label.replace("!", " "))


def _page(
    title: str,
    quantity: Quantity,
    percentiles: Table,
    risk: Table,
    k: int,
    histogram: OutputHistogram,
    told: str,
    more_rows: Sequence[tuple[str, Matrix, str, str]],
    live: bool,
) -> Page:
    output = quantity.output
    heading = f"{quantity.label} ({output.unit})" if output.unit else quantity.label
    said = Joined(f"{output.what[:1].upper()}{output.what[1:]}", ".") if output.what else ""
    items: list[Item] = [
        Text(0, 0, heading, "title", 5, is_name=True),
        Text(
            1,
            0,
            sentences(said, told),
            "text",
        ),
    ]
    row = 3
    large = is_large(risk, k)
    for label, column, style, hint in RISK_ROWS:
        is_asked = style == "input"
        plain = style if live or not is_asked else "center"
        shown = "amount-center" if plain == "center" and large and column != "probability" else plain
        items += [Text(row, 0, label, "label"), Block(row, 1, risk[column][k], shown)]
        if hint and (live or not is_asked):
            items.append(Text(row, 2, hint, "hint"))
        row += 1
    for label, cell, style, hint in more_rows:
        shown = "amount-center" if style == "center" and large else style
        items += [Text(row, 0, label, "label"), Block(row, 1, cell, shown), Text(row, 2, hint, "hint")]
        row += 1
    items += _percentiles(quantity, percentiles, large)
    items += _drawn(histogram)
    axis = Name(output.unit)
    labels = (histogram.drawn.labels,)
    shares = Line("at or below", (histogram.at_most,)), Line("above", (histogram.above,))
    exceedance = "Share of trials above" + (", powers of ten" if output.log else "")
    items += [
        Bars(row + 1, 0, "Histogram", histogram.counts, labels[0], CHART, 5, histogram.drawn.height, axis),
        Lines(row + 15, 0, "Share of trials at or below", shares[:1], CHART, axis, labels, share=True),
        Lines(row + 29, 0, exceedance, shares[1:], CHART, axis, labels, output.log, share=True),
        Text(row + 43, 0, f"The range holds all but 0.1 % of the trials at each end. {BARS_NOTE}", "text"),
    ]
    widths = {0: 34, 1: 16, 2: 16, 3: 16, 4: 16, 5: 10, 6: 14, 7: 3} | dict.fromkeys(range(DRAWN, DRAWN + 5), 11)
    return Page(title, tuple(items), widths, {0: 28}, tab="results", words=output.what or "an output")


def is_large(risk: Table, k: int) -> bool:
    """Whether a quantity's numbers are of thousands, and are read without decimals."""
    cells = (risk[name][k] for name in ("low", "high"))
    sizes = [abs(float(cell.source.values[0, 0])) for cell in cells if isinstance(cell.source, Data)]
    return LARGE[0] <= max(sizes) < LARGE[1]


def _percentiles(quantity: Quantity, percentiles: Table, large: bool) -> list[Item]:
    items: list[Item] = [
        Text(2, PERCENTILES, "percent", "column"),
        Text(2, PERCENTILES + 1, "percentile", "column"),
    ]
    style = "amount" if large else "number"
    for r, (label, cell) in enumerate(zip(percentiles.labels, percentiles[quantity.label], strict=True), start=3):
        items += [Text(r, PERCENTILES, str(label), "index"), Block(r, PERCENTILES + 1, cell, style)]
    return items


def _drawn(histogram: OutputHistogram) -> list[Item]:
    """What the charts draw, at the right."""
    shown = histogram.drawn
    columns = (
        ("bin", histogram.bin, "whole", 3),
        ("up to", shown.labels, "up-to", 3),
        ("edge", histogram.edges, "edge", 3),
        ("count", histogram.counts, "count", 3),
        ("at most", histogram.at_most, "percent", 3),
        ("above", histogram.above, "number", 3),
    )
    items: list[Item] = []
    for c, (heading, matrix, style, row) in enumerate(columns, start=DRAWN):
        items += [Text(2, c, heading, "column"), Block(row, c, matrix, style)]
    last = 3 + histogram.counts.shape[0]
    items += [Text(last - 1, DRAWN + 1, "more", "edge-muted")]
    items += [Text(last + 1, DRAWN, "most", "label"), Block(last + 1, DRAWN + 1, shown.largest, "count")]
    items += [Text(last + 2, DRAWN, "height", "label"), Block(last + 2, DRAWN + 1, shown.height, "count")]
    return items
