"""Pictures of workbooks' pages, by LibreOffice: those that the documentation shows, or all pages of templates' books.

    python docs/pictures.py
    python docs/pictures.py --all [--lang en --lang ja] [--output FOLDER] [NAME ...]

The first command writes docs/pictures/*.png. The second one writes FOLDER/NAME-LANG-PAGE.png of every template, or of
those that are named, in every language that its study has, and exits with 1 where a page shows `###` or an error.
Needs soffice, and pdftotext and pdftoppm (poppler-utils). Sheets of matrices are left out, and of what is trained there
are few steps; of a sheet that takes many papers the first few have pictures, and all are looked at for such faults.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
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

# Sheets of numbers that charts and formulas choose from.
TRAINED = "Trained "

# Papers of a sheet that have a picture.
MOST_PAPERS = 3

# Of books whose sheets of formulas are many.
SMALL = {"size": "small"}

# Of what is trained: checkpoints, and samples at most. Without its settings that takes up to an hour.
CHECKPOINTS, SAMPLES = 6, 1_000


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
    """A template's book, or the comparison of several, with values alone and without what its sheets of matrices hold.

    LibreOffice prints what is seen, and takes much longer to open sheets of formulas, some of which it computes.
    """
    result = sheetsim.run(*what, **keys) if len(what) == 1 else sheetsim.compare(*what, **keys)
    result.to_excel(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheets = parts["xl/workbook.xml"].decode()
    for k, (title, number) in enumerate(re.findall(r'<sheet name="([^"]*)" sheetId="([0-9]+)"', sheets)):
        part = f"xl/worksheets/sheet{number}.xml"
        # What has a note at its first cell is a matrix's.
        if b"<legacyDrawing " in parts[part] or title.startswith(TRAINED):
            sheets = sheets.replace(f' sheetId="{number}"', f' sheetId="{number}" state="hidden"')
            # Rows that repeat on each paper take LibreOffice half a second a sheet, even where none is printed.
            sheets = re.sub(f'<definedName name="[^"]*" localSheetId="{k}"[^>]*>.*?</definedName>', "", sheets)
            before, _, rest = parts[part].partition(b"<sheetData>")
            parts[part] = before + b"<sheetData/>" + rest.partition(b"</sheetData>")[2]
        else:
            parts[part] = re.sub(rb"<f[ >].*?</f>", b"", parts[part], flags=re.DOTALL)
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


def drawn(pdf: Path, pages: Sequence[int], dots: int, targets: Sequence[Path]) -> None:
    """Pages from 1 as PNGs of few colors, without their empty margins and the line at their foot."""
    with tempfile.TemporaryDirectory() as made:
        for first, last in _runs(pages):
            command = ["pdftoppm", "-png", "-r", str(dots), "-f", str(first), "-l", str(last), pdf, Path(made) / "page"]
            subprocess.run(command, check=True)
        for page, target in zip(sorted(Path(made).iterdir()), targets, strict=True):
            with PIL.Image.open(page) as opened:
                _without_margins(opened.convert("RGB"), dots).quantize(COLORS).save(target, optimize=True)


def _runs(pages: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of numbers that follow one another."""
    first = 0
    for k, page in enumerate(pages, start=1):
        if k == len(pages) or pages[k] != page + 1:
            yield pages[first], page
            first = k


def _without_margins(whole: PIL.Image.Image, dots: int) -> PIL.Image.Image:
    body = whole.crop((0, 0, whole.width, whole.height - round(0.75 * dots)))
    box = PIL.ImageChops.difference(body, PIL.Image.new("RGB", body.size, "white")).getbbox() or (0, 0, 1, 1)
    edge = round(0.1 * dots)
    paper = PIL.Image.new("RGB", (box[2] - box[0] + 2 * edge, box[3] - box[1] + 2 * edge), "white")
    paper.paste(body.crop(box), (edge, edge))
    return paper


def documentation() -> None:
    """Writes the pictures that the pages show."""
    with tempfile.TemporaryDirectory() as made:
        books = [book_of(shown.what, shown.keys, Path(made) / f"{shown.name}.xlsx") for shown in SHOWN]
        for shown, pdf in zip(SHOWN, printed(books, Path(made)), strict=True):
            page = next(k for k, text in enumerate(texts_of(pdf), start=1) if text.lstrip().startswith(shown.page))
            target = DOCS / "pictures" / f"{shown.name}.png"
            drawn(pdf, [page], FINE, [target])
            print(f"{target.relative_to(DOCS.parent)}: {target.stat().st_size // 1000} KB")


def all_pages(names: Sequence[str], languages: Sequence[str], folder: Path) -> Iterator[str]:
    """Pictures of the pages of the templates; gives what is wrong with a page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        start = monotonic()
        with tempfile.TemporaryDirectory() as made:
            books = [book_of([name], keys_of(name, lang), Path(made) / f"{name}-{lang}.xlsx") for lang in languages]
            pdfs = printed(books, Path(made))
            counts = []
            for pdf in pdfs:
                texts = texts_of(pdf)
                counts.append(f"{len(texts)} pages")
                pages = list(_first_papers(texts))
                drawn(pdf, pages, COARSE, [folder / f"{pdf.stem}-{page:03}.png" for page in pages])
                for page, text in enumerate(texts, start=1):
                    faults = sorted({*re.findall(r"#{3,}|#[A-Z/0]+[!?]", text)})
                    yield from (f"{pdf.stem}, page {page}: {fault}" for fault in faults)
        print(f"{name}: {', '.join(counts)}, {monotonic() - start:.0f} s", flush=True)


def keys_of(name: str, lang: str) -> dict[str, Any]:
    """What a template's book for pictures has in place of its own keys."""
    keys = {} if lang == ENGLISH else {"lang": lang}
    known = templates.load(name).experiment
    if known.TRAINS:
        given = known.parameters()
        few = {"steps": min(given["steps"], CHECKPOINTS * given.get("every", 1)), "seeds": min(given["seeds"], 2)}
        return keys | few | ({"samples": SAMPLES} if (given.get("samples") or 0) > SAMPLES else {})
    return keys | (SMALL if templates.small(name) else {})


def _first_papers(texts: Sequence[str]) -> Iterator[int]:
    """The pages, from 1, that are among the first of their sheet, whose title stands at the foot."""
    seen: Counter[str] = Counter()
    for page, text in enumerate(texts, start=1):
        sheet = text.rstrip().rpartition("\n")[2].strip().partition("  ")[0]
        seen[sheet] += 1
        if seen[sheet] <= MOST_PAPERS:
            yield page


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
