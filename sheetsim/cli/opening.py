"""Shows files in the desktop's application. It writes none."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sheetsim.errors import SheetsimError

# Seconds in which the desktop's program passes a file on; some stay until the application ends.
PATIENCE = 5


def check_opener(wanted: bool) -> None:
    """Before there is anything to show. Raises SheetsimError where no desktop is, if one is wanted."""
    if wanted and sys.platform != "win32":
        _opener()


def open_files(wanted: bool, paths: Iterable[Path]) -> None:
    """Shows files, if that is wanted. Raises SheetsimError where they cannot be shown."""
    for path in paths if wanted else ():
        if sys.platform == "win32":
            try:
                os.startfile(path)
            except OSError as error:
                raise SheetsimError(f"cannot show {path}: {(error.strerror or str(error)).lower()}") from None
        else:
            _start(_opener(), path)


def _start(program: str, path: Path) -> None:
    import subprocess

    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            [program, str(path.resolve())], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError as error:
        raise SheetsimError(f"cannot show {path}: {program}: {(error.strerror or str(error)).lower()}") from None
    with suppress(subprocess.TimeoutExpired):
        if process.wait(PATIENCE):
            raise SheetsimError(f"{program} found no application that shows {path}: open it yourself")


def _opener() -> str:
    """The desktop's program that opens a file, on macOS and Linux."""
    from shutil import which

    name = "open" if sys.platform == "darwin" else "xdg-open"
    program = which(name)
    desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if program is None or not desktop:
        missing = f"there is no {name}" if program is None else "there is no display"
        raise SheetsimError(f"--open needs a desktop, and {missing} here: leave it out, and open the file yourself")
    return program
