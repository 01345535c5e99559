"""IronCalc in a process of its own, with limits: a file can make it end the whole process, or take all memory.

Run as a file: it imports nothing of the package, so that it starts at once.
Usage: ironcalc_child.py FOLDER BYTES SECONDS BOOK...   writes FOLDER/0.json and 0.bin, 1.json and 1.bin, …
"""

import json
import sys
from array import array
from pathlib import Path
from typing import Any

COLUMNS = 16_384


def recalculate_books(folder: str, memory: str, seconds: str, *books: str) -> None:
    """Recalculate each book of the folder, within limits of memory (bytes) and time (seconds)."""
    _limit(int(memory), int(seconds))
    import ironcalc

    for number, book in enumerate(books):
        try:
            model = ironcalc.load_from_xlsx(book, "en", "UTC", "en")
            model.evaluate()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the engine's panics are no Exception
            raise SystemExit(f"{error}") from None
        _write(model, Path(folder, str(number)))


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has none; there the parent's clock is the only limit
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))


def _write(model: Any, target: Path) -> None:
    """Each sheet's title and texts as JSON, and its cells and numbers as arrays, one sheet after another."""
    sheets = [
        {"title": sheet["name"] if isinstance(sheet, dict) else sheet.name, "others": {}}
        for sheet in model.get_worksheets_properties()
    ]
    keys = [array("q") for _ in sheets]
    numbers = [array("d") for _ in sheets]
    for sheet, row, column in model.get_all_cells():
        value = model.get_cell_value(sheet, row, column)
        if value is None or value == "":
            continue
        cell = row * COLUMNS + column - 1
        number = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
        if not number:
            sheets[sheet]["others"][cell] = value if isinstance(value, bool) else str(value)
        keys[sheet].append(cell)
        numbers[sheet].append(value if number else float("nan"))
    with target.with_suffix(".bin").open("wb") as file:
        for sheet_keys, sheet_numbers, sheet in zip(keys, numbers, sheets, strict=True):
            sheet["cells"] = len(sheet_keys)
            sheet_keys.tofile(file)
            sheet_numbers.tofile(file)
    target.with_suffix(".json").write_text(json.dumps(sheets), encoding="utf-8")


if __name__ == "__main__":
    recalculate_books(*sys.argv[1:])
