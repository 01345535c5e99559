"""IronCalc in a process of its own, for many trials of one book: it sets cells, evaluates, and reads the outputs.

Run as a file: it imports nothing of the package. The book is loaded into memory; its file is not written.
Usage: trials_child.py FOLDER BYTES SECONDS ENOUGH BOOK
It reads FOLDER/trials.json (cells to set and to read, each a sheet's title, row and column; trials) and trials.bin
(trials × cells), and writes results.bin (trials × outputs, NaN where there is none) and results.json (by place, what
stands there instead). After ENOUGH seconds it begins no other trial.
"""

import json
import sys
from array import array
from pathlib import Path
from time import monotonic
from typing import Any


def run_trials(folder: str, memory: str, seconds: str, enough: str, book: str) -> None:
    """Recalculate a book trial by trial as the folder's plan says, within limits of memory (bytes) and seconds."""
    _limit_trials(int(memory), int(seconds))
    import ironcalc

    plan = json.loads(Path(folder, "trials.json").read_text(encoding="utf-8"))
    numbers = array("d")
    with Path(folder, "trials.bin").open("rb") as file:
        numbers.frombytes(file.read())
    try:
        model = ironcalc.load_from_xlsx(book, "en", "UTC", "en")
        titles = [
            sheet["name"] if isinstance(sheet, dict) else sheet.name for sheet in model.get_worksheets_properties()
        ]
        set_cells, read_cells = ([(titles.index(t), r, c) for t, r, c in plan[key]] for key in ("set", "read"))
        results = array("d")
        others: dict[str, Any] = {}
        width = len(set_cells)
        start = monotonic()
        for trial in range(plan["trials"]):
            if trial > 1 and monotonic() - start > float(enough):
                break
            for k, (sheet, row, column) in enumerate(set_cells):
                model.update_cell_with_number(sheet, row, column, numbers[trial * width + k])
            model.evaluate()
            for sheet, row, column in read_cells:
                value: Any = model.get_cell_value(sheet, row, column)
                number = isinstance(value, int | float) and value - value == 0
                if not number:
                    others[str(len(results))] = None if value is None else str(value)
                results.append(value if number else float("nan"))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the engine's panics are no Exception
        raise SystemExit(f"{error}") from None
    with Path(folder, "results.bin").open("wb") as out:
        results.tofile(out)
    Path(folder, "results.json").write_text(json.dumps(others), encoding="utf-8")


def _limit_trials(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has none; there the parent's clock is the only limit
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))


if __name__ == "__main__":
    run_trials(*sys.argv[1:])
