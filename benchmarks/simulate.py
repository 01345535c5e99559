"""How long trials of a person's workbook take in sheetsim, next to NumPy by hand, IronCalc's loop and `formulas`.

    python benchmarks/simulate.py [--quick] [--json FILE]

The workbook: a plan of 20 years, 80 formulas and their NPV, of which price, volume, cost and growth are uncertain. The
NumPy script has the same formulas as they are written, a line each, over all trials. IronCalc sets four cells and
evaluates, a trial at a time; `formulas` (pip install formulas) does the same through a function that it compiled. A
chain of 10,000 cells, filled columns of 10,000 rows, and the reading of a workbook of 10 MB, are measured in processes
of their own.

Runs alternate in one process; time is the processor's, the median over rounds. No time is asserted.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# First of all: it sets what JAX reads when it starts.
from replicates import against, in_turn, processor  # isort: skip

import numpy as np
import xlsxwriter
from export import Rows, machine, print_table

from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.program import SheetPlan, SheetProgram

PACKAGES = ("sheetsim", "numpy", "ironcalc", "openpyxl")
YEARS = 20
TRIALS, QUICK_TRIALS = 100_000, 20_000
LOOP, QUICK_LOOP = 2000, 200
UNCERTAIN = ("B1", "B2", "B3", "B4")
CHAIN, BIG_ROWS, FILLED = 10_000, 50_000, 10_000


def write_plan(path: Path) -> Path:
    """80 formulas in four rows of 20 years, and their NPV."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Plan")
        for row, (label, value) in enumerate(
            (("price", 10), ("volume", 1000), ("cost", 6), ("growth", 0.03), ("rate", 0.08))
        ):
            sheet.write_row(row, 0, (label, value))
        for year in range(YEARS):
            letter, before = (xlsxwriter.utility.xl_col_to_name(year + k) for k in (1, 0))
            sheet.write_formula(6, year + 1, "=B2" if not year else f"={before}7*(1+$B$4)")
            sheet.write_formula(7, year + 1, f"={letter}7*$B$1")
            sheet.write_formula(8, year + 1, f"={letter}7*$B$3+500")
            sheet.write_formula(9, year + 1, f"={letter}8-{letter}9")
        sheet.write_formula("B12", "=NPV(B5,B10:U10)")
    return path


def by_hand(price: Any, volume: Any, cost: Any, growth: Any) -> Any:
    volumes = [volume]
    for _ in range(YEARS - 1):
        volumes.append(volumes[-1] * (1 + growth))
    revenues = [one * price for one in volumes]
    costs = [one * cost + 500 for one in volumes]
    profits = [revenue - spent for revenue, spent in zip(revenues, costs, strict=True)]
    total = 0
    for year, profit in enumerate(profits, start=1):
        total = total + profit / 1.08**year
    return total


def draws(trials: int) -> list[Any]:
    generator = np.random.default_rng(1)
    means, stds = (10, 1000, 6, 0.03), (1, 100, 0.5, 0.005)
    return [generator.normal(mean, std, trials) for mean, std in zip(means, stds, strict=True)]


def ironcalc_loop(path: Path, given: list[Any], trials: int) -> list[float]:
    import ironcalc

    model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    results = []
    for trial in range(trials):
        for row, numbers in enumerate(given, start=1):
            model.update_cell_with_number(0, row, 2, float(numbers[trial]))
        model.evaluate()
        results.append(model.get_cell_value(0, 12, 2))
    return results


def formulas_loop(path: Path) -> Callable[[list[Any], int], list[float]]:
    """A function that `formulas` compiled, a trial at a time."""
    import formulas

    book = f"'[{path.name}]PLAN'"
    model = formulas.ExcelModel().loads(str(path)).finish()
    function = model.compile(inputs=[f"{book}!{cell}" for cell in UNCERTAIN], outputs=[f"{book}!B12"])

    def loop(given: list[Any], trials: int) -> list[float]:
        return [float(np.ravel(function(*(x[t] for x in given)).value)[0]) for t in range(trials)]

    return loop


def trials_rows(folder: Path, quick: bool) -> Rows:
    path = write_plan(folder / "plan.xlsx")
    book = SheetBook(path)
    program = SheetProgram(SheetPlan(book, [book.cell_of(cell) for cell in UNCERTAIN], [book.cell_of("B12")]))
    trials, rounds = (QUICK_TRIALS, 5) if quick else (TRIALS, 21)
    given = draws(trials)
    answer = by_hand(*given)
    np.testing.assert_allclose(program(given)[0], answer, rtol=1e-12)
    rows: Rows = [
        against(
            f"NumPy by hand, {trials:,} trials",
            *in_turn(lambda seed: program(given), lambda seed: by_hand(*given), rounds),
        )
    ]
    a_trial = processor(lambda: program(given)) / trials
    count = QUICK_LOOP if quick else LOOP
    loops: dict[str, Callable[[], Any]] = {}
    if find_spec("ironcalc") is not None:
        np.testing.assert_allclose(ironcalc_loop(path, given, 5), answer[:5], rtol=1e-12)
        loops["IronCalc's loop"] = lambda: ironcalc_loop(path, given, count)
    if find_spec("formulas") is not None:
        loop = formulas_loop(path)
        np.testing.assert_allclose(loop(given, 2), answer[:2], rtol=1e-9)
        loops["formulas"] = lambda: loop(given, count // 10)
    for name, run in loops.items():
        spent = processor(run) / (count if name != "formulas" else count // 10)
        row = {"": f"{name}, a trial", "ms": spent * 1e3, "ours, ms": a_trial * 1e3}
        rows.append(row | {"ours / theirs": f"1 / {spent / a_trial:,.0f}"})
    return rows


ALONE = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[5])
from export import peak_memory
from sheetsim.sheets.book import SheetBook
from sheetsim.sheets.program import SheetPlan, SheetProgram
path, inputs, output, trials = sys.argv[1], sys.argv[2].split(","), sys.argv[3], int(sys.argv[4])
start = time.perf_counter()
book = SheetBook(path)
book.sheet(0)
read = time.perf_counter()
program = SheetProgram(SheetPlan(book, [book.cell_of(cell) for cell in inputs], [book.cell_of(output)]))
compiled = time.perf_counter()
program([np.random.default_rng(k).normal(1e-4, 1e-5, trials) for k in range(len(inputs))])
done = time.perf_counter()
print(read - start, compiled - read, done - compiled, peak_memory(), program.cells)
"""


def alone(name: str, path: Path, inputs: str, output: str, trials: int) -> dict[str, Any]:
    command = [sys.executable, "-c", ALONE, str(path), inputs, output, str(trials), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read, compiled, run, peak, cells = map(float, done.stdout.split())
    return {
        "": name,
        "MB": path.stat().st_size / 1e6,
        "cells a trial": int(cells),
        "read, s": read,
        "compile, s": compiled,
        "trials, s": run,
        "MB at most": peak,
    }


def write_filled(path: Path) -> Path:
    """Four filled columns, whose rows do not depend on one another, and a sum over the last."""
    generator = np.random.default_rng(1)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Filled")
        sheet.write_row("F1", (1.1, 0.05))
        for row in range(2, FILLED + 2):
            sheet.write_row(row - 1, 0, generator.uniform(1, 10, 3).tolist())
            sheet.write_formula(row - 1, 3, f"=B{row}*$F$1")
            sheet.write_formula(row - 1, 4, f"=D{row}-C{row}*$G$1")
            sheet.write_formula(row - 1, 7, f"=MAX(0,E{row}-A{row}*$G$1)")
            sheet.write_formula(row - 1, 8, f"=IF(H{row}>2,H{row}*2,E{row})")
        sheet.write_formula("K1", f"=SUM(I2:I{FILLED + 1})")
    return path


def large_rows(folder: Path, quick: bool) -> Rows:
    chain = folder / "chain.xlsx"
    with xlsxwriter.Workbook(chain) as book:
        sheet = book.add_worksheet("Chain")
        sheet.write_row(0, 0, (100, 1e-4))
        for row in range(1, CHAIN + 1):
            sheet.write_formula(row, 0, f"=A{row}*(1+$B$1)-0.001")
    filled = write_filled(folder / "filled.xlsx")
    big = folder / "big.xlsx"
    rows, generator = BIG_ROWS // (5 if quick else 1), np.random.default_rng(1)
    with xlsxwriter.Workbook(big, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Data")
        for row in range(rows):
            sheet.write_row(row, 0, generator.random(14).tolist())
            sheet.write_formula(row, 14, f"=A{row + 1}*2+B{row + 1}")
            sheet.write_formula(row, 15, f"=SUM(A{row + 1}:N{row + 1})")
        sheet.write_formula(rows, 16, f"=SUM(O1:O{rows})")
    return [
        alone(f"a chain of {CHAIN:,} cells, 10,000 trials", chain, "B1", f"A{CHAIN + 1}", 10_000),
        *(
            alone(f"{FILLED:,} rows of four formulas, {trials:,} trials", filled, "F1,G1", "K1", trials)
            for trials in (100, 1000, 10_000)
        ),
        alone(f"{16 * rows:,} cells, 10,000 trials", big, "A1,A2", f"Q{rows + 1}", 10_000),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Times trials of a person's workbook in sheetsim and in others.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="fewer trials and rounds, smaller books")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(PACKAGES), "load": os.getloadavg(), "quick": arguments.quick}
    print(f"{report['machine']}; load {report['load'][0]:.1f} at the start")
    with tempfile.TemporaryDirectory() as folder:
        gc.disable()  # it would add to whichever runs when it comes
        report["trials"] = trials_rows(Path(folder), arguments.quick)
        print_table("20 years, 80 formulas, processor time: ours against others", report["trials"])
        report["large"] = large_rows(Path(folder), arguments.quick)
        print_table("Large workbooks, wall time", report["large"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
