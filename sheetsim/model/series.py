"""A series: same-shaped matrices by step, a row per step in the workbook. It computes no value and writes no file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

from sheetsim.arguments import listed, said
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import NUMBER, Matrix, Stack

# A step has a row at least, and a sheet so many.
MOST_STEPS = 1_048_576

SeriesStep = Callable[[dict[str, Matrix], int], Mapping[str, Any]]


class Series(Matrix):
    """The steps of a series one under another, as one matrix of (steps · rows) × columns; `series[t]` is step t alone.

    Only the whole has a name in the workbook; formulas refer to a step by the address of its cells.
    columns: the headings, or none for 1, 2, 3, …; first: the number of the first step, 0 where it is a start.
    """

    __slots__ = ("columns", "first")

    columns: tuple[str, ...]
    first: int

    def __init__(
        self, name: str, steps: Sequence[Matrix], columns: Sequence[str], first: int, kind: str = NUMBER
    ) -> None:
        rows, width = steps[0].shape
        super().__init__(Stack(), tuple(steps), (rows * len(steps), width), name, kind=kind)
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "first", first)

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return self.columns

    @property
    def rows(self) -> int:
        """The rows of one step."""
        return self.args[0].shape[0]

    def __len__(self) -> int:
        return len(self.args)

    def __iter__(self) -> Iterator[Matrix]:
        return iter(self.args)

    def __getitem__(self, step: int) -> Matrix:
        """The matrix at a step, by its number; -1 is the last. Raises SheetsimError when there is no such step."""
        if not isinstance(step, Integral):
            raise SheetsimError(f"{self.name}: a step must be a whole number, not {said(step)}")
        place = step - self.first if step >= 0 else len(self) + step
        if not 0 <= place < len(self):
            raise SheetsimError(
                f"{self.name}: no step {said(step)}; it has {self.first} to {self.first + len(self) - 1}"
            )
        return self.args[place]

    def __repr__(self) -> str:
        return f"<Series {self.name}: {len(self)} steps, {self.rows}×{self.shape[1]}>"


def unrolled(
    start: Mapping[str, Matrix], step: SeriesStep, steps: int, cells: Callable[[Any], Matrix]
) -> dict[str, list[Matrix]]:
    """The matrices of each name by step: those of `start` first, then what `step` makes of the step before.

    cells: makes of what `step` returned an expression with cells of its own.
    Raises SheetsimError when a step leaves a name out, adds one, or changes a shape.
    """
    nodes = {name: [node] for name, node in start.items()}
    for t in range(1, steps + 1):
        made = step({name: nodes[name][-1] for name in start}, t)
        if not isinstance(made, Mapping):
            raise SheetsimError(
                f"step {t} of {', '.join(start)} must be a mapping of names to matrices, not {type(made).__name__}"
            )
        if t == 1:
            nodes |= {name: [] for name in made if name not in nodes}
        if set(made) != set(nodes):
            wrong = next(name for name in (*nodes, *made) if name not in made or name not in nodes)
            raise SheetsimError(f"step {t} {'lacks' if wrong in nodes else 'adds'} {wrong!r}")
        for name in nodes:
            node = cells(made[name])
            before = nodes[name][-1] if nodes[name] else node
            if node.shape != before.shape:
                raise SheetsimError(
                    f"{name}: step {t} is {node.shape[0]}×{node.shape[1]}, but the one before is "
                    f"{before.shape[0]}×{before.shape[1]}"
                )
            nodes[name].append(node)
    return nodes


def check_columns(name: str, columns: Sequence[str], width: int) -> None:
    """Refuses headings that are not one text a column, each another."""
    columns = listed(f"{name}: columns", columns, "texts")
    if any(not isinstance(text, str) or not text.strip() for text in columns):
        raise SheetsimError(f"{name}: columns must be a list of texts, not {said(columns)}")
    if not all(text.isprintable() and len(text) <= 255 for text in columns):
        raise SheetsimError(f"{name}: a column's heading has 255 printable characters at most")
    if len(columns) not in (0, width):
        raise SheetsimError(f"{name}: {len(columns)} headings for {width} columns")
    if len(set(columns)) < len(columns):
        raise SheetsimError(f"{name}: two columns have the same heading: {', '.join(columns)}")
