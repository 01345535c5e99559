"""Paths and texts that a person gives: each is one, or is refused in a sentence. It keeps nothing open."""

import os
import stat
from pathlib import Path

from sheetsim.errors import SheetsimError

# Far above any template, and read in well under a second.
TEMPLATE_BYTES = 1 << 20


def path_of(value: object, what: str = "the path") -> Path:
    """The path as text. Raises SheetsimError for anything that is not a path."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise SheetsimError(f"{what} must be text or a pathlib.Path, not {type(value).__name__}")
    path = Path(value)
    if "\0" in str(path):
        raise SheetsimError(f"{what} contains a null character, which file names cannot have: {str(path)!r}")
    return path


def check_text(what: str, text: str) -> None:
    """Refuses text with halves of surrogate pairs, as Python has for a file's name that is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SheetsimError(f"{what} is not Unicode text: {text!r:.80}; give the file another name") from None


def check_regular(path: Path) -> None:
    """Refuses a pipe or a device, from which reading may never end. Raises OSError where there is nothing."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise SheetsimError(f"{path} is a pipe, a socket or a device, not a regular file: copy what it gives to a file")


def read_text(path: Path) -> str:
    """A template's text. Raises SheetsimError when it cannot be read, is not text, or is too long to be a template."""
    try:
        check_regular(path)
        size = path.stat().st_size
        if size > TEMPLATE_BYTES:
            raise SheetsimError(f"{path} has {size:,} bytes; a template may have at most {TEMPLATE_BYTES:,}")
        return path.read_bytes().decode()
    except OSError as error:
        raise SheetsimError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise SheetsimError(f"{path} is not text in UTF-8") from None
