"""README and docs/: what they show runs, what they name exists."""

import doctest
import inspect
import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jsonschema
import msgspec
import pytest
from conftest import EXPERIMENTS
from sybil import Document, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import sheetsim
from sheetsim.audit.simulated import plan_file
from sheetsim.cli.commands import app
from sheetsim.runs import templates
from sheetsim.runs.search_plan import FOLDER, load_search, shipped_searches
from sheetsim.runs.sweep_grid import load_sweep
from sheetsim.studies.registry import STUDIES
from sheetsim.workbook.writing.styles import Look
from sheetsim.workbook.writing.theme import Font, Tabs, ThemeKeys, tables

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PROSE = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md") if (ROOT / name).exists())]

# Examples that take seconds. docs/figures.py runs the README's, and compares what it prints.
SLOW = {
    "README.md",
    "docs/own-model.md",
    "docs/replicates.md",
    "docs/tutorials/analyst.md",
    "docs/tutorials/engineer.md",
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The page's code blocks in a language."""
    document = Sybil(parsers=[CodeBlockParser(language, evaluator=lambda example: None)]).parse(page)
    return [str(example.parsed) for example in document.examples()]


def having(language: str) -> list[object]:
    """The pages with blocks in a language, as parameters."""
    return [
        pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] if name_of(page) in SLOW else [])
        for page in PAGES
        if f"```{language}\n" in page.read_text(encoding="utf-8") and page.name != "README.ja.md"
    ]


@pytest.mark.parametrize("page", having("python"))
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document: Document = Sybil(parsers=[PythonCodeBlockParser()]).parse(page)
    document.namespace["__name__"] = "__main__"
    for example in document.examples():
        example.evaluate()


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "sheetsim").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_examples_in_docstrings_give_what_they_show(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(import_module(module))
    assert tried
    assert not failed


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PROSE])
def test_commands_are_accepted_by_the_parser(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "house.toml").write_text("")
    for line in commands(page):
        check_command(line)


def commands(page: Path) -> Iterator[str]:
    """The lines of shell blocks that call sheetsim, and the commands within sentences."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("sheetsim "):
                yield line.partition("  #")[0]
    without_blocks = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for text in re.findall(r"`(sheetsim [^`]+)`", without_blocks):
        yield " ".join(text.split()).partition(" > ")[0]


def check_command(line: str) -> None:
    """Parses a command, with its options; loads the template that it names, with what it sets."""
    name, *arguments = shlex.split(re.sub(r"\bN\b", "1", line))[1:]
    if name.startswith("-"):
        return
    try:
        context = app.commands[name].make_context(name, list(arguments))
    except click.MissingParameter:
        # A sentence may leave out what the command needs.
        return
    what = context.params.get("what") or ()
    for template in [what] if isinstance(what, str) else what:
        if name in ("run", "replicate", "summary", "sensitivity") and template.islower() and "." not in template:
            settings = [text.partition("=")[::2] for text in context.params.get("settings") or ()]
            templates.load(template, {key: value_of(value) for key, value in settings if value != "…"})


def value_of(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def test_a_wrong_command_is_found() -> None:
    for line in ("sheetsim run relu-he --ouput x", "sheetsim run relu-hee", "sheetsim run relu-he --set sample=3"):
        with pytest.raises(Exception, match=r"No such option|unknown"):
            check_command(line)
    with pytest.raises(KeyError):
        check_command("sheetsim runn relu-he")


@pytest.mark.parametrize("page", having("toml"))
def test_toml_blocks_are_what_the_page_says(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        keys = tomllib.loads(text)
        if "grid" in keys:
            (tmp_path / "sweep.toml").write_text(text)
            assert load_sweep(tmp_path / "sweep.toml").points
        elif "space" in keys:
            assert load_search(keys).most_trials
        elif "inputs" in keys:
            (tmp_path / "plan.toml").write_text(text)
            assert plan_file(tmp_path / "plan.toml").inputs
        elif "colors" in keys:
            check_theme(keys)
        else:
            assert templates.convert(keys).study == keys["study"]


def check_theme(keys: dict[str, Any]) -> None:
    """The usual look, written out: every key, each with what it is without a theme."""
    theme = msgspec.convert(keys, ThemeKeys)
    assert Look(theme) != Look()
    # Left out, these are what they are here.
    assert Look(msgspec.structs.replace(theme, tabs=Tabs(), font=Font())) == Look()
    assert (Look(theme).tabs, Look(theme).font, Look(theme).cells) == (Look().tabs, Look().font, Look().cells)
    named = {key: set(value) for key, value in keys.items() if isinstance(value, dict)}
    assert named == {table: set(tables()[table]) for table in named}
    assert keys.keys() == set(tables()[""]) - {"logo", "cover"}


def test_links_between_files_of_the_top_level_and_pages_lead_somewhere() -> None:
    for page in PROSE:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (page.name, target)


def test_commands_that_run_a_file_name_one_that_exists() -> None:
    for page in PROSE:
        for target in re.findall(
            r"(?:benchmarks|docs|tests|examples)/[\w./{},]+\.py", page.read_text(encoding="utf-8")
        ):
            for path in expanded(target):
                assert "NAME" in path or (ROOT / path).exists(), (page.name, path)


def expanded(path: str) -> list[str]:
    """What the shell makes of a path with braces."""
    start, brace, rest = path.partition("{")
    inside, _, end = rest.partition("}")
    return [f"{start}{one}{end}" for one in inside.split(",")] if brace else [path]


def test_the_readmes_of_both_languages_have_the_same_code_and_output() -> None:
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))
    pattern = re.compile(r"^```.*?^```$|^    \S.*?$", re.DOTALL | re.MULTILINE)
    assert set(pattern.findall(japanese)) <= set(pattern.findall(english))


def test_one_sentence_says_what_it_is_in_the_readme_the_site_and_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"]
    for page in (ROOT / "README.md", ROOT / "docs/index.md"):
        assert " ".join(page.read_text(encoding="utf-8").split("\n\n")[1].split()) == project
    citation = " ".join((ROOT / "CITATION.cff").read_text(encoding="utf-8").split())
    assert project in citation
    assert f" version: {sheetsim.__version__} " in citation
    first = project.partition(". ")[0] + "."
    assert (sheetsim.__doc__ or "").startswith(first)
    assert app.help == first


@pytest.fixture(scope="module")
def template_schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((ROOT / "docs/schema/template.json").read_text(encoding="utf-8")))


def test_the_schema_takes_every_shipped_template_and_refuses_wrong_keys_and_values(
    template_schema: jsonschema.Draft7Validator,
) -> None:
    for name in templates.names():
        template_schema.validate(tomllib.loads(templates.template_text(name)))
    for wrong in ({"activaton": "relu"}, {"activation": "rleu"}, {"samples": "many"}, {"histogram": {"bin": 3}}):
        assert not template_schema.is_valid({"study": "forward", **wrong}), wrong
    assert not template_schema.is_valid({"study": "optimizers", "samples": 3})


def schema_of(name: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((ROOT / f"docs/schema/{name}.json").read_text(encoding="utf-8")))


def test_the_schema_of_sweeps_takes_the_documented_one() -> None:
    schema = schema_of("sweep")
    for path in (ROOT / "examples").glob("*.toml"):
        schema.validate(tomllib.loads(path.read_text(encoding="utf-8")))
    (text,) = blocks(ROOT / "docs/sweeps.md", "toml")
    keys = tomllib.loads(text)
    schema.validate(keys)
    assert not schema.is_valid({**keys, "grid": {"depth": {"from": 1, "to": 2}}})


def test_the_schema_of_searches_takes_the_shipped_ones_and_the_documented_one() -> None:
    schema = schema_of("search")
    shipped = [
        (templates.folder() / FOLDER / f"{name}.toml").read_text(encoding="utf-8") for name in shipped_searches()
    ]
    for text in [*shipped, *blocks(ROOT / "docs/search.md", "toml")]:
        schema.validate(tomllib.loads(text))
    keys = tomllib.loads(shipped[0])
    for wrong in ({"method": "bayesian"}, {"goal": "most"}, {"space": {"rate": {"from": 1}}}, {"trial": 3}):
        assert not schema.is_valid({**keys, **wrong}), wrong


def test_the_schema_of_simulations_takes_the_documented_one() -> None:
    schema = schema_of("simulation")
    (text,) = blocks(ROOT / "docs/own-workbook.md", "toml")
    keys = tomllib.loads(text)
    schema.validate(keys)
    assert not schema.is_valid({**keys, "correlations": [["B2", "B3"]]})


def test_the_schema_of_themes_takes_the_documented_one_and_the_files_that_are_taken() -> None:
    schema = schema_of("theme")
    (text,) = blocks(ROOT / "docs/house-style.md", "toml")
    usual = tomllib.loads(text)
    schema.validate(usual)
    schema.validate({"font": {"size": 9.5}, "logo": "logo.png", "cover": "brand.xlsx"})
    colors = usual["colors"]
    for wrong in (
        {"colour": {}},
        {"colors": {"inc": "#1F2937"}},
        {"colors": {"ink": "navy"}},
        {"colors": {"lines": colors["lines"][:4]}},
        {"colors": {"ramp": colors["ramp"][:1]}},
        {"tabs": {"weights": 3}},
        {"tones": {"good": {"fill": "#D9F2E0"}}},
        {"font": {"size": 12}},
        {"font": {"name": ""}},
        {"numbers": {"percent": ""}},
    ):
        assert not schema.is_valid(wrong), wrong
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, ThemeKeys)


def test_the_first_page_has_every_study() -> None:
    """By one of its templates. That a page is linked and in the site's navigation is checked elsewhere."""
    named = set(re.findall(r"`([\w-]+)`", (ROOT / "docs/index.md").read_text(encoding="utf-8")))
    shown = {experiment.study for name, experiment in EXPERIMENTS.items() if name in named}
    assert set(STUDIES) - shown == set(), "the table Studies of docs/index.md has no such row"


def test_the_python_page_has_every_public_name() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^::: (\S+)\n    options:\n      (.*)$", page, re.MULTILINE))
    missing = []
    for name in set(sheetsim.__all__):
        known = getattr(sheetsim, name)
        if inspect.ismodule(known):
            continue
        options = shown.get(known.__module__, "")
        listed = re.findall(r"\w+", options.removeprefix("members:")) if options.startswith("members") else [name]
        if f"{known.__module__}.{name}" not in shown and not (options and name in listed):
            missing.append(name)
    assert not missing, "docs/api.md lists these neither as a module's members nor by themselves"


def test_reference_pages_are_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs/generate.py"))["pages"]()
    made.pop(ROOT / "docs/columns.md")
    assert {name_of(path) for path, make in made.items() if path.read_text(encoding="utf-8") != make()} == set()


@pytest.mark.slow
def test_every_column_and_every_verdict_is_explained() -> None:
    made = runpy.run_path(str(ROOT / "docs/generate.py"))["pages"]()
    page = ROOT / "docs/columns.md"
    assert page.read_text(encoding="utf-8") == made[page]()
