"""The options that several commands have, and what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheetsim.cli.opening import check_opener
from sheetsim.cli.terminal import Format, ReportFormat, speak_of
from sheetsim.errors import SheetsimError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheetsim.runs.templates import Scenario

# Longer than any text that a key may have.
LONGEST_WORD = 1000

Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the template to another value.")
]
Seed = Annotated[int | None, typer.Option(help="The seed of all draws (a whole number from 0).")]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
Form = Annotated[Format, typer.Option("--format", help="Output format.")]
Report = Annotated[ReportFormat, typer.Option("--format", help="Output format.")]
BookPath = Annotated[Path | None, typer.Option(metavar="PATH", help="The .xlsx file.", show_default=False)]
ValuesOnly = Annotated[bool, typer.Option("--values-only", help="Write numbers without formulas.")]


def _theme(given: Path | None) -> Any:
    """Read at once: what is wrong with it is said before anything runs."""
    if given is None:
        return None
    from sheetsim.runs.themes import theme_of

    return theme_of(given)


ThemeFile = Annotated[
    Path | None,
    typer.Option(
        "--theme",
        metavar="FILE.toml",
        help="A house style: colors, fonts, number formats, a logo, a cover.",
        show_default=False,
        callback=_theme,
    ),
]
Draws = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Same as --set draws=NAME; live: a drop-down in the workbook redraws.", show_default=False
    ),
]
Workers = Annotated[int, typer.Option(help="Processes on this machine.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="tcp://…", help="A Dask scheduler's address, or local.", show_default=False)
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Overwrite a file that another program saved, or that is not sheetsim's workbook."),
]
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="CODE",
        help="The language of the workbook and of the output: en or ja.",
        show_default=False,
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open the result in the desktop's application.")]


def check_shown(show_it: bool, output: Path | None) -> None:
    """Raises SheetsimError where --open has no book to show, or nothing can show it."""
    if show_it and output is None:
        raise SheetsimError("--open shows the book that --output names: give both")
    check_opener(show_it)


def settings_with_draws(settings: list[str] | None, draws: str | None) -> list[str] | None:
    """The settings, with that of --draws."""
    if draws is None:
        return settings
    if any(setting.partition("=")[0] == "draws" for setting in settings or []):
        raise SheetsimError("--draws and --set draws=… say the same: give one of them")
    return [*(settings or []), f'draws="{draws}"']


def load_scenario(
    name: str,
    settings: list[str] | None,
    seed: int | None,
    more: "Mapping[str, Any] | None" = None,
    lang: str | None = None,
) -> "Scenario":
    """The template or file with the keys that the options set; what is printed is then about its study."""
    from sheetsim.runs import templates

    scenario = templates.load(name, overrides_of(settings, seed, lang) | dict(more or {}))
    speak_of(scenario.experiment.study)
    return scenario


def overrides_of(settings: list[str] | None, seed: int | None, lang: str | None = None) -> dict[str, Any]:
    """The keys that --set, --seed and --lang give."""
    overrides = dict(map(_setting, settings or []))
    for key, value in (("seed", seed), ("lang", lang)):
        if value is not None:
            if key in overrides:
                raise SheetsimError(f"--{key} and --set {key}=… say the same: give one of them")
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
