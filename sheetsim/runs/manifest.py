"""What a book says about itself to programs: how it was made, where its tables stand, what its numbers are.

It is on one very hidden sheet, a row per field: its name, then JSON over as many cells as needed. Of what a book
can carry this alone is kept by all that save one (openpyxl drops custom XML parts, IronCalc custom properties too, and
Excel takes 255 characters of one).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.language import ENGLISH
from sheetsim.model.expr import COUNT, ROUNDING, Constant, Matrix
from sheetsim.model.series import Series
from sheetsim.studies.about import AboutPage
from sheetsim.studies.study import explained
from sheetsim.summary.table import Column, Table
from sheetsim.workbook.formulas import local_range
from sheetsim.workbook.layout import Area, Layout, MatrixSheet, possible_texts
from sheetsim.workbook.limits import COLUMNS, MANIFEST_TITLE
from sheetsim.workbook.reading.parse import Cells
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.reading.values import key

if TYPE_CHECKING:
    from sheetsim.summary.output_tables import OutputTables

# Raised whenever a reader of the one before would misread it.
FORMAT = 1

# The last version whose books had none.
BEFORE = "0.1.0"

# Characters of one cell, and of all.
PIECE, MOST = 32_000, 20_000_000


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class PlacedColumn(_Strict, frozen=True, kw_only=True):
    """A column of a table, row after row.

    It is blocks of cells (sheet, `B2:B9`), a number or text that no cell holds, or nothing.
    """

    name: str
    kind: str
    cells: list[tuple[str, str] | float | str | None]


class PlacedTable(_Strict, frozen=True, kw_only=True):
    """A table: the name of its index, a label a row, and its columns."""

    index: str
    labels: list[int | str]
    columns: list[PlacedColumn]


class PlacedHistogram(_Strict, frozen=True, kw_only=True):
    """The names of a histogram's edges, and of its counts by layer."""

    edges: str
    counts: list[str]


class PlacedSeries(_Strict, frozen=True, kw_only=True):
    """A series: the number of its first step, the rows of one, and its columns' names where they have some."""

    first: int
    rows: int
    columns: list[str]


class Replicated(_Strict, frozen=True, kw_only=True):
    """How a study was replicated: `run` is the command that runs it once; the rest as of `ReplicatesPlan`."""

    run: str
    replicates: int
    until: float | None = None
    statistics: list[str]
    single: bool
    bootstrap: bool


class Manifest(_Strict, frozen=True, kw_only=True):
    """What a book says about itself.

    command: what makes the file again, in words where none does; template: the name or path that it begins with;
    versions: by name, of what computed it; parameters: a template's keys (without `study` those of a person's own
    model); replicates, sweep, search: how often it was run, over what grid, and the keys of a search; live: whether
    there are formulas; values_only: whether they were not wanted; matrices: whether it holds the matrices, or a
    summary; theme: the file of its house style. tables (the summary first), histograms: by the name under which they
    are asked for; output_histograms: by label of an output's quantity; verdicts: names of cells, one a row of the
    summary; kinds: names of matrices by what their numbers are (COUNT, ROUNDING); series, headings: by name of the
    matrix; lang, texts: of a book in another language than English, which it is, and what its cells say, in English.
    """

    format: int
    title: str
    command: str
    template: str = ""
    versions: dict[str, str]
    parameters: dict[str, Any]
    replicates: Replicated | None = None
    sweep: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    live: bool
    values_only: bool
    matrices: bool
    theme: str = ""
    tables: dict[str, PlacedTable] = {}
    histograms: dict[str, PlacedHistogram] = {}
    output_histograms: dict[str, PlacedHistogram] = {}
    verdicts: list[str] = []
    kinds: dict[str, list[str]] = {}
    series: dict[str, PlacedSeries] = {}
    headings: dict[str, list[str]] = {}
    lang: str = ""
    texts: dict[str, str] = {}

    def rows(self) -> list[list[str]]:
        """The cells of its sheet."""
        fields = msgspec.to_builtins(self)
        return [[name, *_pieces(fields[name])] for name in self.__struct_fields__ if name in fields]

    def kind_by_name(self) -> dict[str, str]:
        """What the numbers of some matrices are."""
        return {name: kind for kind, names in self.kinds.items() for name in names}


def manifest(
    layout: Layout,
    title: str,
    *,
    template: str = "",
    parameters: Mapping[str, Any] | None = None,
    values_only: bool = False,
    matrices: bool = True,
    tables: Mapping[str, Table] | None = None,
    histograms: Mapping[str, tuple[Matrix, Sequence[Matrix]]] | None = None,
    outputs: "OutputTables | None" = None,
    verdicts: Sequence[Matrix] = (),
    replicates: Replicated | None = None,
    sweep: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of a layout, which has a sheet About.

    parameters: where they are others than it shows; histograms: edges, and counts by layer; outputs: where they have
    pages.
    """
    about = next(sheet for sheet in layout.sheets if isinstance(sheet, AboutPage))
    nodes = {str(node.name): node for node in layout.named()}
    parameters = dict(about.parameters if parameters is None else parameters)
    headings = {
        str(s.matrix.name): list(map(str, s.columns)) for s in layout.sheets if isinstance(s, MatrixSheet) and s.columns
    }
    kinds = {kind: [name for name, node in nodes.items() if node.kind == kind] for kind in (COUNT, ROUNDING)}
    return Manifest(
        format=FORMAT,
        title=title,
        command=about.command,
        template=template,
        versions=dict(about.versions),
        parameters=parameters,
        replicates=replicates,
        sweep=None if sweep is None else dict(sweep),
        search=None if search is None else dict(search),
        live=layout.live,
        values_only=values_only,
        matrices=matrices,
        tables={name: _placed(table, layout) for name, table in (tables or {}).items()},
        histograms={
            name: PlacedHistogram(edges=str(edges.name), counts=[str(of_layer.name) for of_layer in counts])
            for name, (edges, counts) in (histograms or {}).items()
        },
        output_histograms={
            label: PlacedHistogram(edges=str(one.edges.name), counts=[str(one.counts.name)])
            for label, one in (outputs.histograms if outputs else {}).items()
            if one.counts in layout.places
        },
        verdicts=[str(node.name) for node in verdicts],
        kinds={kind: names for kind, names in kinds.items() if names},
        series={
            name: PlacedSeries(first=node.first, rows=node.rows, columns=list(node.columns))
            for name, node in nodes.items()
            if isinstance(node, Series)
        },
        headings=headings,
        lang="" if layout.spoken.code == ENGLISH else layout.spoken.code,
        texts={layout.say(text): text for text in (title, *_texts(layout)) if layout.say(text) != text},
    )


def _texts(layout: Layout) -> Iterator[str]:
    """The texts that the cells of verdicts and of columns of texts can say."""
    for node in layout.places:
        yield from sorted(possible_texts(node))


def _placed(table: Table, layout: Layout) -> PlacedTable:
    return PlacedTable(
        index=table.index, labels=list(table.labels), columns=[_column(column, layout) for column in table.columns]
    )


def _column(column: Column, layout: Layout) -> PlacedColumn:
    cells: list[tuple[str, str] | float | str | None] = []
    run: list[Area] = []
    for cell in column.cells:
        place = layout.places.get(cell)
        if run and place != run[-1]._replace(row=run[-1].row + 1):
            cells.append(_block(run))
            run = []
        if place is not None:
            run.append(place)
        else:
            value = cell.source.value if isinstance(cell.source, Constant) else math.nan
            cells.append(None if value != value else value)
    return PlacedColumn(name=column.name, kind=column.kind, cells=[*cells, *map(_block, filter(None, [run]))])


def _block(run: Sequence[Area]) -> tuple[str, str]:
    """Single cells that stand one under another."""
    return run[0].sheet, local_range(run[0].row, run[0].column, (len(run), 1))


def _pieces(value: Any) -> list[str]:
    # A program may take _x0041_ in a cell for a character: the underscore as an escape of JSON is none.
    text = json.dumps(value).replace("_x", "\\u005fx")
    return [text[first : first + PIECE] for first in range(0, len(text), PIECE)]


def read_manifest(book: RawBook, cells: Cells | None = None) -> Manifest | None:
    """A book's manifest; None for one that sheetsim did not write. cells: of its sheet, where they were read.

    Raises SheetsimError for a book of a version that wrote none, and for a manifest that cannot be read.
    """
    if MANIFEST_TITLE not in book.titles:
        if book.has_digest:
            raise SheetsimError(
                f"{book.path} has no sheet {MANIFEST_TITLE!r}, which says how it was made: either sheetsim {BEFORE} "
                f"or before wrote it (read it with sheetsim {BEFORE}), or the sheet was deleted"
            )
        return None
    try:
        return _converted(_fields(cells or book.cells(MANIFEST_TITLE)))
    except SheetsimError as error:
        raise SheetsimError(f"{book.path}: the sheet {MANIFEST_TITLE!r} cannot be read: {error}") from None


def _fields(cells: Cells) -> dict[str, Any]:
    """By field its value."""
    texts = cells.values.others
    if sum(len(text) for text in texts.values() if isinstance(text, str)) > MOST:
        raise SheetsimError(f"it has more than {MOST:,} characters")
    fields: dict[str, Any] = {}
    for row, cells_of_row in groupby(sorted(texts), key=lambda cell: cell // COLUMNS):
        name, *pieces = [str(texts[cell]) for cell in cells_of_row]
        if key(row, 1) not in texts or name in fields:
            raise SheetsimError(f"row {row} has no name, or the same name as an earlier row")
        fields[name] = _loaded(name, "".join(pieces))
    return fields


def _loaded(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise SheetsimError(f"{name:.40} has lists or tables nested too deeply") from None
    except ValueError as error:
        # Of a number of 5,000 digits Python says how to allow it.
        reason = str(error).partition(";")[0].partition(":")[0]
        raise SheetsimError(f"{name:.40} is not JSON: {reason}") from None


def _converted(fields: dict[str, Any]) -> Manifest:
    form = fields.get("format")
    if form != FORMAT:
        versions = fields.get("versions")
        version = versions.get("sheetsim") if isinstance(versions, dict) else None
        reader = f"sheetsim {version!s:.20}" if version else "another version of sheetsim"
        raise SheetsimError(f"its format is {form!r:.20}, which this version does not read: use {reader}")
    try:
        return msgspec.convert(fields, Manifest)
    except (msgspec.ValidationError, RecursionError) as error:
        path = str(error).partition(" - at `$")[2].rstrip("`").lstrip(".")
        raise SheetsimError(f"{path or 'a field'}: {explained(str(error))}") from None
