"""A model of your own with risk numbers: the profit of a launch, its risk, what moves it, and a checked workbook.

python examples/risk.py
"""

import sheetsim

TRIALS = 10_000


def launch() -> sheetsim.Model:
    """Demand and cost are correlated draws, the price is a cell."""
    model = sheetsim.Model("Launch", seed=1)
    demand = model.input("demand", sheetsim.lognormal(p5=800, p95=3000), (TRIALS, 1), what="units sold")
    cost = model.input("cost", sheetsim.pert(20, 25, 40), (TRIALS, 1), correlation={"demand": -0.3}, what="€ a unit")
    price = model.input("price", 49.0, what="€ a unit")
    model.output("profit", demand * (price - cost) - 20_000, unit="€")
    return model


def main() -> None:
    run = launch().run()
    print(run.summary().T)

    risk = run.risk("profit", threshold=0, probability=0.95).iloc[0]
    print(f"\nP(profit ≤ 0) = {risk['at_most']:.3f} ({risk['at_most_low']:.3f} to {risk['at_most_high']:.3f})")

    print("\nWhat moves it, the widest swing first:")
    print(run.sensitivity("profit")[["low", "high", "swing", "contribution"]])

    book = run.to_excel("launch.xlsx")
    print(f"\n{book}: another engine agrees: {sheetsim.verify(book).ok}")


if __name__ == "__main__":
    main()
