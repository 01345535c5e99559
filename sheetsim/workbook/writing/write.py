"""Writes a layout and its values as an .xlsx file.

XlsxWriter makes the structure, styles, charts, names and small sheets, in memory and with a mark in place of each
matrix; `package.py` writes the file, with the matrices that `cells.py` formats.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from io import BytesIO
from itertools import islice, product
from math import ceil, floor
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.model.expr import Choice, Data, Matrix
from sheetsim.model.op import Array
from sheetsim.model.series import Series
from sheetsim.whole_file import whole_file
from sheetsim.workbook.formulas import address, local_range
from sheetsim.workbook.layout import (
    Bars,
    Block,
    Colors,
    DataBars,
    Echo,
    HorizontalBars,
    Item,
    Layout,
    Lines,
    Link,
    MatrixSheet,
    Number,
    Page,
    Scatter,
    SeriesSheet,
    Sheet,
    Text,
    possible_texts,
)
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.translated import translated
from sheetsim.workbook.writing.cells import BAND, error_text, matrix_bands, series_rows
from sheetsim.workbook.writing.charts import bars_chart, horizontal_chart, lines_chart, scatter_chart
from sheetsim.workbook.writing.cover import STYLES, TYPES, Cover, Filling
from sheetsim.workbook.writing.fitting import halves, with_room
from sheetsim.workbook.writing.native_charts import NativeCharts
from sheetsim.workbook.writing.package import DIGEST, DIGEST_PART, Part, write_package
from sheetsim.workbook.writing.printing import (
    MARGINS,
    PAPER_HEIGHT,
    PAPER_WIDTH,
    ROW,
    column_pixels,
    even_cuts,
    printed,
    row_pixels,
    scale_of,
    width_of,
)
from sheetsim.workbook.writing.sparklines import sparklines, with_sparklines
from sheetsim.workbook.writing.styles import COLORS, Look
from sheetsim.workbook.writing.theme import USUAL, Theme
from sheetsim.workbook.writing.xlsxwriter_parts import (
    MARK,
    ExactWorksheet,
    define_name,
    insert_picture,
    new_book,
    number_of,
    picture_size,
    string_number,
)

# Fixed, so that the same model gives the same bytes on any day.
CREATED = datetime(2026, 1, 1)

NO_DIGEST = "0" * 64  # until it is known

# A note's pixels, and the characters of one of its lines.
NOTE_WIDTH, NOTE_LINE = 380, 60

# Pixels around a logo, and of a title's character at most.
LOGO_GAP, TITLE_CHARACTER = 2, 14

# Characters of a column with a name of its own.
WIDEST_HEADING = 24

SheetProgress = Callable[[str], None]


def write(
    path: str | os.PathLike[str],
    layout: Layout,
    values: Mapping[Matrix, Array],
    *,
    properties: Mapping[str, str] | None = None,
    manifest: Sequence[Sequence[str]] = (),
    progress: SheetProgress | None = None,
    theme: Theme = USUAL,
    filled: Mapping[str, Filling] | None = None,
) -> Path:
    """Writes the workbook and returns its path.

    values: the 2-D array of every matrix that has a place; manifest: texts of a very hidden sheet, row by row; filled:
    by name in lower case, what named cells of the theme's cover get.
    Raises SheetsimError when the file cannot be written; what was there before then stays as it was.
    """
    target = path_of(path)
    if target.suffix.lower() != ".xlsx":
        raise SheetsimError(f"{target} must end in .xlsx: it is a workbook")
    with whole_file(target) as file:
        book = _Writer(layout, values, dict(properties or {}), manifest, theme, dict(filled or {}))
        write_package(file, book.parts(progress or (lambda title: None)), last=book.last)
    return target


class _Writer:
    def __init__(
        self,
        layout: Layout,
        values: Mapping[Matrix, Array],
        properties: Mapping[str, str],
        manifest: Sequence[Sequence[str]],
        theme: Theme,
        filled: Mapping[str, Filling],
    ) -> None:
        self.theme, self.filled = theme, filled
        self.look = Look(theme.keys, layout.spoken.font)
        self.layout = layout
        say = layout.spoken.say
        sheets = [translated(sheet, say) for sheet in layout.sheets]
        if theme.keys.sparklines:
            sheets = [with_sparklines(sheet) if isinstance(sheet, Page) else sheet for sheet in sheets]
        self.sheets = [with_room(sheet, layout.said) if isinstance(sheet, Page) else sheet for sheet in sheets]
        self.manifest = manifest
        self.values = values
        self.structure = BytesIO()
        self.book = new_book(self.structure, self.look.font)
        self.book.set_properties({**properties, "created": CREATED})
        self.book.set_custom_property(DIGEST, NO_DIGEST, "text")
        self.styles = {
            name: self.book.add_format(
                self.look.font | style | {key: say(style[key]) for key in ("num_format",) if key in style}
            )
            for name, style in self.look.cells.items()
        }
        for style in self.styles.values():
            number_of(style)  # now: it is given at the first call
        self.magnitudes = [(rule, self.book.add_format({"num_format": shown})) for rule, shown in self.look.magnitudes]
        self.whole = self.book.add_format({"num_format": "0"})
        self.tones = {tone: self.book.add_format(style) for tone, style in self.look.tones.items()}
        self.strings: dict[str, int] = {}
        self.native = NativeCharts(self.look)

    def parts(self, progress: SheetProgress) -> Iterator[Part]:
        """The package's parts in XlsxWriter's order except for the last, the matrices' cells made as they are read."""
        covers = 0 if self.theme.cover is None else self._cover(self.theme.cover)
        for sheet in self.sheets:
            self._sheet(self.book.add_worksheet(sheet.title, ExactWorksheet), sheet)
        if self.manifest:
            self._hidden_sheet()
        for node in self.layout.named():
            place = self.layout.places[node]
            self.book.define_name(str(node.name), f"={address(place.sheet, place.row, place.column, place.shape)}")
        for name, cells in self.native.names().items():
            define_name(self.book, name, cells, hidden=True)
        self.book.close()
        titles = {f"xl/worksheets/sheet{k}.xml": sheet for k, sheet in enumerate(self.sheets, start=1 + covers)}
        with ZipFile(self.structure) as archive:
            others = self._others(archive)
            for name in [*archive.namelist(), *sorted(others.keys() - archive.namelist())]:
                xml = others[name] if name in others else archive.read(name)
                sheet_of = titles.get(name)
                if sheet_of is not None:
                    progress(sheet_of.title)
                if name == DIGEST_PART:
                    self.properties = xml
                elif isinstance(sheet_of, MatrixSheet):
                    yield name, self._cells(xml, sheet_of, progress)
                elif isinstance(sheet_of, SeriesSheet):
                    yield name, self._steps(xml, sheet_of)
                else:
                    yield name, [xml]

    def _others(self, archive: ZipFile) -> dict[str, bytes]:
        """By name, the parts that are others than XlsxWriter's."""
        others = self.native.parts(archive)
        if self.theme.cover is None:
            return others
        package = {name: others.get(name) or archive.read(name) for name in (TYPES, STYLES)}
        return others | self.theme.cover.parts(package, "xl/worksheets/sheet1.xml", self.filled)

    def last(self, digest: str) -> Part:
        """The part that says the digest of the others."""
        return DIGEST_PART, [self.properties.replace(NO_DIGEST.encode(), digest.encode())]

    def _cover(self, cover: Cover) -> int:
        """Adds a sheet, in whose place the cover's part comes, and the cover's names; gives the number of sheets."""
        taken = {title.lower() for title in [MANIFEST_TITLE, *(sheet.title for sheet in self.layout.sheets)]}
        if cover.title.lower() in taken:
            raise SheetsimError(
                f"the cover {cover.path}: the book itself has a sheet {cover.title!r}: rename that of the cover"
            )
        self.book.add_worksheet(cover.title, ExactWorksheet)
        names = {str(node.name).lower() for node in self.layout.named()}
        for name, text in cover.names.items():
            if name.lower() not in names:
                define_name(self.book, name, text)
        for name, text in cover.printed.items():
            define_name(self.book, name, text, sheet=0)
        return 1

    def _hidden_sheet(self) -> None:
        worksheet = self.book.add_worksheet(MANIFEST_TITLE, ExactWorksheet)
        worksheet.very_hidden()
        for row, texts in enumerate(self.manifest):
            for column, text in enumerate(texts):
                worksheet.write_string(row, column, text, self.styles["text"])

    def _sheet(self, worksheet: ExactWorksheet, sheet: Sheet) -> None:
        if sheet.tab:
            worksheet.set_tab_color(self.look.tabs[sheet.tab])
        if sheet.back:
            worksheet.link(0, 0, sheet.back)
        if isinstance(sheet, MatrixSheet):
            self._matrix_sheet(worksheet, sheet)
        elif isinstance(sheet, SeriesSheet):
            self._series_sheet(worksheet, sheet)
        else:
            self._page(worksheet, sheet)
            if self.theme.keys.sparklines:
                for one in sparklines(sheet, self.look, self.layout.places):
                    worksheet.add_sparkline(*one)
            if self.theme.logo and sheet.title in (self.layout.sheets[0].title, "About"):
                self._logo(worksheet, sheet)

    def _cells(self, xml: bytes, sheet: MatrixSheet, progress: SheetProgress) -> Iterator[bytes]:
        """A sheet's XML with its matrix in place of the mark."""
        before, _, after = xml.partition(MARK.encode())
        values = self.values[sheet.matrix]
        node = sheet.matrix
        by_cell = self.layout.is_by_cell(node)
        text = None if by_cell else self.layout.formulas.get(node)
        bands = matrix_bands(
            values,
            None if text is None else escape(text, quote=False),
            number_of(self.styles["matrix"]),
            number_of(self.styles["index"]),
            (self.strings[sheet.corner], self._corner(sheet)),
            tuple(self.strings[heading] for heading in sheet.columns),
            (lambda r, c: escape(self.layout.cell_formula(node, r, c), quote=False)) if by_cell else None,
        )
        yield before
        for number, band in enumerate(bands):
            if number % 50 == 49:
                progress(f"{sheet.title}, {number * BAND / values.size:.0%}")
            yield band
        yield after

    def _steps(self, xml: bytes, sheet: SeriesSheet) -> Iterator[bytes]:
        """A sheet's XML with its series in place of the mark."""
        before, _, after = xml.partition(MARK.encode())
        series, formulas = sheet.matrix, self.layout.formulas
        given = [self.values[step] for step in series if step not in formulas]
        changed = _changeable_style(np.vstack(given)) if given and self.layout.live else "matrix"
        styles = ("matrix", changed, "index")
        plain, changeable, index = (number_of(self.styles[style]) for style in styles)
        rows = series_rows(
            self.values[series],
            series.rows,
            series.first,
            [
                (escape(formulas[step], quote=False), self.layout.is_array(step)) if step in formulas else (None, False)
                for step in series
            ],
            (plain, changeable, index, self._corner(sheet)),
            [self.strings[heading] for heading in sheet.headings],
        )
        yield before
        while piece := b"".join(islice(rows, max(1, BAND // (series.rows * series.shape[1])))):
            yield piece
        yield after

    def _corner(self, sheet: MatrixSheet | SeriesSheet) -> int:
        """The format of A1, which can be a link."""
        return number_of(self.styles["index-link" if sheet.back else "index"])

    def _note(self, worksheet: ExactWorksheet, sheet: MatrixSheet | SeriesSheet, *more: str) -> None:
        lines = [*self.layout.notes[sheet.title], *more]
        high = sum(ceil(len(line) / NOTE_LINE) for line in lines)
        size = {"width": NOTE_WIDTH, "height": 12 + 15 * min(high, 30)}
        worksheet.write_comment(0, 0, "\n".join(lines), {"font_name": self.look.font_name, "font_size": 9, **size})

    def _series_sheet(self, worksheet: ExactWorksheet, sheet: SeriesSheet) -> None:
        rows, columns = sheet.matrix.shape
        self._number_strings(sheet.headings)
        last = sheet.left + columns - 1
        worksheet.write_block(rows, last)
        self._note(worksheet, sheet)
        worksheet.freeze_panes(1, sheet.left)
        worksheet.set_column(0, sheet.left - 1, 8)
        worksheet.set_column(sheet.left, last, 10)
        self._show_magnitudes(worksheet, [(1, sheet.left, rows, last)])
        wide = sheet.left * width_of(8) + columns * width_of(10)
        self._paper(worksheet, scale_of(wide))
        worksheet.set_h_pagebreaks(even_cuts(rows, scale_of(wide)))
        _repeat(worksheet, rows, wide, sheet.left - 1)

    def _number_strings(self, texts: Iterable[str]) -> None:
        # Now: XlsxWriter forgets its strings' numbers when it closes the book.
        for text in texts:
            self.strings[text] = string_number(self.book, text)

    def _paper(self, worksheet: ExactWorksheet, scale: int) -> None:
        worksheet.set_landscape()
        worksheet.set_paper(9)
        worksheet.set_margins(**MARGINS)
        # Columns are wider by as much as the font's digits.
        worksheet.set_print_scale(floor(scale * min(1, USUAL.keys.font.size / self.look.theme.font.size)))
        worksheet.set_footer(f"&L&A&R{self.layout.say('Page &P of &N')}")

    def _matrix_sheet(self, worksheet: ExactWorksheet, sheet: MatrixSheet) -> None:
        rows, columns = sheet.matrix.shape
        self._number_strings((sheet.corner, *sheet.columns))
        worksheet.write_block(rows, columns)
        self._note(worksheet, sheet, *(() if sheet.wholes else (self.layout.say(COLORS),)))
        worksheet.freeze_panes(1, 1)
        worksheet.set_column(0, 0, 8)
        worksheet.set_column(1, columns, 8)
        if sheet.wholes:
            worksheet.set_column(1, sheet.wholes, 17)
            if sheet.wholes < columns:
                worksheet.set_column(sheet.wholes + 1, columns, 12)
            whole = {"type": "no_errors", "format": self.whole, "stop_if_true": True}
            worksheet.conditional_format(1, 1, rows, sheet.wholes, whole)
        if sheet.wholes < columns:
            self._show_magnitudes(worksheet, [(1, 1 + sheet.wholes, rows, columns)])
        self._validate(worksheet, 1, 1, sheet.matrix)
        if not sheet.wholes:
            worksheet.conditional_format(1, 1, rows, columns, _diverging(sheet, self.look))
        widths = [17 if c < sheet.wholes else 12 if sheet.wholes else 8 for c in range(columns)]
        if not sheet.wholes:
            for c, heading in enumerate(sheet.columns):
                widths[c] = min(max(8, len(heading) + 2), WIDEST_HEADING)
                worksheet.set_column(1 + c, 1 + c, widths[c])
        wide = width_of(8) + sum(map(width_of, widths))
        self._paper(worksheet, scale_of(wide))
        worksheet.set_h_pagebreaks(even_cuts(rows, scale_of(wide)))
        _repeat(worksheet, rows, wide, 0)

    def _page(self, worksheet: ExactWorksheet, page: Page) -> None:
        for column, width in page.widths.items():
            worksheet.set_column(column, column, width)
        for row, height in page.heights.items():
            worksheet.set_row(row, height)
        if page.freeze:
            worksheet.freeze_panes(*page.freeze)
        if not page.gridlines:
            worksheet.hide_gridlines(2)
        paper = printed(page)
        self._paper(worksheet, paper.scale)
        worksheet.print_areas(page.title, paper.areas)
        worksheet.set_h_pagebreaks(paper.rows)
        worksheet.set_v_pagebreaks(paper.columns)
        if paper.heads:
            worksheet.repeat_rows(*paper.heads)
        if paper.labels:
            worksheet.repeat_columns(0, paper.labels - 1)
        numbers = [
            (item.row, item.column, item.row + item.matrix.shape[0] - 1, item.column + item.matrix.shape[1] - 1)
            for item in page.items
            if isinstance(item, Block | Echo) and self._style(item) in ADAPTIVE
        ]
        # Cells with a color scale have one block of rules: LibreOffice drops the scale where a second one covers them.
        for areas, at in ((item.areas, item.at) for item in page.items if isinstance(item, Colors)):
            plain = [block for block in numbers if not any(_meet(block, area) for area in areas)]
            blocks = [(row, column, row + rows - 1, column + columns - 1) for row, column, rows, columns in areas]
            if len(plain) < len(numbers):
                self._show_magnitudes(worksheet, blocks)
            ends = {} if at is None else _fixed_ends(at)
            worksheet.conditional_format(*blocks[0], {**self.look.color_scale, **ends, "multi_range": _covered(blocks)})
            numbers = plain
        self._show_magnitudes(worksheet, _stacked(numbers))
        worksheet.tones = page.tones
        for item in page.items:
            self._item(worksheet, item)

    def _logo(self, worksheet: ExactWorksheet, page: Page) -> None:
        """Puts the logo at the end of the title's row where that is free, else right of the last column."""
        size = picture_size(self.theme.logo)
        high = row_pixels(page, 0) - 2 * LOGO_GAP
        wide = ceil(size[0] * high / size[1])
        first = [item for item in page.items if not isinstance(item, Colors) and item.row == 0]
        end = sum(column_pixels(page, column) for column in range(printed(page).last[1] + 1))
        texts: Iterable[str] = ()
        if len(first) == 1 and isinstance(first[0], Text | Block):
            texts = [first[0].text] if isinstance(first[0], Text) else possible_texts(first[0].matrix)
        if not texts or wide + TITLE_CHARACTER * max(halves(self.layout.say(text)) for text in texts) + LOGO_GAP > end:
            end += wide + 3 * LOGO_GAP
        insert_picture(worksheet, self.theme.logo, end - wide - LOGO_GAP, LOGO_GAP, high / size[1])

    def _item(self, worksheet: ExactWorksheet, item: Item) -> None:
        if isinstance(item, Text):
            self._text(worksheet, item)
        elif isinstance(item, Number):
            worksheet.write_number(item.row, item.column, item.number, self.styles[item.style])
        elif isinstance(item, Block):
            self._block(worksheet, item)
        elif isinstance(item, Echo):
            self._echo(worksheet, item)
        elif isinstance(item, DataBars):
            worksheet.conditional_format(
                item.row, item.column, item.row + item.rows - 1, item.column, self.look.data_bars
            )
        elif not isinstance(item, Colors):
            chart, said = self._chart(item)
            if isinstance(item, Bars | Lines) and item.native:
                chart.chart_name = self.native.add(item, self.layout.places, self.values)
            said = self.layout.say(said)
            said = f"{self.layout.say(item.label)}. {said}" if item.label else said
            worksheet.insert_chart(item.row, item.column, chart, {"object_position": 1, "description": said})

    def _chart(self, item: Bars | HorizontalBars | Lines | Scatter) -> tuple[Any, str]:
        if isinstance(item, Scatter):
            return scatter_chart(self.book, self.look, item, self.layout.places)
        if isinstance(item, Bars):
            return bars_chart(self.book, self.look, item, self.layout.places)
        if isinstance(item, HorizontalBars):
            return horizontal_chart(self.book, self.look, item, self.layout.places)
        return lines_chart(self.book, self.look, item, self.layout.places, self.values)

    def _show_magnitudes(self, worksheet: ExactWorksheet, blocks: list[tuple[int, int, int, int]]) -> None:
        """Lets each number show 3 to 5 digits whatever its size, also after a drop-down has changed it."""
        if not blocks:
            return
        covered = _covered(blocks)
        for rule, style in self.magnitudes:
            options = {"type": "cell", **rule, "format": style, "stop_if_true": False, "multi_range": covered}
            worksheet.conditional_format(*blocks[0], options)

    def _text(self, worksheet: ExactWorksheet, item: Text) -> None:
        # A page's first cell leads back: where it is a heading of a table, that shows.
        leads = worksheet.has_link(item.row, item.column)
        style = self.styles.get(f"{item.style}-link" if leads else "", self.styles[item.style])
        if item.columns > 1:
            worksheet.merge_range(item.row, item.column, item.row, item.column + item.columns - 1, "", style)
        worksheet.write_string(item.row, item.column, self.layout.said(item), style)
        if isinstance(item, Link):
            worksheet.link(item.row, item.column, item.sheet, item.to_row)
        self._verdict(worksheet, item)

    def _style(self, item: Block | Echo) -> str:
        return _changeable_style(self.values[item.matrix]) if item.style == "input" else item.style

    def _block(self, worksheet: ExactWorksheet, item: Block) -> None:
        node = item.matrix
        if isinstance(node, Series):
            return  # its steps are blocks of their own
        values = self.layout.shown(self.values[node])
        style = self.styles[self._style(item)]
        first = _plain(values[0, 0])
        text = self.layout.formulas.get(node)
        if item.columns > 1:
            worksheet.merge_range(item.row, item.column, item.row, item.column + item.columns - 1, "", style)
        if text is None:
            worksheet.write_value(item.row, item.column, first, style)
        elif self.layout.is_by_cell(node):
            for r, c in np.ndindex(node.shape):
                text, value = self.layout.cell_formula(node, r, c), _plain(values[r, c])
                worksheet.write_formula(item.row + r, item.column + c, f"={text}", style, _cached(value))
        elif self.layout.is_array(node):
            last = item.row + node.shape[0] - 1, item.column + node.shape[1] - 1
            worksheet.write_array_formula(item.row, item.column, *last, f"{{={text}}}", style, _cached(first))
        else:
            worksheet.write_formula(item.row, item.column, f"={text}", style, _cached(first))
        for r, c in [] if self.layout.is_by_cell(node) else islice(product(*map(range, node.shape)), 1, None):
            worksheet.write_value(item.row + r, item.column + c, _plain(values[r, c]), style)
        self._validate(worksheet, item.row, item.column, node)
        self._verdict(worksheet, item)

    def _validate(self, worksheet: ExactWorksheet, row: int, column: int, node: Matrix) -> None:
        """What may be typed into a leaf's cells, where that is said: texts of a list, or numbers from one on."""
        source = node.source
        if isinstance(source, Choice):
            rule: dict[str, Any] = {"validate": "list", "source": list(source.options)}
        elif isinstance(source, Data) and source.at_least is not None:
            words = self.layout.say(f"A number from {source.at_least:g}.")
            rule = {"validate": "decimal", "criteria": ">=", "value": source.at_least}
            rule |= {"ignore_blank": False, "error_title": str(node.name)[:32], "error_message": words}
        else:
            return
        if self.layout.live:
            rows, columns = node.shape
            worksheet.data_validation(row, column, row + rows - 1, column + columns - 1, rule)

    def _echo(self, worksheet: ExactWorksheet, item: Echo) -> None:
        style = self.styles[item.style]
        value = _plain(self.layout.shown(self.values[item.matrix])[0, 0])
        if self.layout.live:
            place = self.layout.places[item.matrix]
            text = address(place.sheet, place.row, place.column, place.shape)
            worksheet.write_formula(item.row, item.column, f"={text}", style, _cached(value))
        else:
            worksheet.write_value(item.row, item.column, value, style)
        self._verdict(worksheet, item)

    def _verdict(self, worksheet: ExactWorksheet, item: Text | Block | Echo) -> None:
        if item.style not in ("verdict", "verdict-top"):
            return
        for text, tone in worksheet.tones.items():
            worksheet.conditional_format(
                item.row,
                item.column,
                item.row,
                item.column,
                {"type": "text", "criteria": "begins with", "value": self.layout.say(text), "format": self.tones[tone]},
            )


def _repeat(worksheet: ExactWorksheet, rows: int, wide: int, last: int) -> None:
    """Headings on each sheet of paper where several stand one under another, else labels where some stand side by side.

    wide: of all columns, in pixels; last: the last column of labels. Not both: LibreOffice, 7.4 as well as 25.2, takes
    28 s to open a book in which 70 sheets repeat both, and 2 s with one of the two.
    """
    scale = scale_of(wide) / 100
    if (rows + 1) * ROW * scale > PAPER_HEIGHT:
        worksheet.repeat_rows(0)
    elif wide * scale > PAPER_WIDTH:
        worksheet.repeat_columns(0, last)


def _fixed_ends(at: Iterable[float]) -> dict[str, Any]:
    """The numbers at which a scale has its three colors."""
    ends = dict(zip(("min", "mid", "max"), at, strict=True))
    return {f"{end}_type": "num" for end in ends} | {f"{end}_value": number for end, number in ends.items()}


def _diverging(sheet: MatrixSheet, look: Look) -> dict[str, Any]:
    """A matrix's colors: away from 0 on both sides, as far as its largest magnitude.

    Where all is 0 the ends are not 0 themselves: three equal ends have no color between them.
    """
    place = address(sheet.title, 1, 1, sheet.matrix.shape).rpartition("!")[2]
    most = f"MAX(MAX({place}),-MIN({place}),1E-300)"
    return {
        "type": "3_color_scale",
        "min_type": "formula",
        "min_value": f"=-{most}",
        "min_color": look.theme.colors.negative,
        "mid_type": "num",
        "mid_value": 0,
        "mid_color": look.theme.colors.zero,
        "max_type": "formula",
        "max_value": f"={most}",
        "max_color": look.theme.colors.positive,
    }


# Styles of numbers of any size; counts, shares and the like have a format of their own.
ADAPTIVE = ("number", "center", "center-top", "edge", "input-number")

# Significant digits that a cell shows as they are: a person typed them, and no generator drew them.
TYPED = 9


def _changeable_style(values: Array) -> str:
    """The style of yellow cells: numbers as they were typed, or shown as others are where one has more digits."""
    if values.dtype.kind != "f":
        return "input"
    numbers = values[np.isfinite(values)]
    return "input" if all(float(f"{number:.{TYPED}g}") == number for number in numbers) else "input-number"


def _covered(blocks: Iterable[tuple[int, int, int, int]]) -> str:
    """Blocks (row, column, last row, last column) as a rule's cells."""
    return " ".join(local_range(r, c, (last_r - r + 1, last_c - c + 1)) for r, c, last_r, last_c in blocks)


def _meet(block: tuple[int, int, int, int], area: tuple[int, int, int, int]) -> bool:
    """Whether a block (row, column, last row, last column) has cells of an area (row, column, rows, columns)."""
    row, column, rows, columns = area
    return block[0] < row + rows and row <= block[2] and block[1] < column + columns and column <= block[3]


def _stacked(blocks: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """The blocks (row, column, last row, last column) with those that stand one under another as one."""
    stacks: list[tuple[int, int, int, int]] = []
    for row, column, last_row, last_column in sorted(blocks, key=lambda block: (block[1], block[3], block[0])):
        if stacks and stacks[-1][1:] == (column, row - 1, last_column):
            stacks[-1] = (stacks[-1][0], column, last_row, last_column)
        else:
            stacks.append((row, column, last_row, last_column))
    return stacks


def _plain(value: Any) -> float | str:
    """A NumPy scalar as the Python number or text that it is."""
    return str(value) if isinstance(value, np.str_ | str) else float(value)


def _cached(value: float | str) -> float | str:
    return value if isinstance(value, str) or np.isfinite(value) else error_text(value)
