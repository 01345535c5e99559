"""The sheets of pictures: what the networks say of one, all of them to change, their pixels as rows, and the draws."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sheetsim.model.expr import Matrix, column, row
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.training_in_cells.classify import Classified
from sheetsim.studies.training_in_cells.descent import HIDDEN, UNITS, Descent
from sheetsim.studies.training_in_cells.pictures import CLASSES, PIXELS, SIDE, kinds
from sheetsim.workbook.layout import Block, Colors, Item, Number, Page, Text, step_blocks

if TYPE_CHECKING:
    from sheetsim.studies.training_in_cells.study import TrainingInCells

PIXEL_WIDTH, PIXEL_HEIGHT = 7.5, 36.0
BRIGHTNESS = (0.0, 0.5, 1.0)
BESIDE = 4  # columns of a picture and the gap behind it


# What is said where formulas follow.
CHANGE = "Change a yellow cell, a pixel of the picture at the right, or of the sheet Pictures."


def classify_page(graph: Graph, descents: Sequence[Descent], shown: Classified, steps: int, live: bool) -> Page:
    """The page Classify: a chosen picture, one to draw in, what the networks say of both, and their hidden units."""
    count = graph["y"].shape[0]
    items: list[Item] = [
        Text(0, 0, "What the networks say of a picture", "title", 12),
        *([Text(1, 0, CHANGE, "text")] if live else []),
        Text(3, 0, f"Picture, one of {count}", "label"),
        Block(3, 1, shown.asked, "input"),
        Text(4, 0, f"After step, 0 to {steps}", "label"),
        Block(4, 1, shown.after, "input"),
        Text(3, 2, "shown: picture", "hint"),
        Block(3, 5, shown.chosen, "whole"),
        Block(3, 6, shown.truth, "label"),
        Text(4, 2, "shown: step", "hint"),
        Block(4, 5, shown.moment, "whole"),
    ]
    top, right = 7, 2 + SIDE + 4
    items += [Text(top - 1, 2, "the chosen picture", "section"), Block(top, 2, shown.picture, "pixel")]
    items += [Text(top - 1, right, "draw here", "section"), Block(top, right, shown.drawn, "drawing")]
    items.append(Colors(((top, 2, SIDE, SIDE), (top, right, SIDE, SIDE)), BRIGHTNESS))
    heights = {0: 28.0} | dict.fromkeys(range(top, top + SIDE), PIXEL_HEIGHT)
    row = top + SIDE + 1
    items += [
        Text(row, 0, "Start", "heading-left"),
        Text(row, 1, "says", "heading"),
        Text(row, 2, CLASSES[0], "heading"),
        Text(row, 3, CLASSES[1], "heading"),
        Text(row, 4, " ", "heading"),
        Text(row, right, CLASSES[0], "heading"),
        Text(row, right + 1, CLASSES[1], "heading"),
        Text(row, right + 2, " ", "heading"),
        Text(row, right + SIDE, "after the last step", "hint"),
    ]
    for k, one in enumerate(descents, start=1):
        items += [
            Text(row + k, 0, one.name, "label"),
            Block(row + k, 1, shown.says[one.name], "muted"),
            Block(row + k, 2, shown.p[one.name], "percent"),
            Block(row + k, right, shown.p_drawn[one.name], "percent"),
        ]
    row += len(descents) + 2
    items.append(Text(row, 0, "Weights of the hidden units from the pixels after the last step", "section"))
    lefts = [2 + k * BESIDE for k in range(HIDDEN)]
    items += [Text(row + 1, left, unit, "heading", SIDE) for left, unit in zip(lefts, UNITS, strict=True)]
    row += 2
    for one in descents:
        items.append(Text(row, 0, one.name, "label"))
        for left, unit in zip(lefts, shown.units[one.name], strict=True):
            items.append(Block(row, left, unit, "number"))
        items.append(Colors(tuple((row, left, SIDE, SIDE) for left in lefts)))
        row += SIDE + 1
    widths = {0: 22.0, 1: 14.0} | dict.fromkeys(range(2, 2 + HIDDEN * BESIDE), PIXEL_WIDTH)
    return Page("Classify", tuple(items), widths, heights, tab="results", words="what the networks say of a picture")


def pictures_page(graph: Graph, one: Descent, study: "TrainingInCells", live: bool) -> Page:
    """The page Pictures: all of them, to change, and the probability of a circle by one network after the last step."""
    across = study.pictures // 4
    negative = ", and in negatives, which are the second half of each class, the other way round" * study.negatives
    items: list[Item] = [
        Text(0, 0, "The pictures that are learned", "title", 12),
        Text(
            1,
            0,
            ("Change a pixel: the training, and what is said of every picture, follows. " if live else "")
            + f"Under a picture stands the probability of a circle by the start {one.name} after the last step.",
            "text",
        ),
        Text(
            2,
            0,
            f"How they were made: a pixel is 1 where the shape is and 0 elsewhere{negative}; to it {study.noise:g} "
            "times a standard normal draw is added; what lies outside of 0 to 1 becomes 0 or 1.",
            "text",
        ),
        Text(3, 0, "Colors: 0 is blue, 1 is orange.", "text"),
    ]
    areas = []
    heights = {0: 28.0}
    last = one["p"][-1]
    for k, (name, is_negative) in enumerate(kinds(study.negatives)):
        top = 5 + k * (SIDE + 3)
        items.append(Text(top, 0, f"{name}{', negative' * is_negative}", "label"))
        items.append(Text(top + SIDE + 1, 0, "P(circle)", "label"))
        heights |= dict.fromkeys(range(top + 1, top + 1 + SIDE), 26.0)
        for j in range(across):
            number, left = k * across + j + 1, 1 + j * BESIDE
            items.append(Text(top, left, str(number), "heading", SIDE))
            items.append(Block(top + 1, left, graph[f"picture_{number}"], "drawing"))
            areas.append((top + 1, left, SIDE, SIDE))
            said = column(row(last, number), 1).placed(None)
            items.append(Block(top + 1 + SIDE, left, said, "percent-center", SIDE))
    items.append(Colors(tuple(areas), BRIGHTNESS))
    widths = {0: 16.0} | {1 + c: 1.5 if c % BESIDE == SIDE else 5.0 for c in range(across * BESIDE)}
    words = "the pictures that are learned, to change"
    return Page("Pictures", tuple(items), widths, heights, (0, 1), tab="input", words=words)


def samples_page(graph: Graph) -> Page:
    """The sheet Samples: a row per picture, its pixels and what it is; and what makes rows of pictures."""
    x, y = graph["x"], graph["y"]
    assert isinstance(x, Series)
    behind = 2 + PIXELS + len(CLASSES)
    items: list[Item] = [
        Text(0, 0, "The pictures as rows", "title", 8),
        Text(1, 0, "x: nine pixels from the top left, row by row, as on the sheet Pictures. y: what it is.", "text"),
        *_headed(3, "picture", [f"x {text}" for text in x.columns] + [f"y {name}" for name in CLASSES]),
        *(Number(4 + k, 0, k + 1, "index") for k in range(y.shape[0])),
        *step_blocks(4, 1, x),
        Block(4, 1 + PIXELS, y, "whole"),
        Text(3, behind, "entropy of the classes", "label"),
        Block(3, behind + 3, graph["entropy"]),
    ]
    said = {"tile": "1 where a pixel is of the picture’s column", "keep": "1 where it is of the picture’s row"}
    for k, (name, what) in enumerate(said.items()):
        top = 5 + k * (SIDE + 2)
        items += [
            Text(top, behind, f"{name}: {what} (keep these)", "text"),
            Block(top + 1, behind, graph[name], "whole"),
        ]
    top = 5 + 2 * (SIDE + 2)
    items += [Text(top, behind, "versus: an output’s sum less the other’s; its sigmoid is the softmax", "text")]
    items.append(Block(top + 1, behind, graph["versus"], "whole"))
    widths = {0: 10} | dict.fromkeys(range(1, 1 + PIXELS + len(CLASSES)), 9) | {behind - 1: 3}
    widths |= dict.fromkeys(range(behind, behind + PIXELS), 8)
    words = "the pictures as rows of pixels, and what they are"
    return Page("Samples", tuple(items), widths, {0: 28}, (4, 1), heads=4, tab="input", words=words)


def starts_page(graph: Graph, live: bool) -> Page:
    """The sheet Starts: the draws and the pattern of the weights at step 0."""
    items: list[Item] = [
        Text(0, 0, "The patterns of the starts", "title", 8),
        Text(1, 0, "A start is its scale times a pattern: draws for small and xavier, ones for constant.", "text"),
    ]
    if live:
        change = "Change one of the ones of the hidden units, and the equal units differ: a control."
        items.append(Text(2, 0, change, "text"))
    blocks: list[tuple[str, Matrix, str]] = []
    for number, what in ((1, "hidden units: a row a pixel"), (2, "outputs: a row a hidden unit")):
        blocks += [(f"e_{number}, {what}", graph[f"e_{number}"], "number")]
        blocks += [(f"ones_{number}, {what}", graph[f"ones_{number}"], "input")]
    if "bias_std" in graph:
        of_biases = ((1, "biases of the hidden units"), (2, "biases of the outputs"))
        blocks += [(f"e_b_{number}, {said}", graph[f"e_b_{number}"], "number") for number, said in of_biases]
    items += list(_side_by_side(blocks, 4))
    widths = dict.fromkeys(range(12), 14.0)
    return Page("Starts", tuple(items), widths, {0: 28}, tab="draws", words="the draws and patterns of the starts")


def _side_by_side(blocks: Sequence[tuple[str, Matrix, str]], top: int) -> Iterator[Item]:
    """Two blocks a row, each under its label."""
    for k, (label, node, style) in enumerate(blocks):
        left = (k % 2) * 5
        row = top + (k // 2) * (PIXELS + 3)
        heads = UNITS if node.shape[1] == HIDDEN else CLASSES
        yield Text(row, left, label, "section")
        yield from (Text(row + 1, left + c, text, "column") for c, text in enumerate(heads))
        yield Block(row + 2, left, node, style)


def _headed(row: int, first: str, headings: Sequence[str]) -> list[Item]:
    return [Text(row, 0, first, "index"), *(Text(row, c, text, "column") for c, text in enumerate(headings, start=1))]
