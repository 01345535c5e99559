"""The options that several commands have, and what they mean."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sheetsim.cli.opening import check_opener
from sheetsim.cli.terminal import Format, ReportFormat, speak_of
from sheetsim.errors import SheetsimError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheetsim.runs.templates import Scenario

# A function that click makes a command.
Command = TypeVar("Command", bound=Callable[..., Any])

# Longer than any text that a key may have.
LONGEST_WORD = 1000

# Files are checked where they are read and written. click completes their names in a shell.
FILE = click.Path(readable=False)
PATH = click.Path(readable=False, path_type=Path)


def _theme(context: click.Context, option: click.Parameter, given: Path | None) -> Any:
    """Read at once: what is wrong with it is said before anything runs."""
    if given is None:
        return None
    from sheetsim.runs.themes import theme_of

    return theme_of(given)


settings_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the template to another value."
)
seed_option = click.option("--seed", type=int, help="The seed of all draws (a whole number from 0).")
json_option = click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
format_option = click.option("--format", "form", type=click.Choice(Format), default=Format.table, help="Output format.")
report_option = click.option(
    "--format", "form", type=click.Choice(ReportFormat), default=ReportFormat.table, help="Output format."
)
book_option = click.option("--output", type=PATH, metavar="PATH", help="The .xlsx file.")
folder_option = click.option("--output", type=PATH, metavar="FOLDER", help="The folder for its files.")
values_only_option = click.option("--values-only", is_flag=True, help="Write numbers without formulas.")
theme_option = click.option(
    "--theme",
    type=PATH,
    metavar="FILE.toml",
    callback=_theme,
    help="A house style: colors, fonts, number formats, a logo, a cover.",
)
draws_option = click.option(
    "--draws", metavar="NAME", help="Same as --set draws=NAME; live: a drop-down in the workbook redraws."
)
workers_option = click.option("--workers", type=int, default=1, help="Processes on this machine.")
scheduler_option = click.option("--scheduler", metavar="tcp://…", help="A Dask scheduler's address, or local.")
force_option = click.option(
    "--force", is_flag=True, help="Overwrite a file that another program saved, or that is not sheetsim's workbook."
)
lang_option = click.option("--lang", metavar="CODE", help="The language of the workbook and of the output: en or ja.")
open_option = click.option("--open", "show_it", is_flag=True, help="Open the result in the desktop's application.")


def scenario_options(command: Command) -> Command:
    """What is changed of a template: --set, --seed and --lang, in this order in --help."""
    return settings_option(seed_option(lang_option(command)))


def writing_options(command: Command) -> Command:
    """How a workbook is written: --values-only, --theme, --force and --open, in this order in --help."""
    return values_only_option(theme_option(force_option(open_option(command))))


def check_shown(show_it: bool, output: Path | None) -> None:
    """Raises SheetsimError where --open has no book to show, or nothing can show it."""
    if show_it and output is None:
        raise SheetsimError("--open shows the book that --output names: give both")
    check_opener(show_it)


def settings_with_draws(settings: "Sequence[str]", draws: str | None) -> "Sequence[str]":
    """The settings, with that of --draws."""
    if draws is None:
        return settings
    if any(setting.partition("=")[0] == "draws" for setting in settings):
        raise SheetsimError("--draws and --set draws=… set the same thing: give only one of them")
    return [*settings, f'draws="{draws}"']


def load_scenario(
    name: str,
    settings: "Sequence[str]",
    seed: int | None,
    more: "Mapping[str, Any] | None" = None,
    lang: str | None = None,
) -> "Scenario":
    """The template or file with the keys that the options set; what is printed is then about its study."""
    from sheetsim.runs import templates

    if name.lower().endswith(".xlsx"):
        raise SheetsimError(f"expected a template, not a workbook: to name the file to write, give --output {name}")
    scenario = templates.load(name, overrides_of(settings, seed, lang) | dict(more or {}))
    speak_of(scenario.experiment.study)
    return scenario


def overrides_of(settings: "Sequence[str]", seed: int | None, lang: str | None = None) -> dict[str, Any]:
    """The keys that --set, --seed and --lang give."""
    overrides = dict(map(_setting, settings))
    for key, value in (("seed", seed), ("lang", lang)):
        if value is not None:
            if key in overrides:
                raise SheetsimError(f"--{key} and --set {key}=… set the same thing: give only one of them")
            overrides[key] = value
    return overrides


def _setting(text: str) -> tuple[str, Any]:
    """`key=value` with the value as in TOML; a bare word is text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise SheetsimError(f"--set {text}: write key=value, for example --set samples=500")
    from sheetsim.runs.templates import parsed

    try:
        table = parsed(f"value = {value}")
    except SheetsimError as error:
        if value[:1] in ("[", "{", '"', "'") or len(value) > LONGEST_WORD:
            raise SheetsimError(f"--set {key:.40}: {value:.60} is not a TOML value: {error}") from None
        return key, value
    if len(table) > 1:
        raise SheetsimError(f"--set {key:.40}: a value has no line break; give each key its own --set")
    return key, table["value"]
