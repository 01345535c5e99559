"""Books in another language: complete, and the same to programs."""

import re
import zipfile
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pytest
from goldens import STEPS, TINY
from openpyxl.worksheet.formula import ArrayFormula
from typer.testing import CliRunner

import sheetsim
from sheetsim.cli.commands import app
from sheetsim.language import PLACEHOLDER, STUDIES, check_language, entries, language
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.backward import LOSSES
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.update_rules import RULES
from sheetsim.runs import templates
from sheetsim.runs.manifest import Manifest, read_manifest
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.writing.styles import USUAL_LOOK
from sheetsim.workbook.writing.theme import Font

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

# What has no Japanese name: people and their papers, programs, products, signs of formulas and units.
# fmt: off
NAMES = [
    "AdaGrad", "Adam", "al", "algorithm", "and", "Annals", "arXiv", "Averages", "Ba", "Bengio", "BLAS",
    "Catalan", "Cauchy", "Computational", "Cramér", "depth", "Duchi", "eigenvalue", "et", "Excel", "exp", "EXP",
    "for", "FREQUENCY", "Fuss", "gain", "Ganguli", "Gelfand", "General", "Gimpel", "Hanin", "Hazan", "He",
    "Hendrycks", "Hermite", "Hinton", "INDEX", "IronCalc", "Journal", "Kingma", "Learning", "lecture", "LeCun",
    "lim", "ln", "log", "log=true", "loss", "Machine", "Marchenko", "Mathematical", "Mathematics", "max",
    "method", "Mikolov", "minimize", "Momentum", "Monro", "n_in", "n_out", "Networks", "Neural", "Nica", "None",
    "NumPy", "of", "ones", "optimization", "optimize", "Pascanu", "Pastur", "Pennington", "Physics", "Polyak",
    "Poole", "Python", "PyTorch", "radius", "rate", "ReLU", "replicate", "Research", "RMSprop", "Robbins",
    "Rolnick", "Saxe", "scale", "Schoenholz", "scipy", "SciPy", "sd", "set", "SGD", "sheetsim", "SIMD",
    "Singer", "slope_ratio", "Statistics", "std", "step", "stochastic", "target", "Tieleman", "true", "units",
    "USSR", "Var", "Wilson", "Xavier", "Yang",
    *ACTIVATIONS, *SCHEMES, *RULES, *LOSSES, "custom", "per layer",
]
# fmt: on

# Sheets that a summary speaks of, and leaves out.
MATRICES = ("Weights", "Biases", "Linear", "Activation")


class Shown(NamedTuple):
    """A book in Japanese: its file, and what openpyxl and the manifest say of it."""

    path: Path
    workbook: openpyxl.Workbook
    manifest: Manifest
    names: list[str]


def book(folder: Path, template: str, values_only: bool = False, **keys: Any) -> Path:
    return sheetsim.run(template, lang="ja", **keys).to_excel(folder / "book.xlsx", values_only=values_only)


def texts_of(book: Shown) -> set[str]:
    """All texts that a person sees: cells, texts in formulas, notes, messages, charts, number formats, footers."""
    found: set[str] = set()
    for sheet in book.workbook:
        if sheet.title == MANIFEST_TITLE:
            continue
        found |= {str(sheet.oddFooter.right.text), *(str(one.error) for one in sheet.data_validations.dataValidation)}
        for row in sheet.iter_rows():
            for cell in row:
                text = cell.value.text if isinstance(cell.value, ArrayFormula) else cell.value
                # Parameters and commands are as templates and shells have them.
                if isinstance(text, str) and cell.font.name != Font().code:
                    found |= set(re.findall('"((?:[^"]|"")*)"', text.replace('"&"', ""))) if text[:1] == "=" else {text}
                if cell.comment:
                    found |= {line for line in cell.comment.text.split("\n") if line[:1] != "="}
    with zipfile.ZipFile(book.path) as archive:
        for part in archive.namelist():
            if re.match(r"xl/(charts/|drawings/drawing|styles)", part):
                text = archive.read(part).decode()
                found |= set(re.findall(r"<(?:a:t|c:v)>([^<]*)<", text))
                found |= set(re.findall(r'(?:descr|formatCode)="([^"]*)"', text))
    return {unescape(text) for text in found}


def english(book: Shown) -> list[str]:
    """The texts with words of English that are no names: of sheets, matrices, keys and options, and NAMES."""
    titles = {title for one in book.workbook.sheetnames for title in (one, re.sub(r" [0-9]+$", "", one))}
    names = [*book.names, *book.manifest.parameters, *NAMES]
    for sheet in book.workbook:
        for rule in sheet.data_validations.dataValidation:
            names += str(rule.formula1).strip('"').split(",")
    # Commands and versions; powers of ten in a number's format.
    texts = {text: text.replace("E+00", "") for text in texts_of(book) if not text.startswith("sheetsim ")}
    alone, in_sentences = _without(names), _without([*names, *titles, *MATRICES])
    left = {key: (in_sentences if JAPANESE.search(text) else alone).sub(" ", text) for key, text in texts.items()}
    return sorted(key for key, text in left.items() if re.search(r"[A-Za-z]{2}", text) and key not in titles)


def _without(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(set(names), key=lambda name: -len(name))
    return re.compile(r"(?<![A-Za-z])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z])")


# A book a study, and what its keys add to it.
BOOKS: list[tuple[str, dict[str, Any]]] = [
    ("relu-he", TINY),
    ("relu-he", TINY | {"initializer": ["he", 0.5], "bias": 0.1, "report": "summary"}),
    ("relu-he", {"layers": [3, 2], "input": {"file": "in.csv"}, "gain": 2.0, "title": "", "values_only": True}),
    ("gradient-flow", TINY | {"bias": 0.1}),
    ("symmetry", STEPS["symmetry"]),
    ("optimizers", STEPS["optimizers"]),
    ("rnn-gradients", STEPS["rnn-gradients"]),
    ("correlation-angles", {"pairs": 3, "units": 3, "layers": 2}),
    *((name, STEPS[name]) for name in ("jacobian-linear", "finite-width", "layer-norm", "phase-diagram")),
]


@pytest.fixture(scope="module", params=BOOKS, ids=lambda one: one[0])
def japanese(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("japanese")
    template, keys = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("in.csv").write_text("x,y\n1,2\n3,4\n5,7\n")
        path = book(folder, template, **keys)
    with RawBook(path) as raw:
        manifest, names = read_manifest(raw), list(raw.names)
    return Shown(path, openpyxl.load_workbook(path), manifest, names)


@pytest.mark.every(4)
def test_a_book_in_japanese_has_no_words_of_english_but_names(japanese):
    left = english(japanese)
    assert not left, "\n".join(left)


def test_no_verdict_begins_with_another_of_another_color(japanese):
    """A rule colors what begins with a word."""
    for sheet in japanese.workbook:
        rules = [rule for one in sheet.conditional_formatting for rule in one.rules if rule.type == "beginsWith"]
        colors = {rule.text: rule.dxf.font.color.rgb for rule in rules}
        for word, color in colors.items():
            assert all(colors[other] == color for other in colors if word.startswith(other)), word


def test_the_study_of_each_language_is_built_by_a_test():
    studies = {templates.load(template).experiment.study for template, _ in BOOKS}
    assert {study for several in STUDIES.values() for study in several} == studies


@pytest.mark.parametrize("code", STUDIES)
def test_titles_and_descriptions_of_templates_are_in_the_catalog(code):
    for name in templates.names():
        experiment = templates.load(name).experiment
        if experiment.study in STUDIES[code]:
            for text in (experiment.title, experiment.description, experiment.TITLE):
                assert JAPANESE.search(language(code).say(text)), text


def test_to_programs_a_book_in_japanese_is_the_book_in_english(tmp_path):
    run = sheetsim.run("sigmoid-std1", **TINY)
    one, two = sheetsim.read(run.to_excel(tmp_path / "en.xlsx")), sheetsim.read(book(tmp_path, "sigmoid-std1", **TINY))
    assert two.names() == one.names()
    assert two.verdicts() == one.verdicts() == run.verdicts()
    assert two["verdict_1"] == run["verdict_1"]
    for name in ("layers", "variance", "claims", "histograms"):
        assert two.table(name).equals(one.table(name)), name
    sheets = [openpyxl.load_workbook(one_book.path) for one_book in (one, two)]
    assert sheets[0].sheetnames == sheets[1].sheetnames
    assert sheets[1]["Overview"]["B6"].value == "sigmoid"
    assert JAPANESE.search(sheets[1]["Overview"]["A6"].value)
    assert sheets[1]["Overview"]["A6"].font.name == "Yu Gothic"


def test_engines_find_the_words_of_a_book_in_japanese_and_it_is_made_again(tmp_path):
    path = book(tmp_path, "relu-he", **TINY)
    verified = sheetsim.verify(path)
    assert verified.ok
    assert verified.state == "as made"
    assert sheetsim.diff(path, path) == []


@pytest.mark.parametrize("code", STUDIES)
def test_a_translation_has_the_placeholders_of_its_key(code):
    for key, text in entries(code):
        assert text, key
        assert set(PLACEHOLDER.findall(key)) == set(PLACEHOLDER.findall(text)), key


@pytest.mark.parametrize("code", STUDIES)
def test_no_key_stands_twice(code):
    keys = [key for key, _ in entries(code)]
    assert len(keys) == len(set(keys))


def test_a_form_fits_whole_texts_and_numbers_alone():
    say = language("ja").say
    assert say("Layer 12") == "第 12 層"
    assert say("Layer by layer") == "Layer by layer"
    assert say("Road 1 to 2") == "Road 1 to 2"
    assert say("relu") == "relu"


@pytest.mark.parametrize(
    ("lang", "study", "said"),
    [
        ("fr", "forward", "lang must be one of en, ja, not 'fr'"),
        ("ja", "training", "lang: in 'ja' there are books of forward, .*, none yet of training"),
    ],
)
def test_a_language_or_a_study_without_a_catalog_is_refused(lang, study, said):
    with pytest.raises(sheetsim.SheetsimError, match=said):
        check_language(lang, study)


def test_books_of_many_runs_refuse_another_language():
    with pytest.raises(sheetsim.SheetsimError, match="books of many runs are in English alone"):
        sheetsim.replicate("relu-he", 2, lang="ja", **TINY)
    with pytest.raises(sheetsim.SheetsimError, match="comparisons are in English alone"):
        sheetsim.compare("relu-he", "relu-xavier", lang="ja")


def test_the_option_and_the_key_are_one(tmp_path):
    run = sheetsim.run("relu-he", lang="ja", **TINY)
    assert "--lang ja" in run._command
    assert "lang" not in run.title
    path = tmp_path / "mine.toml"
    path.write_text('lang = "ja"\n' + templates.template_text("relu-he"))
    assert templates.load(path).experiment.lang == "ja"


def test_pictures_of_a_japanese_book_name_the_layers_and_those_of_a_run_are_english(tmp_path: Path) -> None:
    path = sheetsim.run("relu-he", lang="ja", samples=20, inputs=3, layers=[4, 3]).to_excel(tmp_path / "book.xlsx")
    frames = [panel.frame for panel in sheetsim.read(path)._pages()["Overview"](USUAL_LOOK)]
    assert [(frame.heading, frame.title) for frame in frames[:2]] == [
        ("各層の出力", "第 1 層"),
        ("各層の出力", "第 2 層"),
    ]
    done = CliRunner().invoke(app, ["plot", "relu-he", "--set", "lang=ja", "--output", str(tmp_path / "run.png")])
    assert "pictures of a run are in English alone" in str(done.exception)
    assert not (tmp_path / "run.png").exists()
