"""Where the command line writes: the books' paths, and whether they can be written. It writes none."""

from pathlib import Path
from typing import TYPE_CHECKING

from sheetsim.errors import SheetsimError

if TYPE_CHECKING:
    from sheetsim.runs.templates import Scenario

OUTPUTS = Path("outputs")


def targets_of(scenarios: list["Scenario"], output: Path | None) -> list[Path]:
    """Where each workbook goes: one file, or a file a run in a folder."""
    if len(scenarios) > 1 and output is not None and output.suffix.lower() == ".xlsx":
        raise SheetsimError(f"--output {output} is one file for {len(scenarios)} workbooks: name a folder")
    targets = [book_of(scenario.name, output) for scenario in scenarios]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise SheetsimError(f"two of the runs would write {twice.pop()}: give them different names")
    return targets


def book_of(name: str, output: Path | None) -> Path:
    """Where a single workbook goes: the file that is named, or a file of this name in the folder."""
    output = OUTPUTS if output is None else output
    if output.suffix.lower() == ".xlsx":
        return output
    if output.suffix and not _is_folder(output):
        raise SheetsimError(f"--output {output} is neither an .xlsx file nor an existing folder")
    return output / f"{name}.xlsx"


def picture_of(name: str, output: Path | None) -> Path:
    """Where a picture goes: the file that is named, or a .png of this name in the folder."""
    from sheetsim.runs.plots import picture_path

    if output is None or (_is_folder(output) and not output.suffix):
        return (output or OUTPUTS) / f"{name}.png"
    return picture_path(output)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise SheetsimError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None


def make_ready(targets: list[Path], force: bool) -> None:
    """Makes the folders of the books; a file in a book's place must be as sheetsim wrote it."""
    from sheetsim.workbook.reading.raw import check_overwrite

    for target in () if force else targets:
        check_overwrite(target)
    for folder in {target.parent for target in targets}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SheetsimError(f"cannot make the folder {folder}: {(error.strerror or str(error)).lower()}") from None
        if not _writable(folder):
            raise SheetsimError(f"cannot write in the folder {folder}: permission denied")


def _writable(folder: Path) -> bool:
    import os

    return os.access(folder, os.W_OK | os.X_OK)
