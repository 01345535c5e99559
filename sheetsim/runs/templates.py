"""Templates: complete, runnable descriptions of studies in TOML, shipped with the package or a person's own."""

import math
import os
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.files import check_text, path_of, read_text
from sheetsim.model.draws import LIVE
from sheetsim.studies.forward.study import MOST_LAYERS, Bins, Forward
from sheetsim.studies.input_key import DrawnInput, source_of
from sheetsim.studies.registry import STUDIES as STUDIES
from sheetsim.studies.study import (
    LONGEST_TEXT,
    Experiment,
    check_no_array,
    check_one_of,
    check_plain,
    explained,
    nearest,
    toml_value,
    unknown_key,
    unwrapped,
)

# The keys of a template's tables.
TABLES = {"histogram": Bins.__struct_fields__}

# Keys that stand for `layers`, and the most that each can be: so many layers of so many units.
LAYERS = {"depth": MOST_LAYERS, "width": math.inf}

# A key that stands for sizes, and its one value: those of a live book of less than 500 KB (Forward.SMALL).
SIZE, SMALL = "size", "small"

# Keys of which neither a title nor a description speaks; a description's figures are those of a seed, too.
UNTOLD = ("study", "title", "description", "report", "histogram", "contours", "log", "lang", "charts")

# Keys that have an option of their own.
OPTIONS = ("seed", "lang")

# Characters of a changed value, and of all of them, that a title has room for.
LONGEST_VALUE, LONGEST_CHANGES = 40, 160

# The article's five come first and are what `sheetsim run` does when nothing is named.
ARTICLE = ("sigmoid-std1", "sigmoid-std001", "sigmoid-xavier", "relu-xavier", "relu-he")


class Scenario(msgspec.Struct, frozen=True):
    """An experiment, its name, the command that makes its file again, and that command's template (name or path)."""

    experiment: Experiment
    name: str
    command: str
    template: str


def folder() -> Path:
    """Where the shipped templates are: in the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "templates"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "templates"


def names() -> list[str]:
    """The shipped templates, the article's first."""
    names_there = sorted(path.stem for path in folder().glob("*.toml"))
    return [*ARTICLE, *(name for name in names_there if name not in ARTICLE)]


def template_text(name: str) -> str:
    """A shipped template's TOML. Raises SheetsimError with the nearest name when there is none."""
    if name not in names():
        raise SheetsimError(f"unknown template {name!r}{nearest(name, names())}: `sheetsim list` shows them all")
    return (folder() / f"{name}.toml").read_text(encoding="utf-8")


def small(name: str) -> str | None:
    """The command of a shipped template's small book; None where the study is of no network."""
    study = tomllib.loads(template_text(name)).get("study", "forward")
    return f"sheetsim run {name} --set {SIZE}={SMALL}" if issubclass(STUDIES[study], Forward) else None


def load(what: str | Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """The experiment of a template's name or a TOML file's path, with keys overridden (dotted keys go into tables)."""
    overrides = dict(overrides or {})
    path = path_of(what, "a template")
    check_text("the name of a template", str(what))
    if path.suffix == ".toml":
        name, base, parameters = path.stem, path.parent, read_toml(path)
    else:
        name, base, parameters = str(what), Path(), tomllib.loads(template_text(str(what)))
    place_file(parameters, base)
    try:
        plain = convert(parameters)
        overrides = _with_layers(_with_size(overrides, plain), plain)
        source = overrides.get("input", "")
        if hasattr(source, "__array__") or (isinstance(source, Mapping) and "file" in source):
            # Data has its own size, whatever the template says.
            for key in ("samples", "inputs"):
                parameters.pop(key, None)
        for key, value in overrides.items():
            _set(parameters, key, value)
        experiment = _entitled(plain, convert(parameters), overrides)
    except SheetsimError as error:
        raise SheetsimError(f"{what}: {error}") from None
    return Scenario(experiment, name, command(str(what), plain, experiment), str(what))


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's keys. Raises SheetsimError when it cannot be read or is not TOML."""
    check_text("the name of a template", str(path))
    content = read_text(path)
    try:
        return parsed(content)
    except SheetsimError as error:
        raise SheetsimError(f"{path} is not TOML: {error}") from None


def parsed(text: str) -> dict[str, Any]:
    """The keys of a TOML text. Raises SheetsimError with the reason where it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SheetsimError(str(error)) from None
    except RecursionError:
        raise SheetsimError("lists or tables are nested too deeply") from None
    except ValueError:
        # Python's own limit, which tomllib does not know.
        raise SheetsimError("a whole number has more than 4,300 digits") from None


def scenario(what: "str | os.PathLike[str] | Experiment", overrides: Mapping[str, Any]) -> Scenario:
    """The same for an experiment, too; overrides: its keys with other values."""
    if isinstance(what, str | os.PathLike):
        return load(os.fspath(what), overrides)
    if not isinstance(what, Experiment):
        raise SheetsimError(f"{type(what).__name__} is not a template, study or model")
    keys = {key: getattr(what, key) for key in what.__struct_fields__}
    return given(_entitled(what, convert({**keys, **overrides}), overrides) if overrides else what)


def given(experiment: Experiment) -> Scenario:
    """The same for an experiment that was made in Python: its command sets keys of a template."""
    base = ARTICLE[-1] if experiment.study == "forward" else experiment.study
    return Scenario(experiment, experiment.study, command(base, load(base).experiment, experiment), base)


def convert(parameters: Mapping[str, Any]) -> Experiment:
    """Parameters as an experiment. Raises SheetsimError with the key's path and the reason."""
    numbers = {key: unwrapped(value) for key, value in parameters.items()}
    check_plain(numbers)
    study = numbers.get("study", "forward")
    if isinstance(study, str):
        check_one_of("study", study, tuple(STUDIES))
    # A study that is not text is refused by its type, with the reason.
    kind = STUDIES[study] if isinstance(study, str) else Forward
    for field in msgspec.structs.fields(kind):
        check_no_array(field.name, numbers.get(field.name), field.type)
    try:
        return msgspec.convert(numbers, kind)
    except msgspec.ValidationError as error:
        raise SheetsimError(sentence(str(error), {"": kind.__struct_fields__, **TABLES})) from None


def command(what: str, base: Experiment, experiment: Experiment) -> str:
    """The command that makes the experiment's file again: the template's name or file, and each key that differs."""
    if experiment.given_in_python:
        return f"made in Python with {experiment.given_in_python}: no command makes it again"
    # What loading the template with the other keys says by itself is no key of the command.
    plain = base.parameters() | _texts(base, experiment)
    words = ["sheetsim run", shlex.quote(what)]
    for key, value in _said(base, experiment).items():
        if value != plain.get(key):
            words.append(f"--{key} {value}" if key in OPTIONS else f"--set {shlex.quote(f'{key}={toml_value(value)}')}")
    return " ".join(words)


def writing(command: str, values_only: bool) -> str:
    """The command with the option that leaves the formulas out, where it is given."""
    return f"{command} --values-only" if values_only else command


def _said(base: Experiment, experiment: Experiment) -> dict[str, Any]:
    """The experiment's parameters, with usual values, which it leaves unsaid, where the template has others."""
    said = experiment.parameters()
    unsaid = {key: getattr(experiment, key, None) for key in base.parameters() if key not in said}
    return said | {key: value for key, value in unsaid.items() if value is not None}


def _entitled(base: Experiment, experiment: Experiment, overrides: Mapping[str, Any]) -> Experiment:
    """The experiment with a title and a description that are true of it, where they are not among the overrides."""
    texts = {key: text for key, text in _texts(base, experiment).items() if key not in overrides}
    return msgspec.structs.replace(experiment, **texts)


def _texts(base: Experiment, experiment: Experiment) -> dict[str, str]:
    """The template's title with what was changed, and its description as that of the template."""
    title, description = base.title, base.description
    plain = base.parameters()
    keys = _said(base, experiment).items()
    changes = {key: value for key, value in keys if key not in UNTOLD and value != plain.get(key)}
    if changes.get("draws") == LIVE:
        del changes["draws"]  # the same numbers, in a book with a switch
    if changes and description:
        description = f"Of the template as it was: {description}"[:LONGEST_TEXT]
    changes.pop("seed", None)
    return {"title": entitled(title, changes), "description": description}


def entitled(title: str, changes: Mapping[str, Any]) -> str:
    """A title, if there is one, with the keys that were changed."""
    told = {key: value for key, value in changes.items() if key not in UNTOLD}
    if not told or not title:
        return title
    said = ", ".join(_change(key, value) for key, value in told.items())
    said = said if len(said) <= LONGEST_CHANGES else ", ".join(told)
    return f"{title[: LONGEST_TEXT - LONGEST_CHANGES - 20]}, changed: {said}"


def _change(key: str, value: Any) -> str:
    """A key and its value, or the key alone where the value is long."""
    alike = isinstance(value, list) and len(value) > 1 and len(set(map(str, value))) == 1
    said = f"{len(value)} × {toml_value(value[0])}" if alike else toml_value(value)
    return f"{key} = {said}" if len(said) <= LONGEST_VALUE else key


def _with_size(overrides: dict[str, Any], plain: Experiment) -> dict[str, Any]:
    """The overrides with `size` as the sizes that it stands for, where they are not given; data have their own."""
    if SIZE not in overrides or not isinstance(plain, Forward):
        return overrides
    kept = {key: value for key, value in overrides.items() if key != SIZE}
    check_one_of(SIZE, overrides[SIZE], (SMALL,))
    sizes = dict(plain.SMALL)
    if "layers" in kept:
        del sizes["width"]
    if not isinstance(source_of(kept.get("input", plain.input)), DrawnInput):
        del sizes["samples"], sizes["inputs"]
    return sizes | kept


def _with_layers(overrides: dict[str, Any], plain: Experiment) -> dict[str, Any]:
    """The overrides with `depth` and `width` as `layers`; what is not given of the two is as the template has it."""
    given = [key for key in LAYERS if key in overrides]
    if not given or not isinstance(plain, Forward):
        return overrides
    if "layers" in overrides:
        raise SheetsimError(f"{given[0]} and layers set the same thing: give only one of them")
    if given == ["depth"] and len(set(plain.layers)) > 1:
        raise SheetsimError(f"depth needs width too, as the template's layers have different widths: {plain.layers}")
    depth, width = overrides.get("depth", len(plain.layers)), overrides.get("width", plain.layers[0])
    for key, value in (("depth", depth), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LAYERS[key]:
            bounds = f"from 1 to {LAYERS[key]:,}" if math.isfinite(LAYERS[key]) else "of at least 1"
            raise SheetsimError(f"{key} must be a whole number {bounds}, not {value!r}")
    kept = {key: value for key, value in overrides.items() if key not in LAYERS}
    return kept | {"layers": [width] * depth}


def _set(parameters: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    table = parameters
    for part in path:
        if part == "input" and isinstance(table.get(part), str):
            table[part] = {"distribution": table[part]}
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise SheetsimError(f"{key}: {part} is not a table of keys")
    table[last] = value


def place_file(parameters: dict[str, Any], base: Path) -> None:
    """A file named in a TOML file lies beside that file; one named on the command line where the command runs."""
    for key in ("data", "labels"):
        # The name of a data set is no file's.
        name = parameters.get(key)
        if isinstance(name, str) and Path(name).suffix:
            parameters[key] = str(base / name)
    source = parameters.get("input")
    if not isinstance(source, Mapping):
        return
    placed = {key: str(base / source[key]) for key in ("file", "correlation") if isinstance(source.get(key), str)}
    parameters["input"] = {**source, **placed}


def sentence(message: str, keys: Mapping[str, Sequence[str]]) -> str:
    """msgspec's message as `key: reason`, with the nearest key for one that is unknown; keys: by table's path."""
    path = message.partition(" - at `$")[2].rstrip("`").lstrip(".").replace("[...]", " (an element)")
    unknown = re.match(r"Object contains unknown field `(.*)`", message.partition(" - at `$")[0])
    if unknown:
        allowed = list(keys[path])
        key = ".".join(filter(None, [path, unknown[1]]))
        return unknown_key(key, unknown[1], allowed)
    return f"{path}: {explained(message)}" if path else explained(message)
