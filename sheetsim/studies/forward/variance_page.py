"""The sheet Variance: the decomposition of the pre-activations' variance, the claims about it, and the units behind."""

from collections.abc import Iterator, Sequence

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.nets import Network
from sheetsim.studies.sections import table_page
from sheetsim.summary.table import Table
from sheetsim.summary.variance import VERDICTS, WORDS, Claim, Units
from sheetsim.workbook.layout import Block, Item, Number, Page, Text

# A claim's lines: label, cell of each layer and its style; an empty line parts it from the next.
CLAIM_LINES = (
    ("", "ratio", "ratio"),
    ("std error", "error", "error"),
    ("units", "units", "one-decimal-center"),
    ("from", "low", "ratio"),
    ("to", "high", "ratio"),
    ("verdict", "word", "verdict"),
)
CLAIM_ROWS = len(CLAIM_LINES) + 1

STORY = (
    "The common explanation: ReLU halves the variance, variances add, so He's standard deviation needs a √2.",
    "ReLU does not halve the variance: for a normal input Var(z)/Var(a) is (π−1)/2π ≈ 0.34. "
    "It halves the second moment: E[z²]/E[a²] = 1/2.",
    "The next layer's sums have variance n·sd²·E[z²], not n·sd²·Var(z), because the means of z count too. "
    "It is the second moment that He's √2 restores.",
)

RULE = (
    "A claim does not hold at a layer where the interval of the ratio lies wholly further than the tolerance from the "
    "expected ratio, and holds where it lies wholly within and has the expected ratio in it (without: nearly).",
    "Else it is undecided: the units of one run cannot tell. More units can, or replicates (`sheetsim replicate`).",
    "The verdict over all layers is the worst of a layer; a layer that was not checked (no variance, units all alike, "
    "overflow) leaves it undecided. With the confidence the intervals of all layers checked are right together.",
    "Intervals are for other weights given the layer's inputs: its units are the independent repeats, however few the "
    "samples. Units: so many equal ones would tell as much; with too few there is no interval (#N/A).",
)


def variance_page(
    graph: Graph,
    network: Network,
    table: Table,
    claims: Sequence[Claim],
    units: Sequence[Matrix | Units],
    by_unit: bool,
) -> Page:
    """The table, what its numbers say, and the claims; by_unit: also the units' statistics, which are not printed.

    units: the inputs' variances, and each layer's statistics.
    """
    row = len(network.layers) + 2
    items: list[Item] = [Text(row, 0, "What the numbers say", "section")]
    items += [Text(row + 1 + k, 0, sentence, "text") for k, sentence in enumerate(STORY)]
    row += len(STORY) + 2
    items.append(Text(row, 0, "What is said of the claims", "section"))
    for k, (label, name) in enumerate((("Tolerance", "tolerance"), ("Confidence", "confidence"))):
        items += [Text(row + 1 + k, 0, label, "label"), Block(row + 1 + k, 1, graph[name], "input")]
    row += 3
    items += [Text(row + k, 0, sentence, "text") for k, sentence in enumerate(RULE)]
    row += len(RULE) + 1
    items += [
        Text(row, 0, "Claim", "heading-left", 6),
        Text(row, 6, "verdict", "heading"),
        Text(row, 7, "layers checked", "heading"),
        Text(row, 8, "expected", "heading"),
    ]
    items += [Number(row, 8 + layer.number, layer.number, "layer") for layer in network.layers]
    row += 1
    for claim in claims:
        items += _claim(row, claim)
        row += CLAIM_ROWS
    wide, printed = 8 + len(network.layers), None
    if by_unit:
        printed, rows = row, _unit_rows(units)
        items += _by_unit(row, network.x, rows)
        wide = max(wide, *(node.shape[1] for node in rows))
    widths = {0: 11} | dict.fromkeys(range(1, wide + 1), 14)
    return table_page(table, widths, more=items, verdicts=VERDICTS, printed=printed)


def _claim(row: int, claim: Claim) -> Iterator[Item]:
    """The claim's verdict, and the layers that it comes from: how many are said what, and each one's numbers."""
    yield Text(row, 0, claim.sentence, "label", 6)
    yield Block(row, 6, claim.verdict, "verdict")
    yield Block(row, 7, claim.checked, "count-center")
    yield Number(row, 8, claim.expected, "ratio")
    for k, (word, count) in enumerate(zip(WORDS, claim.counts, strict=True), start=1):
        yield from (Text(row + k, 6, word, "muted"), Block(row + k, 7, count, "state"))
    yield from (Text(row + 5, 6, "± std errors", "muted"), Block(row + 5, 7, claim.width, "ratio"))
    for k, (label, cell, style) in enumerate(CLAIM_LINES):
        if label:
            yield Text(row + k, 8, label, "muted")
        yield from (Block(row + k, 9 + c, getattr(layer, cell), style) for c, layer in enumerate(claim.layers))


def _by_unit(row: int, x: Matrix, rows: Sequence[Matrix]) -> Iterator[Item]:
    yield Text(row, 0, "By unit: means and variances over the samples", "section")
    row += 1
    yield Text(row, 0, "unit", "index")
    yield from (Number(row, c, c, "column") for c in range(1, 1 + max(node.shape[1] for node in rows)))
    if x.headings:
        row += 1
        yield Text(row, 0, "input", "label")
        yield from (Text(row, c, name, "column", is_name=True) for c, name in enumerate(x.headings, start=1))
    for node in rows:
        row += 1
        yield from (Text(row, 0, str(node.name), "label"), Block(row, 1, node, "number"))


def _unit_rows(units: Sequence[Matrix | Units]) -> list[Matrix]:
    rows: list[Matrix] = []
    for layer in units:
        rows += [layer] if isinstance(layer, Matrix) else [layer.mean_a, layer.var_a, layer.mean_z, layer.var_z]
    return rows
