"""Books in another language: complete, and the same to programs."""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import openpyxl
import pytest
from click.testing import CliRunner
from conftest import EXPERIMENTS, FIRST_OF, small_keys
from error_messages import messages, texts_of_help, untranslated
from goldens import SEARCH, STEPS, SWEEP, TINY
from matplotlib import rc_context
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from openpyxl.worksheet.formula import ArrayFormula
from real_workbooks import plan_book

import sheetsim
from sheetsim.cli.commands import app, main
from sheetsim.cli.help import wrapped
from sheetsim.cli.terminal import columns_of, language_of, message_of, speak, spoken
from sheetsim.language import (
    DOMAINS,
    LANGUAGES,
    PLACEHOLDER,
    Joined,
    Name,
    check_language,
    entries,
    help_texts,
    language,
    sentences,
)
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.backward import LOSSES
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.update_rules import RULES
from sheetsim.runs import templates
from sheetsim.runs.manifest import Manifest, read_manifest
from sheetsim.runs.plots import check_fonts
from sheetsim.studies.registry import STUDIES
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.plotting.figure import FONTS_OF, MISSING, Picture, _add_fonts, fonts_for, saved
from sheetsim.workbook.reading.raw import RawBook
from sheetsim.workbook.writing.styles import USUAL_LOOK, Look
from sheetsim.workbook.writing.theme import Font, ThemeKeys

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

# What has no Japanese name: people and their papers, programs, products, signs of formulas and units.
# fmt: off
NAMES = [
    "Ctrl", "LibreOffice", "Shift",
    "AdaGrad", "Adam", "al", "algorithm", "and", "Annals", "arXiv", "Averages", "Ba", "Bengio", "benign", "BLAS",
    "breast_cancer", "Catalan", "Cauchy", "Computational", "Cramér", "csv", "depth", "diabetes", "digits", "Duchi",
    "EI", "eigenvalue", "empty", "et", "Excel", "EXP", "exp", "for", "FREQUENCY", "Fuss", "gain", "Ganguli", "Gelfand",
    "General", "Gimpel", "Glorot", "Hanin", "Hazan", "He", "Hendrycks", "Hermite", "Hinton", "hot", "INDEX", "iris",
    "IronCalc", "Journal", "kind", "Kingma", "Learning", "lecture", "LeCun", "lim", "ln", "log", "log=true", "loss",
    "Machine", "malignant", "Marchenko", "Mathematical", "Mathematics", "Matérn", "max", "method", "Mikolov",
    "minimize", "Momentum", "Monro", "n_in", "n_out", "name", "Networks", "Neural", "Nica", "no", "None", "NumPy",
    "of", "one", "ones", "optimization", "optimize", "Pascanu", "Pastur", "Pennington", "Physics", "Polyak", "Poole",
    "prior", "Python", "PyTorch", "radius", "rate", "ReLU", "replicate", "Research", "RMSprop", "Robbins", "Rolnick",
    "Saxe", "says", "scale", "Schoenholz", "SciPy", "scipy", "sd", "set", "setosa", "SGD", "SHA", "sheetsim", "SIMD",
    "Singer", "slope_ratio", "Statistics", "std", "step", "stochastic", "table", "target", "Tieleman", "Trained",
    "true", "UCB", "units", "USSR", "Var", "versicolor", "virginica", "Weight decay", "Wilson", "Xavier", "xx", "Yang",
    "yes", "yy", "zz",
    "Frozen", "HDR", "Hubbard", "INV", "NORM", "RAND", "SEED", "SIPmath", "Uniform", "frozen", "hdr", "pcg64", "redraw",
    "seed", "seeded", "uniform_e_1", "uniform_e_2", "uniform_x", "frozen_e_1", "frozen_e_2", "frozen_x",
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
    # Commands and versions; powers of ten in a number's format; digests of files.
    texts = {
        text: re.sub(r"E\+00|(SHA-256 )?[0-9a-f]{64}", "", text)
        for text in texts_of(book)
        if not text.startswith("sheetsim ")
    }
    alone, in_sentences = _without(names), _without([*names, *titles, *MATRICES])
    left = {key: (in_sentences if JAPANESE.search(text) else alone).sub(" ", text) for key, text in texts.items()}
    return sorted(key for key, text in left.items() if re.search(r"[A-Za-z]{2}", text) and key not in titles)


def _without(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(set(names), key=lambda name: -len(name))
    return re.compile(r"(?<![A-Za-z])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z])")


# Small: of two classes, with test and validation parts.
TRAINED = {
    "data": "iris",
    "samples": 60,
    "layers": [3],
    "batch": 10,
    "steps": 2,
    "every": 1,
    "seeds": 2,
    "validation_fraction": 0.1,
}

# A table with a gap, a column of categories, one of names, and one that is empty.
TABLE = "a,kind,name,empty,says\n" + "".join(
    f"{k if k % 7 else ''},{'xyz'[k % 3] * 2},n{k},,{'no' if k % 2 else 'yes'}\n" for k in range(40)
)

# Books of studies, and what their keys add to them; a study that is not here has a small book of its first template.
BOOKS: list[tuple[str, dict[str, Any]]] = [
    ("relu-he", TINY),
    ("relu-he", TINY | {"initializer": ["he", 0.5], "bias": 0.1, "report": "summary"}),
    ("relu-he", {"layers": [3, 2], "input": {"file": "in.csv"}, "gain": 2.0, "title": "", "values_only": True}),
    ("relu-he", TINY | {"draws": "live", "charts": "both"}),
    ("gradient-flow", TINY | {"bias": 0.1}),
    ("propagation", {"samples": 6, "units": 4, "layers": 2, "block": "residual", "norm": "batch", "title": ""}),
    ("propagation", {"samples": 6, "units": 4, "layers": 2, "norm": "layer", "title": ""}),
    ("symmetry", STEPS["symmetry"]),
    ("symmetry", STEPS["symmetry"] | {"bias": 0.3, "gain": 2.0}),
    ("finite-width", STEPS["finite-width"] | {"bias": 0.3}),
    ("rnn-gradients", STEPS["rnn-gradients"] | {"bias": 0.3, "gain": 2.0, "samples": 1, "units": 1}),
    ("optimizers", STEPS["optimizers"]),
    ("rnn-gradients", STEPS["rnn-gradients"]),
    ("correlation-angles", {"pairs": 3, "units": 3, "layers": 2}),
    *((name, STEPS[name]) for name in ("jacobian-linear", "finite-width", "layer-norm", "phase-diagram")),
    *((name, STEPS[name]) for name in ("training-in-cells", "bayesian-search")),
    ("bayesian-search", {"points": [[-2.0, 0.1], [-1.0, 0.4]], "grid": 5, "acquisition": "ei"}),
    ("training-starts", TRAINED | {"batch": 0}),
    ("training-distributions", TRAINED | {"layers": [3, 2], "dropout": [0.0, 0.25]}),
    ("training-gradients", TRAINED | {"batch": 0, "every": 1, "steps": 11}),
    *((name, TRAINED | {"networks": []}) for name in ("dropout", "weight-decay")),
    ("batch-norm-scales", TRAINED | {"scales": [1.0, 0.1]}),
    ("glorot-figures", TRAINED | {"seeds": 1}),
    ("training", TRAINED | {"data": "digits", "networks": []}),
    ("training", TRAINED | {"data": "diabetes", "networks": [], "seeds": 1, "rate": 1e-7}),
    ("training", TRAINED | {"data": "table.csv", "target": "says", "networks": [], "batch": 3, "samples": None}),
]
LISTED = {EXPERIMENTS[template].study for template, _ in BOOKS}
BOOKS += [(name, small_keys(EXPERIMENTS[name])) for study, name in FIRST_OF.items() if study not in LISTED]


@pytest.fixture(scope="module", params=BOOKS, ids=lambda one: one[0])
def japanese(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("japanese")
    template, keys = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("in.csv").write_text("x,y\n1,2\n3,4\n5,7\n")
        Path("table.csv").write_text(TABLE)
        path = book(folder, template, **keys)
    with RawBook(path) as raw:
        manifest, names = read_manifest(raw), list(raw.names)
    return Shown(path, openpyxl.load_workbook(path), manifest, names)


@pytest.mark.every(4)
def test_a_book_in_japanese_has_no_words_of_english_but_names(japanese):
    left = english(japanese)
    assert not left, "\n".join(left)


@pytest.mark.every(4)
def test_no_verdict_begins_with_another_of_another_color(japanese):
    """A rule colors what begins with a word."""
    for sheet in japanese.workbook:
        rules = [rule for one in sheet.conditional_formatting for rule in one.rules if rule.type == "beginsWith"]
        colors = {rule.text: rule.dxf.font.color.rgb for rule in rules}
        for word, color in colors.items():
            assert all(colors[other] == color for other in colors if word.startswith(other)), word


def test_each_study_is_built_in_japanese():
    assert set(STUDIES) - {EXPERIMENTS[template].study for template, _ in BOOKS} == set(), "studies without a template"


@pytest.mark.parametrize("code", LANGUAGES)
def test_titles_and_descriptions_of_templates_are_in_the_catalog(code):
    for name in templates.names():
        experiment = templates.load(name).experiment
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


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_key(code, domain):
    for key, text, _ in entries(code, domain):
        assert text, key
        # Each stands once in a key: texts are found by it.
        assert sorted(PLACEHOLDER.findall(key)) == sorted(set(PLACEHOLDER.findall(text))), key


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_no_key_stands_twice(code, domain):
    counts = Counter((key, study) for key, _, studies in entries(code, domain) for study in studies or [""])
    assert [key for key, count in counts.items() if count > 1] == []
    assert {study for _, study in counts} - {""} <= {*STUDIES, "sensitivity"}


def test_a_joined_text_is_said_by_its_parts_and_a_name_is_one_in_every_language():
    say = language("ja").say
    assert say(Joined("std", " ", "zeros")) == "標準偏差 ゼロ"
    assert (say("zeros"), say(Name("zeros"))) == ("ゼロ", "zeros")
    assert say(sentences("Verdict", "", "Layer 2")) == "判定第 2 層"
    assert language("en").say(sentences("Verdict", "", "Layer 2")) == "Verdict Layer 2"
    assert say(Joined("Letters of ", "std", most=9)) == "Letters …"
    assert say(Joined("Verdict", " Layer", most=9)) == "判定 La…"
    assert say(Joined("one; two", ".", english="One; two.")) == "one; two。"


def test_a_form_fits_whole_texts_and_numbers_alone():
    say = language("ja").say
    assert say("Layer 12") == "第 12 層"
    assert say("Layer by layer") == "Layer by layer"
    assert say("Road 1 to 2") == "Road 1 to 2"
    assert say("relu") == "relu"


def test_a_language_without_a_catalog_is_refused():
    with pytest.raises(sheetsim.SheetsimError, match="lang must be en or ja, not 'fr'"):
        check_language("fr")


def test_a_word_with_several_meanings_is_said_by_study():
    assert language("ja", "training-in-cells").say("late") == "遅い学習"
    assert language("ja", "symmetry").say("late") == "後半の倍率"


def own_model() -> sheetsim.Model:
    model = sheetsim.Model("My model", seed=1)
    demand = model.input("demand", sheetsim.normal(100, 15), (50, 1), what="Units a day")
    price = model.input("price", sheetsim.uniform(2, 4), (50, 1))
    model.choice("kind", ["x1", "x2"], "x1")
    model.series("h", model.input("q", 1.0), lambda h, t: 0.5 * h + t, steps=2)
    model.output("profit", demand * price - 150, unit="USD")
    return model


def simulated(path: Path) -> None:
    opened = sheetsim.workbook(plan_book(path.with_name("plan.xlsx")))
    inputs = {"price": "normal(10, 1)", "B2": "uniform(900, 1100)"}
    scenarios = {"dear": {"B3": 7}}
    pairs = [("price", "B2", 0.5)]
    run = opened.simulate(inputs, ["B12"], trials=60, seed=1, correlations=pairs, verify=1, scenarios=scenarios)
    run.to_excel(path, lang="ja")


WEIGHTS = [[[0.1 * (r - c) for c in range(4)] for r in range(4)] for _ in range(3)]
HALVING = {
    "template": "training",
    "value": "final.test_accuracy",
    "method": ["halving", "grid"],
    "trials": 4,
    "replicates": 1,
    "repeats": 2,
    "lang": "ja",
    "set": TRAINED | {"networks": [], "seeds": 1, "steps": 9},
    "space": {"rate": {"from": 1e-3, "to": 1.0, "scale": "log"}, "optimizer": ["sgd", "adam"]},
}
DEEP = {
    "template": "relu-he",
    "lang": "ja",
    "replicates": 2,
    "set": {"samples": 4, "inputs": 3},
    "grid": {"depth": [2, 3], "width": [3]},
}

# Of several runs, and of a person's own numbers.
OTHER_BOOKS: dict[str, Callable[[Path], Any]] = {
    "replicates": lambda path: sheetsim.replicate("relu-he", 12, lang="ja", **TINY).to_excel(path),
    "bootstrap": lambda path: sheetsim.replicate("symmetry", 3, bootstrap=True, **STEPS["symmetry"]).to_excel(
        path, lang="ja"
    ),
    "precision": lambda path: sheetsim.replicate("relu-he", 9, until=0.1, single=True, lang="ja", **TINY).to_excel(
        path
    ),
    "model": lambda path: sheetsim.run(own_model()).to_excel(path, lang="ja"),
    "sweep": lambda path: sheetsim.sweep(SWEEP | {"lang": "ja"}).to_excel(path),
    "deep": lambda path: sheetsim.sweep(DEEP).to_excel(path),
    "sensitivity": lambda path: sheetsim.sensitivity("relu-he", "std", trials=6, lang="ja", **TINY).to_excel(path),
    "fit": lambda path: sheetsim.fit([k**1.5 for k in range(1, 40)]).to_excel(path, lang="ja"),
    "simulated": simulated,
    "search": lambda path: sheetsim.search(SEARCH).to_excel(path, lang="ja"),
    "halving": lambda path: sheetsim.search(HALVING).to_excel(path),
    "replicated model": lambda path: sheetsim.replicate(own_model(), 3).to_excel(path, lang="ja"),
    "comparison": lambda path: sheetsim.compare("relu-he", "relu-xavier", lang="ja", replicates=2, **TINY).to_excel(
        path
    ),
    "gradients": lambda path: sheetsim.compare("gradient-flow", "gradient-flow-relu-he", **TINY).to_excel(
        path, lang="ja"
    ),
    "diagnosis": lambda path: sheetsim.diagnose(WEIGHTS, samples=9, layout="in-out", lang="ja").to_excel(path),
}

# fmt: off
THEIR_NAMES = [
    "as it is", "dear",
    "AIC", "array", "bars_1", "bayes", "data", "demand", "depth", "df", "distance_sta", "errors", "expon", "fisk",
    "gamma", "gradient-flow", "gradient-flow-relu-he", "grid", "gumbel_l", "gumbel_r", "halving", "high", "histogram",
    "input", "inputs", "invgauss", "IronCalc", "Jansen", "Kolmogorov", "KS", "kurtosis", "lang", "laplace",
    "largest_count", "lhs", "loc", "log10", "logistic", "lognormal", "low", "mean", "min", "mu", "My model",
    "networks", "normal", "NPV", "pareto", "Parquet", "Plan", "plan.xlsx", "price", "profit", "random", "rayleigh",
    "reach", "relu-he", "relu-xavier", "repeats", "report", "resamples", "run", "Saltelli", "sampling", "sensitivity",
    "skew", "Smirnov", "Sobol", "sobol", "statistic", "statistics", "title", "training", "trials", "uniform",
    "Units a day", "USD", "var", "volume", "weibull_min", "width",
]
# fmt: on


def names_in(value: Any) -> Iterator[str]:
    """The keys and texts of a manifest's field, and keys with their path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *names_in(inner))
            yield from (f"{key}.{name}" for name in inner) if isinstance(inner, dict) else ()
    elif isinstance(value, list):
        yield from (name for one in value for name in names_in(one))
    elif isinstance(value, str):
        yield value


@pytest.mark.every(5)
@pytest.mark.parametrize("name", OTHER_BOOKS)
def test_other_books_in_japanese_have_no_words_of_english_but_names(name: str, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    OTHER_BOOKS[name](path)
    with RawBook(path) as raw:
        manifest, names = read_manifest(raw), [*raw.names, *THEIR_NAMES, *STUDIES["forward"].__struct_fields__]
    for key in ("parameters", "replicates", "sweep", "search"):
        names += names_in(msgspec.to_builtins(getattr(manifest, key)))
    names += [str(label).split(" ")[0] for table in manifest.tables.values() for label in table.labels]
    left = english(Shown(path, openpyxl.load_workbook(path), manifest, names))
    assert not left, "\n".join(left)


def test_to_programs_replicates_in_japanese_are_those_in_english(tmp_path: Path) -> None:
    result = sheetsim.replicate("relu-he", 11, **TINY)
    one, two = (sheetsim.read(result.to_excel(tmp_path / f"{lang}.xlsx", lang=lang)) for lang in ("en", "ja"))
    assert two.names() == one.names()
    for table in ("statistics", "verdicts"):
        assert two.table(table).equals(one.table(table)), table
    assert sheetsim.verify(two.path).ok


def test_the_option_and_the_key_are_one(tmp_path):
    run = sheetsim.run("relu-he", lang="ja", **TINY)
    assert "--lang ja" in run._command
    assert "lang" not in run.title
    path = tmp_path / "mine.toml"
    path.write_text('lang = "ja"\n' + templates.template_text("relu-he"))
    assert templates.load(path).experiment.lang == "ja"


MORE_PICTURES = [*((name, STEPS[name]) for name in ("optimizers", "phase-diagram")), ("training-starts", TRAINED)]


@pytest.mark.parametrize(
    ("template", "keys", "forms"),
    [
        ("relu-he", TINY, ()),
        *(pytest.param(*one, ("png", "svg", "pdf"), marks=pytest.mark.slow) for one in MORE_PICTURES),
    ],
)
def test_a_picture_in_japanese_is_its_books_and_has_no_words_of_english_but_names(
    template: str, keys: dict[str, Any], forms: tuple[str, ...], tmp_path: Path
) -> None:
    try:
        check_fonts("ja")
    except sheetsim.SheetsimError as error:
        pytest.skip(str(error))
    run = sheetsim.run(template, lang="ja", **keys)
    of_template = [*msgspec.structs.asdict(templates.load(template).experiment), *run.plots(), *run.names()]
    names = _without([*NAMES, *of_template, *run.summary().index.map(str)])
    picture = run.plot()
    with sheetsim.read(run.to_excel(tmp_path / "book.xlsx")) as book:
        assert texts_drawn(picture) == texts_drawn(book.plot())
    for drawn in (picture, run.plot(run.tables()[0])):
        texts = texts_drawn(drawn)
        assert not [text for text in texts if re.search("[A-Za-z]{2}", names.sub(" ", text))]
        assert sum(1 for text in texts if JAPANESE.search(text)) > 3
        assert not any(MISSING in text for text in texts)
    # Rendered, where a letter that no font has is a warning.
    with rc_context({"svg.fonttype": "none"}):
        picture.savefig(tmp_path / "text.svg")
    assert JAPANESE.search((tmp_path / "text.svg").read_text(encoding="utf-8"))
    for form in forms:
        assert len(saved(picture, form)) > 5_000


def texts_drawn(picture: Picture) -> set[str]:
    return {text.get_text() for text in picture.findobj(Text)}


def test_fonts_that_matplotlib_does_not_know_yet_are_found_and_a_themes_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        fonts = fonts_for(USUAL_LOOK, "ja")
    except sheetsim.SheetsimError as error:
        pytest.skip(str(error))
    look = Look(ThemeKeys(font=Font(name="DejaVu Serif")))
    assert fonts_for(look, "ja") == ("DejaVu Serif", *fonts)
    monkeypatch.setattr(fontManager, "ttflist", [font for font in fontManager.ttflist if "DejaVu" in font.name])
    _add_fonts.cache_clear()
    assert fonts_for(USUAL_LOOK, "ja") == fonts


def test_without_a_font_of_the_language_a_sentence_says_which_would_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(FONTS_OF, "ja", ("Yu Gothic of nobody", "DejaVu Sans"))
    arguments = ["plot", "relu-he", "--lang", "ja", "--output", str(tmp_path / "run.png")]
    done = CliRunner().invoke(app, arguments)
    assert str(done.exception).endswith("install one of Yu Gothic of nobody or DejaVu Sans")
    assert list(tmp_path.iterdir()) == []


# ── What is printed ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Any]:
    """Calls the command line where the locale is Japanese: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sheetsim", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capsys.readouterr()

    yield call
    speak("en")


SMALL = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]


@pytest.mark.parametrize(
    ("words", "environment", "code"),
    [
        ([], {}, "en"),
        ([], {"LANG": "ja_JP.UTF-8"}, "ja"),
        ([], {"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "C", "LC_MESSAGES": "ja"}, "ja"),
        ([], {"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        ([], {"LANG": "fr_FR.UTF-8"}, "en"),
        (["run", "--lang", "ja"], {}, "ja"),
        (["run", "--lang=en"], {"LANG": "ja_JP.UTF-8"}, "en"),
        (["run", "--lang", "fr"], {"LANG": "ja_JP.UTF-8"}, "en"),
        (["run", "--lang"], {"LANG": "ja_JP.UTF-8"}, "en"),
    ],
)
def test_a_terminal_has_the_language_that_is_asked_for_else_that_of_the_locale(
    words: list[str], environment: dict[str, str], code: str
) -> None:
    assert language_of(words, environment) == code


COMMANDS = [
    ["summary", "relu-he", *SMALL],
    ["summary", "relu-he", "--table", "claims", *SMALL],
    ["replicate", "relu-he", "--replicates", "11", *SMALL],
    ["compare", "relu-he", "relu-xavier", "--replicates", "2", *SMALL],
    ["sensitivity", "relu-he", "--statistic", "std", "--trials", "4", *SMALL],
    ["list"],
]


@pytest.mark.every(3)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: "-".join(words[:4:3]))
def test_what_a_person_reads_in_a_terminal_has_no_words_of_english_but_names(terminal: Any, words: list[str]) -> None:
    status, out, err = terminal(*words)
    assert status == 0
    files = ["outputs", "comparison", "xlsx", "replicates", "KB", "run", "NAME", "size", "small"]
    names = _without([*templates.names(), *NAMES, *words, *files])
    left = [line for line in (out + err).splitlines() if re.search(r"[A-Za-z]{2}", names.sub(" ", line))]
    assert not left, "\n".join(left)


def test_columns_of_wide_letters_stand_under_one_another(terminal: Any) -> None:
    _, out, _ = terminal("summary", "relu-he", *SMALL)
    assert len({columns_of(line) for line in out.splitlines()}) == 1


def test_what_a_program_reads_is_english_in_every_locale(terminal: Any) -> None:
    here = [terminal("summary", "relu-he", "--format", form, *SMALL) for form in ("json", "csv")]
    there = [terminal("--lang", "en", "summary", "relu-he", "--format", form, *SMALL) for form in ("json", "csv")]
    assert here == there
    assert "std" in here[0][1]


def test_a_locale_makes_no_workbook_japanese(terminal: Any) -> None:
    assert terminal("run", "relu-he", *SMALL, "--output", "book.xlsx")[0] == 0
    assert openpyxl.load_workbook("book.xlsx")["Overview"]["A6"].value == "Activation"
    assert sheetsim.read("book.xlsx").manifest.lang == ""


MISTAKES = [
    ("run nope", "テンプレート 'nope' はありません。一覧は `sheetsim list` で表示できます"),
    ("run relu-he --set samples=0", "relu-he: samples は 1 以上でなければなりません(0 が与えられています)"),
    ("run relu-he --set samples=x", "relu-he: samples: 整数でなければなりません(文字列が与えられています)"),
    ("verify nofile.xlsx", "nofile.xlsx を読めません: ファイルまたはフォルダーがありません"),
    ("nope", "コマンド nope はありません。"),
    ("run nope --lang en", "unknown template 'nope': `sheetsim list` shows them all"),
    ("--lang fr list", "lang must be en or ja, not 'fr'"),
    # By click.
    ("run --lang ja --x", "オプション --x はありません。"),
    ("runn", "コマンド runn はありません。もしかして: run"),
    ("show", "引数 NAME が必要です。"),
    ("replicate relu-he --replicates x", "オプション --replicates の値 'x' は整数ではありません。"),
    (
        "list --format xml",
        "オプション --format の値 'xml' は 'table', 'csv', 'json', 'parquet' のどれでもありません。",
    ),
    # Of the model, of a workbook of one's own, of a file, of a study.
    (
        "run relu-he --set sampling=sobol --set samples=100",
        "relu-he: sobol では samples は 64 や 128 のような 2 の累乗でなければなりません(100 が与えられています)",
    ),
    ("run relu-he --set study=x", "relu-he: study は batch-norm-scales, "),
    (
        "simulate plan.xlsx --input B2=norml(1,2) --output B12",
        "入力 B2: 分布 'norml' はありません。もしかして: 'normal'。使える分布: normal, ",
    ),
    (
        "simulate plan.xlsx --input B2=normal(1,2,3) --output B12",
        "入力 B2: normal のパラメーターは 2 個(mean, std)ですが、3 個が与えられています",
    ),
    (
        "simulate plan.xlsx --input Data!B2=normal(1,2) --output B12",
        "Data!B2: plan.xlsx にシート 'Data' はありません。あるシート: ",
    ),
    (
        "simulate plan.xlsx --input B22x=normal(1,2) --output B12",
        "plan.xlsx に 'B22x' というセルも定義された名前もありません",
    ),
    ("diff text.xlsx text.xlsx", "text.xlsx はブックではありません: zip 形式ではありません"),
    (
        "simulate plan.xlsx --input B2=triangular(3,2,1) --output B12",
        "入力 B2: triangular: low、mode、high はこの順に増加し、low は high より小さくなければなりません",
    ),
    ("run relu-he --set layers=[3", "--set layers: [3 は TOML の値ではありません: リストが閉じられていません"),
    ("fit none.csv", "data: ファイル none.csv がありません"),
    ("run optimizers --set f=x+z", "optimizers: f: 名前 'z'(3 文字目)は使えません。使えるもの: x、y、数値、exp, "),
    ("compare relu-he symmetry", "symmetry の実験は symmetry です。比較できるのは forward か gradient-flow の"),
    ("run training --set data=none.csv", "data: ファイル none.csv がありません"),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES)
def test_a_mistake_is_told_in_the_language_of_the_terminal(terminal: Any, words: str, told: str) -> None:
    if "plan.xlsx" in words:
        plan_book(Path("plan.xlsx"))
    Path("text.xlsx").write_text("no archive")
    status, _, err = terminal(*words.split())
    assert status == 2
    assert err.startswith(f"sheetsim: {told}")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_no_message_of_an_error_is_without_japanese() -> None:
    assert untranslated() == {}


@pytest.mark.slow
def test_messages_are_found_where_they_are_put_together() -> None:
    """By a choice, by another function, with a constant, with what a function is called with."""
    assert {
        "sheetsim cannot simulate a circular reference: {PART}",
        "{PATH} holds formulas without values, as saved by a program that does not calculate: open and save it in "
        "Excel or LibreOffice, or run sheetsim verify --fill {PATH}",
        "Simulation, row {ROW}: a correlation needs two inputs and a number",
        "input.sheet goes with an .xlsx file, not with {PATH}",
    } <= {message for _, message in messages()}


def test_no_text_of_help_is_without_japanese() -> None:
    say = help_texts("ja").say
    assert [text for _, text in texts_of_help() if not JAPANESE.search(say(text))] == []


def test_help_is_in_the_language_of_the_terminal(terminal: Any) -> None:
    """A command's first sentence is whole, where click cuts an English one; lines are as wide as in English."""
    status, out, _ = terminal("--help")
    assert status == 0
    assert out.splitlines()[0] == "使い方: sheetsim [オプション] コマンド [引数]..."
    assert "fit データの列に分布を当てはめ、AIC の順に並べ、分位点プロットのあるブックを書き出します。" in _joined(out)
    assert max(map(columns_of, out.splitlines())) <= 80
    status, out, _ = terminal("summary", "--help")
    assert "--seed INTEGER すべての乱数のシード(0 以上の整数)。" in _joined(out)
    assert out.splitlines()[0] == "使い方: sheetsim summary [オプション] NAME|FILE.toml|BOOK.xlsx"
    assert "実験のどの表か。batch-norm-scales: final, " in _joined(out)
    assert "[既定値: (最初の表)]" in _joined(out)
    assert "Options:" in terminal("--lang", "en", "summary", "--help")[1]


def _joined(out: str) -> str:
    """A text without its breaks of lines: none between wide letters, else a space."""
    return re.sub(r" +", " ", re.sub(r"(?<=[^ -~])\n +(?=[^ -~])", "", out).replace("\n", " "))


@pytest.mark.parametrize("width", [10, 40])
def test_lines_of_wide_letters_are_broken_at_their_width(width: int) -> None:
    text = "データの列に、分布を当てはめます(--families で選べます)。 [既定値: 1]"
    lines = wrapped(text, width)
    assert all(columns_of(line) <= width or " " not in line.strip() for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line[0] in "、。)ーッ" for line in lines)
    assert wrapped("", width) == []


def test_a_message_without_a_translation_is_the_english_one() -> None:
    speak("ja")
    assert message_of("relu-he: something unheard of") == "relu-he: something unheard of"
    assert spoken("something: unheard of") == "something: unheard of"
    speak("en")
    assert message_of("relu-he: lang must be en or ja, not 'x'") == "relu-he: lang must be en or ja, not 'x'"
