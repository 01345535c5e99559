"""House styles: every role reaches a book, the cover is kept and filled, and a mistake is one sentence."""

import random
import re
import shlex
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter
from brand import NAMES, brand_book, png
from conftest import small_run
from lint import lint
from openpyxl.cell.cell import MergedCell

import sheetsim
from sheetsim.audit.verify import FROM_THEME, verify
from sheetsim.errors import SheetsimError, SheetsimWarning
from sheetsim.language import language
from sheetsim.model.graph import Graph
from sheetsim.runs.themes import theme_of
from sheetsim.workbook.layout import Block, Layout, Line, Lines, Page
from sheetsim.workbook.reading.parse import rectangle
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.writing.theme import CALLED, Numbers, RoleColors, Tabs, Tones
from sheetsim.workbook.writing.write import write

# Of the words that texts have for them.
OF_HUE = {"yellow": "#FFEE11", "blue": "#2244EE", "white": "#FAFBF1", "orange": "#EE8822", "gray": "#717273"}
OF_HUE |= {"ochre": "#A97B13"}


def toml(table: str, keys: dict[str, str]) -> str:
    return f"[{table}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def unlikely() -> tuple[str, set[str]]:
    """A theme that changes every role, and its colors; the last digits tell roles of one hue apart."""
    used: set[str] = set()

    def color(word: str = "") -> str:
        number = len(used)
        text = (
            f"#{OF_HUE[word][1:-2]}{int(OF_HUE[word][-2:], 16) + number % 5:02X}"
            if word
            else f"#{0x5A0B30 + number:06X}"
        )
        used.add(text[1:])
        return f'"{text}"'

    def colors(count: int) -> str:
        return f"[{', '.join(color() for _ in range(count))}]"

    roles = {key: color(CALLED.get(key, "")) for key in RoleColors.__struct_fields__ if key not in ("lines", "ramp")}
    pieces = [
        toml("colors", {**roles, "lines": colors(5), "ramp": colors(4)}),
        toml("tabs", {key: color() for key in Tabs.__struct_fields__}),
        toml("tones", {key: f"{{fill = {color()}, text = {color()}}}" for key in Tones.__struct_fields__}),
        toml("font", {"name": '"Georgia"', "code": '"Consolas"', "size": "11"}),
        toml("numbers", {key: f"'\"{key}\"0.000'" for key in Numbers.__struct_fields__}),
    ]
    return "\n".join(pieces), used


def parts(book: Path) -> dict[str, str]:
    with zipfile.ZipFile(book) as archive:
        return {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}


def colors_in(book: dict[str, str]) -> set[str]:
    """The colors in the parts, but for the palette that XlsxWriter gives all books and the notes' own."""
    read = {name: text for name, text in book.items() if "/theme/" not in name and not name.endswith(".vml")}
    return {color for text in read.values() for color in re.findall(r'"(?:FF)?([0-9A-F]{6})"', text)}


def defaults() -> set[str]:
    """Every color of the usual look, but for the white of charts, which is no role."""
    colors = RoleColors()
    found = {
        *colors.lines,
        *colors.ramp,
        *(getattr(colors, key) for key in colors.__struct_fields__ if key not in ("lines", "ramp")),
    }
    found |= {getattr(Tabs(), key) for key in Tabs.__struct_fields__} - {None}
    found |= {
        color for key in Tones.__struct_fields__ for tone in [getattr(Tones(), key)] for color in (tone.fill, tone.text)
    }
    return {color[1:] for color in found} - {"FFFFFF"}


@pytest.fixture(name="books")
def books_of_all_kinds(tmp_path: Path) -> list[Any]:
    """What writes books in which, together, every role is used."""
    model = sheetsim.Model("mine", seed=1)
    a, b = (model.input(name, sheetsim.normal(), (50, 1)) for name in "ab")
    model.output("y", a + 2 * b)
    model.define("W", a * 2)
    trained = sheetsim.run("training-in-cells", pictures=4, steps=2)
    deep = sheetsim.run("relu-he", samples=8, inputs=3, layers=[3] * 7)
    optimizers = sheetsim.run("optimizers", steps=2, contours=5)
    return [
        small_run(charts="both"),
        model.run(),
        trained,
        deep,
        optimizers,
        sheetsim.run("gradient-flow", samples=6, inputs=4, layers=[3] * 5),
    ]


def seven_lines(path: Path, theme: Path | None) -> Path:
    """A book with a chart of more lines than have a color of their own."""
    x = Graph().input("x", [[1.0], [2.0]])
    lines = tuple(Line(str(k), (x,)) for k in range(7))
    page = Page("Lines", (Block(0, 0, x), Lines(4, 0, "Lines", lines, (400, 200))))
    return write(path, Layout([page]), {x: x.source.values}, theme=theme_of(theme))


def test_every_role_reaches_the_books_and_no_default_is_left(books: list[Any], tmp_path: Path) -> None:
    text, used = unlikely()
    theme = tmp_path / "house.toml"
    theme.write_text(text)
    found: set[str] = set()
    for k, book in enumerate(books):
        path = book.to_excel(tmp_path / f"{k}.xlsx", theme=theme)
        assert k or lint(path) == []
        read = parts(path)
        found |= colors_in(read)
        drawn = "".join(text for name, text in read.items() if "/theme/" not in name)
        assert not re.search(r'(val|typeface)="(Arial|Courier New)"', drawn)
        assert not re.search(r'formatCode="(0\.0000|0\.0%|#,##0|0\.00E\+00)"', read["xl/styles.xml"])
    found |= colors_in(parts(seven_lines(tmp_path / "lines.xlsx", theme)))
    assert len(defaults()) > 30
    assert found & defaults() == set()
    assert used - found == set()


def test_a_theme_that_changes_nothing_changes_but_the_command(tmp_path: Path) -> None:
    theme = tmp_path / "house.toml"
    theme.write_text("")
    run = small_run()
    plain, themed = parts(run.to_excel(tmp_path / "a.xlsx")), parts(run.to_excel(tmp_path / "b.xlsx", theme=theme))
    texts = {"xl/sharedStrings.xml", "docProps/custom.xml", "xl/worksheets/sheet2.xml", "xl/worksheets/sheet21.xml"}
    assert {name for name in plain if plain[name] != themed[name]} <= texts
    assert themed["xl/styles.xml"] == plain["xl/styles.xml"]


def house(folder: Path, text: str = "", **names: Any) -> Path:
    """A theme's file with a logo and a cover beside it."""
    brand_book(folder / "brand.xlsx", **names)
    (folder / "logo.png").write_bytes(png())
    path = folder / "house.toml"
    path.write_text(f'cover = "brand.xlsx"\nlogo = "logo.png"\n{text}')
    return path


def test_the_command_on_about_makes_the_same_bytes(sheetsim: Any, tmp_path: Path) -> None:
    house(tmp_path, '[colors]\nink = "#112233"\n')
    quick = ["--set", "samples=12", "--set", "inputs=4", "--set", "layers=[5, 3, 3]"]
    assert sheetsim("run", "relu-he", *quick, "--theme", "house.toml", "--output", "a.xlsx")[0] == 0
    command = openpyxl.load_workbook("a.xlsx")["About"]["B5"].value
    assert command.endswith("--theme house.toml")
    assert sheetsim(*shlex.split(command)[1:], "--output", "b.xlsx")[0] == 0
    assert Path("a.xlsx").read_bytes() == Path("b.xlsx").read_bytes()
    checked = verify("a.xlsx")
    assert (checked.state, checked.ok, checked.notes) == ("as made", True, ())


def test_a_book_of_replicates_names_its_theme_too(sheetsim: Any, tmp_path: Path) -> None:
    house(tmp_path, names={"title": "$C$4"})
    few = ["--set", "samples=12", "--set", "inputs=4", "--set", "layers=[5, 3]"]
    assert (
        sheetsim("replicate", "relu-he", "--replicates", "3", *few, "--theme", "house.toml", "--output", "r.xlsx")[0]
        == 0
    )
    read = openpyxl.load_workbook("r.xlsx")
    assert read.sheetnames[0] == "Front page"
    assert any(str(row[0].value).endswith("--theme house.toml") for row in read["About"]["B1:B9"])
    assert verify("r.xlsx").state == "as made"


def test_the_cover_keeps_its_look(tmp_path: Path) -> None:
    book = small_run().to_excel(tmp_path / "book.xlsx", theme=house(tmp_path))
    sheet = openpyxl.load_workbook(book).worksheets[0]
    brand = openpyxl.load_workbook(tmp_path / "brand.xlsx").worksheets[0]
    assert sheet.title == "Front page"
    for row in brand.iter_rows():
        for cell in row:
            if isinstance(cell, MergedCell) or (not cell.has_style and cell.value is None):
                continue
            here = sheet[cell.coordinate]
            for look in ("font", "fill", "border", "alignment", "number_format"):
                assert repr(getattr(here, look)) == repr(getattr(cell, look)), cell.coordinate
    assert {k: v.width for k, v in sheet.column_dimensions.items()} == {
        k: v.width for k, v in brand.column_dimensions.items()
    }
    assert sheet.row_dimensions[4].height == 42
    assert sheet.column_dimensions["B"].fill.bgColor == brand.column_dimensions["B"].fill.bgColor
    assert sheet.merged_cells.ranges == brand.merged_cells.ranges
    assert (sheet.print_area, sheet.page_setup.orientation) == (brand.print_area, "portrait")
    assert sheet["B12"].comment.text == "of the house"
    assert sheet["B30"].hyperlink.target == "https://example.com/"
    (rule,) = [rule for rules in sheet.conditional_formatting for rule in rules.rules]
    assert rule.dxf.fill.bgColor.rgb == "FFC6EFCE"
    read, own = parts(book), parts(tmp_path / "brand.xlsx")
    assert read["xl/media/cover_image1.png"] == own["xl/media/image1.png"]
    assert read["xl/charts/cover_chart1.xml"] == own["xl/charts/chart1.xml"]
    assert "cover_drawing1.xml" in read["xl/worksheets/_rels/sheet1.xml.rels"]
    assert sheet["B4"].value == "Study and more"


@pytest.mark.parametrize("values_only", [False, True])
def test_the_covers_cells_are_filled(values_only: bool, tmp_path: Path) -> None:
    run = small_run()
    book = run.to_excel(tmp_path / "book.xlsx", theme=house(tmp_path), values_only=values_only)
    values = openpyxl.load_workbook(book, data_only=True).worksheets[0]
    formulas = openpyxl.load_workbook(book).worksheets[0]
    about = openpyxl.load_workbook(book, data_only=True)["About"]
    std = run.summary()["std"].iloc[2]
    told = {
        "C4": run.title,
        "C6": about["B5"].value,
        "C7": 0,
        "C8": run.verdicts()[-1],
        "C9": std,
        "C10": 0.1,
        "D7": 12,
    }
    assert {cell: values[cell].value for cell in told} == told
    assert values["C5"].value == about["B2"].value
    live = {"C4": "=About!$A$1", "C8": "=verdict_3", "C9": "=Layers!$C$4", "C10": "=custom_std"}
    assert {cell: formulas[cell].value for cell in live} == (
        {cell: told[cell] for cell in live} if values_only else live
    )
    assert values["B13"].value == 4
    with sheetsim.read(book) as read:
        assert read.verdicts() == run.verdicts()
    checked = verify(book)
    assert (checked.state, checked.ok) == ("as made", True)


def test_a_book_with_a_cover_and_a_logo_is_plotted_as_one_without(tmp_path: Path) -> None:
    run = small_run()
    plain = sheetsim.read(run.to_excel(tmp_path / "plain.xlsx"))
    themed = sheetsim.read(run.to_excel(tmp_path / "book.xlsx", theme=house(tmp_path)))
    assert themed.plots() == plain.plots()
    themed.plot(path=tmp_path / "themed.png")
    plain.plot(path=tmp_path / "plain.png")
    assert (tmp_path / "themed.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


@pytest.mark.parametrize(("text", "font"), [("", "Yu Gothic"), ('[font]\nname = "Meiryo"\n', "Meiryo")])
def test_a_book_in_japanese_has_its_font_unless_the_theme_names_one(text: str, font: str, tmp_path: Path) -> None:
    run = small_run(lang="ja")
    book = run.to_excel(tmp_path / "book.xlsx", theme=house(tmp_path, f'{text}[colors]\nbar = "#2244EE"\n'))
    read = parts(book)
    sheets = openpyxl.load_workbook(book, data_only=True)
    about, cover = sheets["About"], sheets.worksheets[0]
    assert about["A1"].font.name == font
    charts = [text for name, text in read.items() if name.startswith("xl/charts/chart")]
    assert charts
    assert all(f'typeface="{font}"' in chart and "Arial" not in chart for chart in charts)
    assert any("2244EE" in chart for chart in charts)
    # The cover has its own font, and the texts of the book's language.
    assert (cover["C4"].font.name, cover["C4"].value) == ("Georgia", about["A1"].value)
    assert cover["C8"].value == language("ja").say(run.verdicts()[-1]) != run.verdicts()[-1]
    checked = verify(book)
    assert (checked.state, checked.ok) == ("as made", True)


def test_a_name_that_nothing_fills_is_told_and_left(tmp_path: Path) -> None:
    theme = house(tmp_path, names={"layers_3_stdd": "$C$9", "contact": "$C$10"})
    with pytest.warns(SheetsimWarning, match=r"'contact', 'layers_3_stdd' \(did you mean 'layers_3_std'\?\)") as told:
        book = small_run().to_excel(tmp_path / "book.xlsx", theme=theme)
    assert len(told) == 1
    assert openpyxl.load_workbook(book).worksheets[0]["C10"].value is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert verify(book).state == "as made"


def test_a_theme_that_is_not_here_any_more_is_no_edit(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    book = small_run().to_excel(tmp_path / "book.xlsx", theme=house(folder, '[colors]\nink = "#112233"\n'))
    shutil.rmtree(folder)
    checked = verify(book)
    assert (checked.state, checked.ok) == (FROM_THEME, True)
    assert "house.toml' is not here" in checked.notes[0]


def test_sparklines_draw_each_rows_numbers_where_a_theme_asks_for_them(tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_text("sparklines = true\n")
    theme = tmp_path / "house.toml"
    run = small_run(lang="ja")
    book = run.to_excel(tmp_path / "book.xlsx", theme=theme)
    assert lint(book) == []
    assert (verify(book).state, verify(book).ok) == ("as made", True)
    with sheetsim.read(book) as read, zipfile.ZipFile(book) as archive:
        for k, (drawn, place) in enumerate(sparklines_of(archive, "Layers"), start=1):
            assert place == f"P{k + 1}"
            sheet, _, cells = drawn.partition("!")
            bars = [row[0] for row in read._reader.cells(sheet, *rectangle(cells))]
            np.testing.assert_array_equal(bars, run[f"bars_{k}"][:, 0])
        assert k == 3
        assert read._reader.cells("Layers", 1, 16, 1, 16) == [["分布"]]
    with pytest.warns(UserWarning, match="Sparkline Group extension is not supported"):
        openpyxl.load_workbook(book)
    with zipfile.ZipFile(run.to_excel(tmp_path / "plain.xlsx")) as archive:
        assert not sparklines_of(archive, "Layers")


def sparklines_of(archive: zipfile.ZipFile, sheet: str) -> list[tuple[str, str]]:
    """The cells that are drawn, and where, from the top."""
    number = re.findall(f'<sheet name="{sheet}" sheetId="([0-9]+)"', archive.read("xl/workbook.xml").decode())[0]
    xml = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
    return re.findall("<xm:f>([^<]*)</xm:f><xm:sqref>([^<]*)</xm:sqref>", xml)[::-1]


@pytest.mark.parametrize(
    ("make", "sheet"),
    [
        (lambda: sheetsim.run("optimizers", steps=3), "Paths"),
        (lambda: small_run("training"), "Final"),
        (lambda: small_run("gradient-flow"), "Gradients"),
        (lambda: small_run("correlation"), "Outputs"),
    ],
    ids=["optimizers", "training", "gradient-flow", "outputs"],
)
@pytest.mark.every(4)
def test_tables_of_paths_networks_and_outputs_have_sparklines_too(
    make: Callable[[], Any], sheet: str, tmp_path: Path
) -> None:
    (tmp_path / "house.toml").write_text("sparklines = true\n")
    book = make().to_excel(tmp_path / "book.xlsx", theme=tmp_path / "house.toml")
    assert lint(book) == []
    with zipfile.ZipFile(book) as archive:
        assert len(sparklines_of(archive, sheet)) > 0


@pytest.mark.parametrize(("title", "inside"), [("Short", True), ("A long title " * 8, False)])
def test_a_logo_covers_nothing(title: str, inside: bool, tmp_path: Path) -> None:
    book = small_run(title=title).to_excel(tmp_path / "book.xlsx", theme=house(tmp_path))
    with RawBook(book) as raw, zipfile.ZipFile(book) as archive:
        for k, name in ((2, "Overview"), (3, "About")):
            links = archive.read(f"xl/worksheets/_rels/sheet{k}.xml.rels").decode()
            drawing = archive.read("xl/drawings/" + re.findall(r"drawings/(drawing\d+\.xml)", links)[0]).decode()
            (anchor,) = re.findall(r"<xdr:twoCellAnchor(?:(?!</xdr:twoCellAnchor>).)*<xdr:pic>", drawing)
            rows = [int(row) for row in re.findall(r"<xdr:row>(\d+)<", anchor)]
            columns = [int(column) for column in re.findall(r"<xdr:col>(\d+)<", anchor)]
            assert rows == [0, 0]
            last = {"Overview": 5, "About": 1}[name]
            assert (columns[-1] <= last) if inside else (columns[0] > last)
        assert raw.titles[:3] == ["Front page", "Overview", "About"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[colrs]\nink = 1", "unknown key 'colrs' (did you mean 'colors'?)"),
        ('[colors]\ninc = "#112233"', "unknown key 'colors.inc' (did you mean 'ink'?)"),
        ('[colors]\nink = "red"', "colors: ink must be a color such as #1F2937, not 'red'"),
        ('[colors]\nlines = ["#112233"]', "colors: lines must be a list of 5 colors"),
        ("[colors]\nink = 3", "colors.ink: must be text, not a whole number"),
        (
            '[colors]\ninput = "#2244EE"',
            "colors: input must be a shade of yellow, which is what texts of the books call it",
        ),
        ('[tones]\ngood = {fil = "#112233"}', "unknown key 'tones.good.fil' (did you mean 'fill'?)"),
        ("[font]\nsize = 14", "font: size must lie between 8 and 11 points, not 14"),
        ("[numbers]\ncount = '0.0\"'", "numbers: count must be a number format such as 0.00 or #,##0"),
        ("[numbers]\ncount = 'yyyy'", "numbers: count must be a number format such as 0.00 or #,##0"),
        ('logo = "none.png"', "logo: cannot read"),
        ('logo = "house.toml"', "is not a picture in PNG or JPEG"),
        ('cover = "none.xlsx"', "cover: cannot read"),
        ('cover = "brand.xlsm"', "must be an .xlsx workbook, without macros"),
        ("colors = 1\ncolors = 2", "is not TOML"),
    ],
)
def test_a_mistake_in_a_theme_is_one_sentence(text: str, message: str, sheetsim: Any, tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_text(text)
    status, _, err = sheetsim("run", "relu-he", "--theme", "house.toml")
    assert status == 2
    assert message in err
    assert "house.toml" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def with_part(book: Path, part: str, data: bytes = b"") -> None:
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr(part, data)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("=Data!A1", "refers to the sheet 'Data', which is left out"),
        ("=elsewhere*2", "uses the name 'elsewhere', which does not refer to its cells"),
        ("=TODAY()", "the formula in B14 uses TODAY(), which Excel recomputes at each opening"),
    ],
)
def test_a_formula_that_a_cover_cannot_keep_is_refused(formula: str, message: str, tmp_path: Path) -> None:
    theme = house(tmp_path, names={**NAMES, "elsewhere": "Data!$A$1"}, formulas={"B14": formula})
    with pytest.raises(SheetsimError, match=re.escape(message)):
        theme_of(theme)


@pytest.mark.parametrize("formula", ["=C9*2", "=SUM($B$4:C12)", "=layers_3_std", "=SUM(C:C)", "='Front page'!C9"])
def test_formulas_of_the_cover_over_a_cell_to_fill_are_found(formula: str, tmp_path: Path) -> None:
    theme = theme_of(house(tmp_path, names={"layers_3_std": "$C$9"}, formulas={"B14": formula}))
    assert theme.cover is not None
    assert theme.cover.used == {"layers_3_std": "B14"}


def test_a_cell_that_a_formula_of_the_cover_uses_is_not_filled(tmp_path: Path) -> None:
    """The formula's value is the one that the person's file holds; who computes nothing would see an old one."""
    theme = house(tmp_path, names={"layers_3_std": "$C$9", "rate": "$B$12"}, formulas={"B14": "=C9*2"})
    with pytest.warns(SheetsimWarning, match="'layers_3_std' is not filled in, because the formula in B14 uses it"):
        book = small_run().to_excel(tmp_path / "book.xlsx", theme=theme)
    assert openpyxl.load_workbook(book).worksheets[0]["C9"].value is None


@pytest.mark.parametrize(
    ("part", "message"),
    [("xl/vbaProject.bin", "it has macros"), ("xl/externalLinks/externalLink1.xml", "it has links to other workbooks")],
)
def test_macros_and_links_to_workbooks_are_refused(part: str, message: str, tmp_path: Path) -> None:
    theme = house(tmp_path)
    with_part(tmp_path / "brand.xlsx", part)
    with pytest.raises(SheetsimError, match=message):
        theme_of(theme)


def test_other_covers_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    theme = tmp_path / "house.toml"
    theme.write_text('cover = "brand.xlsx"')

    def refused(prepare: Callable[[Any, Any], None], message: str) -> None:
        with xlsxwriter.Workbook(tmp_path / "brand.xlsx") as book:
            prepare(book, book.add_worksheet("Front"))
        with pytest.raises(SheetsimError, match=message):
            theme_of(theme)

    def hide(book: Any, sheet: Any) -> None:
        book.add_worksheet("Data").activate()
        sheet.hide()

    def chart(book: Any, sheet: Any) -> None:
        drawn = book.add_chart({"type": "line"})
        drawn.add_series({"values": f"={book.add_worksheet('My data').name!r}!$A$1:$A$3"})
        sheet.insert_chart(0, 0, drawn)

    refused(hide, "its first sheet 'Front' is hidden")
    refused(chart, "refers to the sheet 'My data', which is left out")
    refused(lambda book, sheet: sheet.add_table("A1:B3"), "a part of the kind 'table', which a cover cannot keep")
    refused(lambda book, sheet: sheet.write_dynamic_array_formula("A1", "=B1:B2"), "of a kind that a cover cannot keep")


def test_a_damaged_cover_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Bytes replaced in its parts: a book is made, or one sentence says why not."""
    theme, draw = house(tmp_path), random.Random(0)
    with zipfile.ZipFile(tmp_path / "brand.xlsx") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    refused: list[str] = []
    for name in [name for name in whole if name.startswith(("xl/work", "xl/sh", "xl/st", "[C"))] * 6:
        data = bytearray(whole[name])
        for _ in range(3):
            data[draw.randrange(len(data))] = draw.choice(b'<>/"0a ')
        with zipfile.ZipFile(tmp_path / "brand.xlsx", "w") as archive:
            for part, content in whole.items():
                archive.writestr(part, bytes(data) if part == name else content)
        try:
            cover = theme_of(theme).cover
            assert cover is not None
            cover.parts(whole, "xl/worksheets/sheet1.xml", {})
        except SheetsimError as error:
            refused.append(str(error))
    assert refused
    assert not any("\n" in message for message in refused)


def test_a_cover_with_the_title_of_a_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SheetsimError, match="the book itself has a sheet 'overview': rename that of the cover"):
        small_run().to_excel(tmp_path / "book.xlsx", theme=house(tmp_path, title="overview"))


def test_a_copy_of_a_persons_workbook_has_the_colors_and_no_cover(tmp_path: Path) -> None:
    brand_book(tmp_path / "plan.xlsx", names={})
    run = sheetsim.workbook(tmp_path / "plan.xlsx").simulate({"B12": "normal(2, 1)"}, ["B13"], trials=50, verify=0)
    run.into(tmp_path / "copy.xlsx", theme=house(tmp_path, '[colors]\nink = "#112233"\n'))
    assert "FF112233" in parts(tmp_path / "copy.xlsx")["xl/styles.xml"]
    assert openpyxl.load_workbook(tmp_path / "copy.xlsx").sheetnames[:3] == ["Front page", "Data", "Overview"]
