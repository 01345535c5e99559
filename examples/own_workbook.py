"""Your own workbook: two cells of a plan are uncertain, and the profit is a distribution.

    python examples/own_workbook.py

Writes plan.xlsx as a person would have it, runs trials of it without Excel, compares two options over the same draws,
and writes the result beside it. plan.xlsx itself is never changed.
"""

import openpyxl

import sheetsim

PLAN = {
    "A1": "Volume",
    "B1": 1000,
    "A2": "Price",
    "B2": 12.5,
    "A3": "Unit cost",
    "B3": 8,
    "A4": "Fixed cost",
    "B4": 3000,
    "A5": "Profit",
    "B5": "=B1*(B2-B3)-B4",
}
UNCERTAIN = {"B1": "pert(600, 1000, 1200)", "B3": "normal(8, 0.5)"}


def write_plan(path: str) -> None:
    """A workbook with one sheet."""
    book = openpyxl.Workbook()
    for cell, value in PLAN.items():
        book.active[cell] = value
    book.save(path)


def main() -> None:
    write_plan("plan.xlsx")
    book = sheetsim.workbook("plan.xlsx")

    run = book.simulate(UNCERTAIN, ["B5"], trials=20_000, seed=1, correlations=[("B1", "B3", -0.3)], verify=0)
    print(run.summary()[["mean", "std", "q05", "q50", "q95"]].round(0).to_string())
    risk = run.risk(threshold=0).iloc[0]
    print(f"P(profit ≤ 0) = {risk['at_most']:.3f} ({risk['at_most_low']:.3f} to {risk['at_most_high']:.3f})\n")

    options = {"as it is": {}, "dearer, fewer": {"B2": 13.5, "B1": "pert(500, 820, 1000)"}}
    compared = book.compare(options, UNCERTAIN, ["B5"], trials=20_000, seed=1)
    print(compared.frame()[["mean", "q05", "loss", "best"]].round(3).to_string())

    print("\nwritten:", run.to_excel("plan-simulated.xlsx"))


if __name__ == "__main__":
    main()
