"""The reference pages that are made from the code: commands, the keys of TOML files, and their JSON schemas.

    python docs/generate.py [--check]

Writes docs/cli.md, docs/templates.md, docs/columns.md, docs/schema/ and, in docs/api.md, the table of names and the
studies. `--check` writes nothing, names the files that are not up to date, and exits with 1 then. A key's meaning is
read from the section Attributes of the docstring of the class that declares it (or, without one, from its text: "key,
key: meaning; key: meaning").
"""

import argparse
import inspect
import json
import math
import re
import sys
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import click
import msgspec

sys.path.insert(0, str(Path(__file__).parent))
from columns_page import columns_page
from names_page import names_page, training_last

from sheetsim.cli.commands import app
from sheetsim.model.activations import ACTIVATIONS, Activation
from sheetsim.model.backward import LOSSES
from sheetsim.model.draws import GENERATORS
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import SCHEMES, WEIGHT_DRAWS
from sheetsim.model.layers import LOSSES as TRAINED_LOSSES
from sheetsim.model.layers import PLACES
from sheetsim.model.sampling import DESIGNS
from sheetsim.model.training import ORDERS
from sheetsim.model.update_rules import CELLS, RULES, SCHEDULES
from sheetsim.runs import templates
from sheetsim.runs.search_methods import METHODS
from sheetsim.runs.search_plan import ACQUISITIONS, SearchFile
from sheetsim.runs.search_space import Choices, Range
from sheetsim.runs.sweep_grid import Grid, GridSteps
from sheetsim.sheets.marking import SimulationPlan
from sheetsim.studies.data_sets.source import SCALES, DataSource
from sheetsim.studies.forward.study import DRAWS, Bins, Forward
from sheetsim.studies.propagation.blocks import BLOCKS
from sheetsim.studies.propagation.blocks import NORMS as PROPAGATION_NORMS
from sheetsim.studies.registry import STUDIES
from sheetsim.studies.rnn_gradients.study import CLIPS, NORMS
from sheetsim.studies.study import Experiment, toml_value
from sheetsim.studies.symmetry.study import CURVES
from sheetsim.studies.training.keys import EQUAL, HALF_GLOROT, OWN, TrainingKeys
from sheetsim.studies.training_in_cells.descent import CURVES as CELL_CURVES
from sheetsim.workbook.formulas import formula
from sheetsim.workbook.writing import theme

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py: change the code's declarations, and run it again. -->"

TEMPLATES = f"""# Templates and their keys

{MADE}

All keys of all studies. A template describes a run completely, in TOML. `sheetsim show relu-he > mine.toml` writes one
to edit, `sheetsim run mine.toml` runs it, and `--set key=value` sets any key on the command line (in a table:
`--set histogram.bins=40`). For the networks of `forward` and `gradient-flow`, `--set depth=50` and `--set width=200`
set `layers`, and `--set size=small` makes a small workbook.

Editors with JSON schemas (for example VS Code with Taplo) complete and check a template that begins with `#:schema`
and the path of [schema/template.json](schema/template.json); for other files there are
[schema/sweep.json](schema/sweep.json), [schema/search.json](schema/search.json),
[schema/simulation.json](schema/simulation.json) and, for a [house style](house-style.md),
[schema/theme.json](schema/theme.json).

Every template has these keys:

| key | type | default | meaning |
|---|---|---|---|
| `study` | text | required | The study that the template describes |
| `title`, `description` | text |  | Heading of the workbook, and the sentence below it |
| `lang` | text |  | Language of the workbook, `en` or `ja` (Japanese) |
| `seed` | integer | `0` | Seed of all random draws, a whole number from 0 |
""".splitlines()

CLI = f"""# Commands

{MADE}

Every command with its options, as in `--help`. After a mistake in a command sheetsim prints one line on standard error,
writes nothing, and exits with status 2. Files go to the folder `outputs` by default.
`--format parquet` needs `sheetsim[parquet]`. `sheetsim --version` prints the version.

For Tab completion add a line to the start-up file of your shell and open a new terminal. In bash (`~/.bashrc`) it is
`eval "$(_SHEETSIM_COMPLETE=bash_source sheetsim)"`, in zsh (`~/.zshrc`)
`eval "$(_SHEETSIM_COMPLETE=zsh_source sheetsim)"`, and in fish (`~/.config/fish/completions/sheetsim.fish`)
`_SHEETSIM_COMPLETE=fish_source sheetsim | source`.
""".splitlines()

ACTIVATIONS_HEAD = """## Activations

The values of `activation`, with the formula in the workbook, the bounds of f, the σ_w of `gain = "activation"`, and
where outputs count as saturated (|f′| stays under 1 % of its maximum).

| activation | f(a) | bounds | gain | saturated for a |
|---|---|---|---|---|
""".splitlines()

# Keys that have no words of their own in a docstring.
MORE = {
    "study": "The study that the template describes",
    "title": "For people: the heading of the book",
    "description": "For people: a sentence under the heading",
    "seed": "The seed of all draws, a whole number from 0",
    **CELLS,
}

# What a key of text can say, by study where studies differ.
OPTIONS: dict[str, tuple[str, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "sampling": DESIGNS,
    "report": ("full", "summary"),
    "loss": LOSSES,
    "draws": DRAWS,
    "clip": CLIPS,
    "norm": NORMS,
    "initializer": tuple(SCHEMES),
    "output_initializer": tuple(SCHEMES),
    "optimizer": tuple(RULES),
    "schedule": SCHEDULES,
    "order": ORDERS,
    "batch_norm_place": PLACES,
    "scale": SCALES,
    "weight_draws": WEIGHT_DRAWS,
}
OF_STUDY: dict[tuple[str, str], tuple[str, ...]] = {
    ("symmetry", "activation"): CURVES,
    ("training-in-cells", "activation"): CELL_CURVES,
    ("rnn-gradients", "draws"): GENERATORS,
    ("propagation", "norm"): tuple(PROPAGATION_NORMS),
    ("propagation", "block"): tuple(BLOCKS),
}

# Keys of every template, which the head of the page explains.
EVERY = ("study", "title", "description", "lang", "seed")

WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "", Any: "see the meaning"}


def options_of(kind: type[Experiment], key: str) -> tuple[str, ...]:
    """What a key of text can say; empty where that is any text."""
    if key == "loss" and issubclass(kind, TrainingKeys):
        return TRAINED_LOSSES
    return OF_STUDY.get((kind.STUDY, key), OPTIONS.get(key, ()))


# What holds the keys of a class in NumPy's docstrings.
SECTION = r"\n(Attributes|Parameters)\n-+\n"


def parameters(text: str | None) -> dict[str, str]:
    """The meanings of keys in the section Attributes or Parameters of a NumPy docstring; empty without one."""
    _, _, section = re.sub(SECTION, "\0", inspect.cleandoc(text or ""), count=1).partition("\0")
    meanings: dict[str, str] = {}
    keys: list[str] = []
    for line in re.split(r"\n\n\w+\n-+\n", section)[0].splitlines():
        if line.startswith(" "):
            meanings |= {key: f"{meanings.get(key, '')} {line.strip()}".strip() for key in keys}
        else:
            keys = line.split(", ")
    return {key: meaning.removesuffix(".") for key, meaning in meanings.items()}


def said(text: str | None, keys: tuple[str, ...]) -> dict[str, str]:
    """The meanings of keys in a docstring: such a section, or "key, key: meaning; key: meaning" in its text."""
    if parameters(text):
        return parameters(text)
    text = " ".join(inspect.cleandoc(text or "").partition("Raises ")[0].split())
    name = "|".join(sorted(map(re.escape, keys), key=len, reverse=True))
    listed = rf"(?:{name})(?: \(\w\))?"
    starts = list(re.finditer(rf"(?:(?<=[;.:] )|(?<=, and )|^)({listed}(?:, {listed})*): ", text))
    meanings: dict[str, str] = {}
    ends = [*(start.start() for start in starts[1:]), len(text)] if starts else []
    for start, end in zip(starts, ends, strict=True):
        meaning = text[start.end() : end]
        meaning = re.sub(r"[;.\s]+$", "", re.sub(r"[.;] (?:Data|Network|Training): ?$", "", meaning))
        for key in re.findall(rf"\b(?:{name})\b", start[1]):
            meanings[key] = meaning
    return meanings


def meanings_of(kind: type[Any]) -> dict[str, str]:
    """Of each key of a study, what it is. Raises SystemExit for one of which no docstring speaks."""
    fields = tuple(kind.__struct_fields__)
    meanings: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if parent.__module__.startswith("sheetsim"):
            meanings |= said(parent.__doc__, fields)
    if issubclass(kind, TrainingKeys):
        meanings = parameters(DataSource.__doc__) | meanings
    meanings = {**MORE, **meanings} | {key: MORE[key] for key in ("study", "title", "description")}
    without = [key for key in fields if not meanings.get(key)]
    if without:
        sys.exit(f"{kind.__name__}: no docstring says what these keys are: {', '.join(without)}")
    return {key: meanings[key] for key in fields}


def plain(kind: type[Experiment], key: str, meaning: str) -> str:
    """The meaning with what a text can say: in place of the name of a constant, or at the end."""
    names = options_of(kind, key)
    options = ", ".join(f"`{name}`" for name in names)
    (field,) = (field for field in msgspec.structs.fields(kind) if field.name == key)
    own = ", ".join(f"`{name}`" for name in OWN)
    meaning = meaning.replace("the keys of OWN that it has of its own", f"keys of its own, any of {own}")
    meaning, named = re.subn(r"\b([Aa] name|one) of [A-Z_]{3,}", f"one of {options}", meaning)
    if names and "text" in type_words(field.type) and not named and not any(name in meaning for name in names):
        meaning += f": one of {options}"
    return meaning.replace("(None: ", "(without it ").replace("see Bins", "see below").replace("|", "\\|").strip()


def type_words(kind: Any) -> str:
    """A key's type in words."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "table"
    origin = get_origin(kind)
    if origin is list and get_args(kind)[0] is Any:
        return "list"
    if origin is list and get_origin(get_args(kind)[0]) is tuple:
        return "list of lists"
    if origin is list:
        inner = type_words(get_args(kind)[0])
        several = inner if inner.endswith("s") else f"{inner}s"
        return "list of these" if ", or " in inner else f"list of {several}".replace("texts", "text")
    if origin is tuple:
        return f"{len(get_args(kind))} numbers"
    if origin is dict:
        return "table"
    if origin in (Union, types.UnionType):
        return ", or ".join(filter(None, dict.fromkeys(map(type_words, get_args(kind)))))
    return WORDS[kind]


def default_of(field: Any) -> Any:
    """A field's default; None where it has none or the study decides."""
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return None if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def default_words(field: Any) -> str:
    if field.required:
        return "required"
    value = default_of(field)
    if value is None or value == "":
        return ""
    if isinstance(value, msgspec.Struct):
        return "see below"
    return f"`{toml_value(value)}`"


def key_rows(kind: type[Any], keys: tuple[str, ...], meanings: Mapping[str, str]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for field in msgspec.structs.fields(kind):
        if field.name in keys:
            kind_said = type_words(field.type)
            yield f"| `{field.encode_name}` | {kind_said} | {default_words(field)} | {meanings[field.name]} |"


def file_meanings(kind: type[Any]) -> dict[str, str]:
    """Of each key of a file that is no template, by its name in the file, what it is. Raises SystemExit without one."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    said_of = {**MORE, **parameters(kind.__doc__)}
    without = [key for key in names if key not in said_of]
    if without:
        sys.exit(f"{kind.__name__}: no docstring says what these keys are: {', '.join(without)}")
    methods = ", ".join(f"`{name}`" for name in METHODS)
    return {names[key]: said_of[key].replace("A name of METHODS", f"One of {methods}") for key in names}


def file_rows(kind: type[Any]) -> list[str]:
    meanings = file_meanings(kind)
    by_field = {field.name: meanings[field.encode_name] for field in msgspec.structs.fields(kind)}
    return list(key_rows(kind, tuple(by_field), by_field))


def study_meanings(kind: type[Experiment]) -> dict[str, str]:
    return {key: plain(kind, key, meaning) for key, meaning in meanings_of(kind).items()}


def activation_rows() -> Iterator[str]:
    """A line per activation."""
    a = Graph().input("a", [[0.0]])
    for name, row in ACTIVATIONS.items():
        made = row.function(a)
        f = "a" if made is a else formula(made, lambda node: node.name)
        yield f"| `{name}` | `{f}` | {shown(row.least)} to {shown(row.most)} | {shown(row.gain)} | {tails_words(row)} |"


def shown(number: float) -> str:
    return {math.inf: "∞", -math.inf: "−∞"}.get(number, f"{number:.4g}".replace("-", "−"))


def tails_words(row: Activation) -> str:
    low, high = row.tails
    parts = [f"below {shown(low)}"] * math.isfinite(low) + [f"above {shown(high)}"] * math.isfinite(high)
    return " and ".join(parts)


def templates_page() -> str:
    """docs/templates.md."""
    lines = [*TEMPLATES, "", "## Shipped templates", "", "| template | study | title |", "|---|---|---|"]
    for name in templates.names():
        keys = tomllib.loads(templates.template_text(name))
        lines.append(f"| `{name}` | [`{keys['study']}`](#{keys['study']}) | {keys['title']} |")
    shared = tuple(TrainingKeys.__struct_fields__)
    networks = tuple(Forward.__struct_fields__)
    for study, kind in sorted(STUDIES.items(), key=training_last):
        fields = tuple(kind.__struct_fields__)
        meanings = study_meanings(kind)
        lines += ["", f"## {study}", "", f"Tables: {', '.join(f'`{table}`' for table in kind.TABLES)}.", ""]
        if issubclass(kind, TrainingKeys) and study != "training":
            standard = {field.name: default_of(field) for field in msgspec.structs.fields(STUDIES["training"])}
            keys = tuple(
                field.name
                for field in msgspec.structs.fields(kind)
                if field.name not in shared or default_of(field) != standard[field.name]
            )
            lines += [
                re.split(SECTION, inspect.cleandoc(kind.__doc__ or ""))[0].strip(),
                "",
                "All keys of [`training`](#training), of which these are new or have another default:",
                "",
            ]
        elif issubclass(kind, Forward) and kind is not Forward:
            same = study_meanings(Forward)
            keys = tuple(key for key in fields if key not in networks or meanings[key] != same[key])
            lines += ["All keys of [`forward`](#forward), and these:", ""]
        else:
            keys = tuple(key for key in fields if key not in EVERY)
        lines += key_rows(kind, keys, meanings)
    lines += ["", *ACTIVATIONS_HEAD, *activation_rows()]
    bins = parameters(Bins.__doc__)
    lines += ["", "## The table histogram", "", *key_rows(Bins, tuple(Bins.__struct_fields__), bins)]
    lines += ["", "## A sweep", "", "The keys of a [sweep's](sweeps.md) file.", ""]
    lines += file_rows(Grid)
    lines += ["", "## A search", "", "The keys of a [search's](search.md) file.", ""]
    lines += file_rows(SearchFile)
    lines += ["", "A range of `[space]`:", "", *file_rows(Range)]
    lines += ["", "Choices of `[space]`:", "", *file_rows(Choices)]
    lines += ["", "## A simulation", "", "The keys of a file beside a workbook for [`simulate`](own-workbook.md).", ""]
    lines += file_rows(SimulationPlan)
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """docs/cli.md."""
    lines = [*CLI, "", "| command | |", "|---|---|"]
    for name, command in app.commands.items():
        first = " ".join(command.help.partition("\n\n")[0].split())
        lines.append(f"| [`sheetsim {name}`](#sheetsim-{name}) | {first} |")
    for name, command in app.commands.items():
        lines += ["", f"## sheetsim {name}", ""]
        for part in command.help.split("\n\n"):
            lines += [" ".join(part.split()), ""]
        arguments = [one.metavar for one in command.params if isinstance(one, click.Argument)]
        lines += ["```text", " ".join(["sheetsim", name, *arguments, "[OPTIONS]"]), "```"]
        context = click.Context(command, show_default=True)
        options = [
            f"| {option_words(one)} | {option_default(one, context)} | {option_help(one)} |"
            for one in command.params
            if isinstance(one, click.Option)
        ]
        lines += ["", "| option | default | |", "|---|---|---|", *options] if options else []
    return "\n".join(lines) + "\n"


def option_words(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return f"`{names}`"
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    value = "\\|".join(choices) or (option.metavar or "").replace("|", "\\|")
    return f"`{names}` {value or {'integer': 'N'}.get(option.type.name, 'TEXT')}"


def option_default(option: click.Option, context: click.Context) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    told = option.get_help_extra(context)
    return f"`{told['default']}`" if "default" in told else told.get("required", "")


def option_help(option: click.Option) -> str:
    text = (option.help or "").replace("|", "\\|")
    return f"{text} [Columns and verdicts](columns.md) explains them." if text == "Which table of the study." else text


def with_options(schema: dict[str, Any], options: tuple[str, ...], key: str, kind: type[Experiment]) -> dict[str, Any]:
    """The schema of a key with its texts listed."""
    if schema.get("type") == "string":
        listed: dict[str, Any] = {"type": "string", "enum": list(options)}
        if key == "initializer" and issubclass(kind, TrainingKeys):
            listed = {"anyOf": [{"enum": [*options, HALF_GLOROT]}, {"type": "string", "pattern": f"^{EQUAL}"}]}
        return {**{k: v for k, v in schema.items() if k != "type"}, **listed}
    if "anyOf" in schema:
        return {**schema, "anyOf": [with_options(part, options, key, kind) for part in schema["anyOf"]]}
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return {**schema, "items": with_options(schema["items"], options, key, kind)}
    return schema


def template_schema() -> dict[str, Any]:
    """docs/schema/template.json: a template is one of the studies, each with its keys."""
    kinds = list(STUDIES.values())
    _, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for kind in kinds:
        made = components[kind.__name__]
        meanings = {key: text.replace("\\|", "|") for key, text in study_meanings(kind).items()}
        made["description"] = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        for key, schema in made["properties"].items():
            options = options_of(kind, key)
            made["properties"][key] = {**with_options(schema, options, key, kind), "description": meanings[key]}
            if not options:
                made["properties"][key] = {**schema, "description": meanings[key]}
        made["properties"]["study"] = {"const": kind.STUDY, "description": MORE["study"]}
        # Without it a template is of the study forward.
        made["required"] = [] if kind.STUDY == "forward" else ["study"]
    for made in components.values():
        made.pop("title", None)
        made["description"] = " ".join(re.split(SECTION, made["description"])[0].split())
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A template of sheetsim",
        "anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds],
        "$defs": {name: as_draft_07(made) for name, made in components.items()},
    }


def as_draft_07(schema: Any) -> Any:
    """Lists of fixed length as editors know them: msgspec writes those of draft 2020-12."""
    if isinstance(schema, list):
        return [as_draft_07(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "prefixItems" in schema:
        schema = {**schema, "items": schema["prefixItems"], "additionalItems": False}
        del schema["prefixItems"]
    return {key: as_draft_07(part) for key, part in schema.items()}


def file_schema(title: str, root: type[Any], *parts: type[Any]) -> dict[str, Any]:
    """The schema of a file that is no template: a struct, with those of its tables."""
    _, components = msgspec.json.schema_components([root, *parts], ref_template="#/$defs/{name}")
    for kind in (root, *parts):
        made = components[kind.__name__]
        made["description"] = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        made.pop("title", None)
        for key, meaning in file_meanings(kind).items():
            made["properties"][key]["description"] = meaning
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "allOf": [{"$ref": f"#/$defs/{root.__name__}"}],
        "$defs": as_draft_07(components),
    }


def sweep_schema() -> dict[str, Any]:
    """docs/schema/sweep.json."""
    schema = file_schema("A sweep of sheetsim", Grid, GridSteps)
    schema["$defs"]["GridSteps"]["properties"]["scale"]["enum"] = ["linear", "log"]
    values = {"anyOf": [{"type": "array"}, {"$ref": "#/$defs/GridSteps"}]}
    schema["$defs"]["Grid"]["properties"]["grid"]["additionalProperties"] = values
    return schema


def search_schema() -> dict[str, Any]:
    """docs/schema/search.json."""
    schema = file_schema("A search of sheetsim", SearchFile, Range, Choices)
    defs = schema["$defs"]
    keys = defs["SearchFile"]["properties"]
    near = {
        "type": "object",
        "properties": {"near": {"type": "number"}},
        "required": ["near"],
        "additionalProperties": False,
    }
    methods = {"enum": list(METHODS)}
    several = {"type": "array", "items": methods, "minItems": 1, "uniqueItems": True}
    for key, listed in {
        "goal": {"anyOf": [{"enum": ["max", "min"]}, near]},
        "method": {"anyOf": [methods, several]},
        "acquisition": {"enum": list(ACQUISITIONS)},
    }.items():
        keys[key] = {"description": keys[key]["description"], "default": keys[key]["default"], **listed}
    defs["Range"]["properties"]["scale"]["enum"] = ["linear", "log"]
    choices = {"type": "array", "minItems": 1}
    keys["space"] |= {
        "minProperties": 1,
        "additionalProperties": {"anyOf": [choices, {"$ref": "#/$defs/Range"}, {"$ref": "#/$defs/Choices"}]},
    }
    return schema


def theme_schema() -> dict[str, Any]:
    """docs/schema/theme.json."""
    parts = theme.RoleColors, theme.Tabs, theme.Tones, theme.Tone, theme.Font, theme.Numbers
    schema = file_schema("A house style of sheetsim", theme.ThemeKeys, *parts)
    keys = {kind.__name__: schema["$defs"][kind.__name__]["properties"] for kind in parts}
    color = {"type": "string", "pattern": f"^{theme.COLOR}$"}
    for key in (key for kind in ("RoleColors", "Tabs", "Tone") for key in keys[kind].values()):
        if key.pop("anyOf", None):  # a color or, without it, a role's
            key.pop("default", None)
        key |= {"items": color} if "items" in key else color
    keys["RoleColors"]["lines"] |= {"minItems": theme.LINES, "maxItems": theme.LINES}
    keys["RoleColors"]["ramp"] |= {"minItems": 2}
    least, most = theme.SIZES
    keys["Font"]["size"] |= {"minimum": least, "maximum": most}
    for key in ("name", "code"):
        keys["Font"][key] |= {"minLength": 1, "maxLength": theme.LONGEST_FONT}
    for key in keys["Numbers"].values():
        key |= {"minLength": 1, "maxLength": theme.LONGEST_FORMAT}
    return schema


def pages() -> dict[Path, Callable[[], str]]:
    """By file, what makes its text."""

    def text(schema: dict[str, Any]) -> str:
        return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"

    return {
        DOCS / "cli.md": cli_page,
        DOCS / "templates.md": templates_page,
        DOCS / "api.md": lambda: names_page((DOCS / "api.md").read_text(encoding="utf-8")),
        DOCS / "columns.md": lambda: columns_page(MADE),
        DOCS / "schema/template.json": lambda: text(template_schema()),
        DOCS / "schema/sweep.json": lambda: text(sweep_schema()),
        DOCS / "schema/search.json": lambda: text(search_schema()),
        DOCS / "schema/simulation.json": lambda: text(file_schema("A simulation of a workbook", SimulationPlan)),
        DOCS / "schema/theme.json": lambda: text(theme_schema()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    made = {path: make() for path, make in pages().items()}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if check and stale:
        sys.exit(f"not up to date, run python docs/generate.py: {', '.join(path.name for path in stale)}")
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
        print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
