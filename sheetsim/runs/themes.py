"""House styles: a theme's file read, and books written with one. What a theme's keys mean is theme.py's."""

import difflib
import os
import shlex
import warnings
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from sheetsim.engine.evaluate import Values
from sheetsim.errors import SheetsimError, SheetsimWarning
from sheetsim.files import check_regular, path_of
from sheetsim.runs.cover_fillings import fillings
from sheetsim.runs.manifest import Manifest
from sheetsim.runs.templates import read_toml, sentence
from sheetsim.studies.about import AboutPage, with_command
from sheetsim.studies.study import properties
from sheetsim.workbook.layout import Layout
from sheetsim.workbook.writing.cover import Filling, read_cover
from sheetsim.workbook.writing.theme import USUAL, Theme, ThemeKeys, tables
from sheetsim.workbook.writing.write import SheetProgress, write
from sheetsim.workbook.writing.xlsxwriter_parts import picture_size

ThemeLike: TypeAlias = str | os.PathLike[str] | Theme | None

# Far above any logo.
MOST_BYTES = 4 << 20


def theme_of(what: ThemeLike) -> Theme:
    """A theme's file, read with the files that it names; the usual look for None.

    Raises SheetsimError with the key or the file at fault.
    """
    if what is None or isinstance(what, Theme):
        return what or USUAL
    path = path_of(what, "a theme")
    keys = _converted(path, read_toml(path))
    logo = b"" if keys.logo is None else _logo(path, path.parent / keys.logo)
    try:
        cover = None if keys.cover is None else read_cover(path.parent / keys.cover)
    except SheetsimError as error:
        raise SheetsimError(f"{path}: cover: {error}") from None
    return Theme(keys, str(what), logo, cover)


def _converted(path: Path, parameters: Mapping[str, Any]) -> ThemeKeys:
    try:
        return msgspec.convert(parameters, ThemeKeys)
    except msgspec.ValidationError as error:
        raise SheetsimError(f"{path}: {sentence(str(error), tables())}") from None


def _logo(theme: Path, path: Path) -> bytes:
    try:
        check_regular(path)
        if path.stat().st_size > MOST_BYTES:
            raise SheetsimError(f"{theme}: logo: {path} has more than {MOST_BYTES:,} bytes")
        data = path.read_bytes()
        picture_size(data)
    except OSError as error:
        raise SheetsimError(f"{theme}: logo: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except SheetsimError:
        raise
    except ValueError:
        raise SheetsimError(f"{theme}: logo: {path} is not a picture in PNG or JPEG") from None
    return data


def write_book(
    path: str | os.PathLike[str],
    said: Manifest,
    layout: Layout,
    values: Values,
    theme: ThemeLike = None,
    progress: SheetProgress | None = None,
) -> Path:
    """Writes a book in a theme, which its manifest and the command on About then name. Returns the path.

    Warns of named cells of the theme's cover that nothing fills, or an empty text. Raises SheetsimError when the file
    cannot be written.
    """
    look = theme_of(theme)
    if look.file:
        said, layout = _naming(look, said, layout)
    filled: dict[str, Filling] = {}
    if look.cover is not None:
        filled = fillings(said, layout, values)
        _warn(look, filled)
    return write(
        path,
        layout,
        values,
        properties=properties(said.title),
        manifest=said.rows(),
        progress=progress,
        theme=look,
        filled=filled,
    )


def _naming(theme: Theme, said: Manifest, layout: Layout) -> tuple[Manifest, Layout]:
    """The same, with the theme in the command that makes the file again, where there is one."""
    option = f" --theme {shlex.quote(theme.file)}"
    command = said.command
    if command.startswith("sheetsim ") and "--theme" not in command.split():
        command += option
    named = copy(layout)
    named.sheets = tuple(with_command(s, command) if isinstance(s, AboutPage) else s for s in layout.sheets)
    return msgspec.structs.replace(said, command=command, theme=theme.file), named


def _warn(theme: Theme, filled: Mapping[str, Filling]) -> None:
    assert theme.cover is not None
    cover = theme.cover
    for name, place in cover.used.items():
        if name.lower() in filled:
            said = f"{name!r} is not filled in, because the formula in {place} uses it"
            warnings.warn(f"the cover {cover.path}: {said}", SheetsimWarning, stacklevel=4)
    blank = [name for name in cover.slots if name.lower() in filled and filled[name.lower()].value == ""]
    if blank:
        those = "its cell is" if len(blank) == 1 else "their cells are"
        said = f"this book has no {' and no '.join(blank)}: {those} empty"
        warnings.warn(f"the cover {cover.path}: {said}", SheetsimWarning, stacklevel=4)
    lost = [name for name in cover.slots if name.lower() not in filled and name not in cover.used]
    if not lost:
        return
    near = {name: difflib.get_close_matches(name.lower(), filled, n=1, cutoff=0.6) for name in lost}
    told = ", ".join(f"{name!r}{f' (did you mean {near[name][0]!r}?)' if near[name] else ''}" for name in lost)
    left = "this cell stays as it is" if len(lost) == 1 else "these cells stay as they are"
    warnings.warn(
        f"the cover {cover.path}: nothing in this book is called {told}: {left}", SheetsimWarning, stacklevel=4
    )
