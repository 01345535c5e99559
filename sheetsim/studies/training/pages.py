"""Pages of numbers that several studies of training show: every run's, and distributions by step."""

from collections.abc import Sequence

from sheetsim.model.expr import Matrix
from sheetsim.model.expr import row as take_row
from sheetsim.workbook.layout import Block, Colors, Item, Line, Lines, Number, Page, Text

# Rows of a page that a chart beside a heat map is high.
CHART_ROWS = 16


def runs_page(title: str, names: Sequence[str], nodes: Sequence[Matrix], steps: Sequence[int], words: str) -> Page:
    """The recorded numbers of every run, a column per run, the networks side by side."""
    items: list[Item] = [Text(0, 0, "network", "index"), Text(1, 0, "step", "index")]
    items += [Number(2 + k, 0, float(step), "index") for k, step in enumerate(steps)]
    left = 1
    for name, node in zip(names, nodes, strict=True):
        items.append(Text(0, left, name, "heading", node.shape[1]))
        items += [Number(1, left + k, float(k + 1), "column") for k in range(node.shape[1])]
        items.append(Block(2, left, node))
        left += node.shape[1]
    return Page(title, tuple(items), {}, freeze=(2, 1), heads=2, words=words)


def overflow_page(names: Sequence[str], nodes: Sequence[Matrix]) -> Page:
    """By network the step of each run whose loss was not finite; an error value where there was none."""
    items: list[Item] = [Text(0, 0, "run", "index")]
    items += [Number(1 + k, 0, float(k + 1), "index") for k in range(nodes[0].shape[0])]
    for c, (name, node) in enumerate(zip(names, nodes, strict=True), start=1):
        items += [Text(0, c, name, "column"), Block(1, c, node, "whole")]
    words = "the step of each run whose loss was not finite, if any"
    return Page(
        "Runs overflow", tuple(items), dict.fromkeys(range(1, 1 + len(names)), 16.0), freeze=(1, 1), words=words
    )


def _some_steps(
    row: int, left: int, said: str, counts: Matrix, edges: Sequence[float], steps: Sequence[int]
) -> list[Item]:
    """The first, a middle and the last histogram as lines, from columns of their own at the right."""
    chosen = sorted({0, len(steps) // 2, len(steps) - 1})
    top = row + 1
    items: list[Item] = [Text(top, left, "from", "column")]
    items += [Number(top + 2 + k, left, edge, "edge-muted") for k, edge in enumerate(edges)]
    lines = []
    for c, k in enumerate(chosen, start=1):
        column = take_row(counts, k + 1).T.placed(None)
        items += [Number(top, left + c, float(steps[k]), "column"), Block(top + 1, left + c, column, "count")]
        lines.append(Line(f"step {steps[k]:,}", (column,)))
    chart = Lines(top, left + 5, said, tuple(lines), (520, 20 * CHART_ROWS), "bin")
    return [*items, chart]


def heat_page(
    title: str,
    heading: str,
    note: str,
    maps: Sequence[tuple[str, Matrix, Sequence[float], Sequence[int]]],
    words: str,
) -> Page:
    """Histograms by step as heat maps, one under another: steps down, bins across, one scale of colors each.

    maps: of each what it shows, counts (steps × bins), the bins' lower edges (the first bin is all below), and the
    steps.
    """
    items: list[Item] = [Text(0, 0, heading, "title", 20), Text(1, 0, note, "text")]
    row = 3
    for said, counts, edges, steps in maps:
        items += [Text(row, 0, said, "section"), Text(row + 1, 0, "step", "index"), Text(row + 1, 1, "below", "axis")]
        items += [Number(row + 1, 2 + k, edge, "axis") for k, edge in enumerate(edges)]
        items += [Number(row + 2 + k, 0, float(step), "index") for k, step in enumerate(steps)]
        items += [Block(row + 2, 1, counts, "pixel"), Colors(((row + 2, 1, *counts.shape),))]
        items += _some_steps(row, 4 + counts.shape[1], said, counts, edges, steps)
        row += max(counts.shape) + 4
    # Counts of a layer's outputs over all samples have six digits.
    widths = {0: 12} | dict.fromkeys(range(1, 80), 7.0)
    return Page(title, tuple(items), widths, {0: 28}, words=words, freeze=(3, 1))
