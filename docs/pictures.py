"""Pictures of workbooks' pages, by LibreOffice: those that the documentation shows, or all pages of templates' books.

    python docs/pictures.py
    python docs/pictures.py --all [--lang en --lang ja] [--output FOLDER] [NAME ...]

The first command writes docs/pictures/*.png. The second one writes FOLDER/NAME-LANG-PAGE.png of every template, or of
those that are named, in every language that its study has, and exits with 1 where a page shows `###` or an error.
Needs soffice and pdftoppm (poppler-utils); sheets of matrices are left out.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import PIL.Image
import PIL.ImageChops

import sheetsim
from sheetsim.language import ENGLISH, LANGUAGES
from sheetsim.runs import templates

DOCS = Path(__file__).parent

# Dots on an inch: of the documentation's pictures, and of those to look at.
FINE, COARSE = 96, 60

# Colors of a picture, so that it is small.
COLORS = 64

# Of books whose sheets of formulas are many.
SMALL = {"size": "small"}


class Shown(NamedTuple):
    """A picture of the documentation: what is run, and the text with which its page begins."""

    name: str
    what: tuple[str, ...]
    page: str
    keys: dict[str, Any] = {}  # noqa: RUF012 (never changed)


SHOWN = (
    Shown("overview", ("sigmoid-std1",), "Sigmoid, weights with"),
    Shown("trace", ("relu-he",), "Trace: one unit by hand"),
    Shown("compare", templates.ARTICLE, "Comparison of networks"),
    Shown("overview-ja", ("relu-he",), "ReLU", {"lang": "ja"}),
)


def book_of(what: Sequence[str], keys: Mapping[str, Any], path: Path) -> Path:
    """A template's book, or the comparison of several, without the sheets of matrices."""
    result = sheetsim.run(*what, **keys) if len(what) == 1 else sheetsim.compare(*what, **keys)
    result.to_excel(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    # What has a note at its first cell is a matrix's; LibreOffice prints what is seen.
    noted = [k for k in range(1, 1 + len(parts)) if b"<legacyDrawing " in parts.get(f"xl/worksheets/sheet{k}.xml", b"")]
    sheets = parts["xl/workbook.xml"].decode()
    for k in noted:
        sheets = sheets.replace(f' sheetId="{k}"', f' sheetId="{k}" state="hidden"')
    parts["xl/workbook.xml"] = sheets.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def printed(books: Sequence[Path], folder: Path) -> list[Path]:
    """The books as PDF."""
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", folder, *books]
    subprocess.run(command, check=True, capture_output=True)
    return [folder / f"{book.stem}.pdf" for book in books]


def texts_of(pdf: Path) -> list[str]:
    """What is written on each page."""
    told = subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return told.split("\f")[:-1]


def picture(pdf: Path, page: int, dots: int, target: Path) -> None:
    """A page from 1 as a PNG of few colors, without its empty margins and the line at its foot."""
    subprocess.run(
        [
            "pdftoppm",
            "-png",
            "-r",
            str(dots),
            "-f",
            str(page),
            "-l",
            str(page),
            "-singlefile",
            pdf,
            target.with_suffix(""),
        ],
        check=True,
    )
    with PIL.Image.open(target) as opened:
        whole = opened.convert("RGB")
    body = whole.crop((0, 0, whole.width, whole.height - round(0.75 * dots)))
    box = PIL.ImageChops.difference(body, PIL.Image.new("RGB", body.size, "white")).getbbox() or (0, 0, 1, 1)
    edge = round(0.1 * dots)
    kept = body.crop((box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge))
    paper = PIL.Image.new("RGB", kept.size, "white")
    paper.paste(body.crop(box), (edge, edge))
    paper.quantize(COLORS).save(target, optimize=True)


def documentation() -> None:
    """Writes the pictures that the pages show."""
    with tempfile.TemporaryDirectory() as made:
        books = [book_of(shown.what, shown.keys, Path(made) / f"{shown.name}.xlsx") for shown in SHOWN]
        for shown, pdf in zip(SHOWN, printed(books, Path(made)), strict=True):
            page = next(k for k, text in enumerate(texts_of(pdf), start=1) if text.lstrip().startswith(shown.page))
            target = DOCS / "pictures" / f"{shown.name}.png"
            picture(pdf, page, FINE, target)
            print(f"{target.relative_to(DOCS.parent)}: {target.stat().st_size // 1000} KB")


def all_pages(names: Sequence[str], languages: Sequence[str], folder: Path) -> Iterator[str]:
    """Pictures of every page of the templates; gives what is wrong with a page."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        for name in names:
            for lang in languages:
                keys = {} if lang == ENGLISH else {"lang": lang}
                keys |= SMALL if templates.small(name) else {}
                book = book_of([name], keys, Path(made) / f"{name}-{lang}.xlsx")
                (pdf,) = printed([book], Path(made))
                for k, text in enumerate(texts_of(pdf), start=1):
                    target = folder / f"{name}-{lang}-{k:02}.png"
                    picture(pdf, k, COARSE, target)
                    yield from (f"{target}: {fault}" for fault in sorted({*re.findall(r"#{3,}|#[A-Z/0]+[!?]", text)}))
                print(f"{name} {lang}: {k} pages", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--lang", action="append", choices=[ENGLISH, *LANGUAGES])
    parser.add_argument("--output", type=Path, default=Path("pictures"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    if not asked.all:
        documentation()
        return
    faults = list(all_pages(asked.names or templates.names(), asked.lang or [ENGLISH, *LANGUAGES], asked.output))
    print(*faults, sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
