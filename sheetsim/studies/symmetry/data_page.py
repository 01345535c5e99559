"""The sheet Data: the samples that the network learns, and the patterns of its starts."""

from sheetsim.model.graph import Graph
from sheetsim.workbook.layout import Block, Item, Number, Page, Text


def data_page(graph: Graph, live: bool) -> Page:
    """The page; live: whether the book has formulas, which follow a change."""
    samples = graph["x"].shape[1]
    items: list[Item] = [
        Text(0, 0, "The samples, and the patterns of the starts", "title", 8),
        Text(1, 0, "A column is a sample: two inputs, standard normal draws, and a 1 for the bias (keep it).", "text"),
        Text(2, 0, "The second half mirrors the first. A target is 1 where x₁ + x₂ > 0, −1 elsewhere.", "text"),
        Text(4, 0, "sample", "heading-left"),
        *(Number(4, 1 + k, 1 + k, "heading") for k in range(samples)),
        *(Text(5 + k, 0, label, "label") for k, label in enumerate(("x₁", "x₂", "1 (bias)", "target"))),
        Block(5, 1, graph["x"], "number"),
        Block(8, 1, graph["targets"], "whole"),
        Text(10, 0, "A start is its scale times a pattern: draws for small and large, ones for constant.", "text"),
        Text(13, 0, "pattern", "heading-left"),
        *(Text(13, 1 + k, text, "column") for k, text in enumerate(("x₁", "x₂", "bias"))),
    ]
    if live:
        change = (
            "Change one of the ones, and the equal units differ: a control. Of the output's ones (ones_v) that "
            "of a single unit does it too, one step later: equal gradients need equal weights on both sides."
        )
        items.append(Text(11, 0, change, "text"))
    of = {"1": "hidden unit 1", "2": "hidden unit 2", "v": "output: from unit 1, unit 2, bias"}
    row = 13
    for kind, style in (("e", "number"), ("ones", "input")):
        for number, what in of.items():
            row += 1
            name = f"{kind}_{number}"
            items += [Text(row, 0, name, "label"), Block(row, 1, graph[name], style), Text(row, 4, what, "hint")]
    if "is_bias" in graph:
        hint = "Where it is 1, draws of small and large are multiplied by bias_std (of the output: the last)."
        items += [Text(row + 1, 0, "is_bias", "label"), Block(row + 1, 1, graph["is_bias"], "whole")]
        items += [Text(row + 1, 4, hint, "hint")]
    widths = {0: 12} | dict.fromkeys(range(1, samples + 1), 10)
    words = "the samples that the network learns"
    return Page("Data", tuple(items), widths, {0: 28}, tab="input", words=words)
