"""A search for the standard deviation of weights at which a tanh network neither loses nor scatters its inputs.

    python examples/search.py

Theory calls it the edge of chaos: χ, the growth of a small difference a layer, is 1 there. Bayesian optimization looks
for χ nearest to 1 at layer 6, over two replicates of each trial. Trials are kept in search-parts: stop it at any time,
and run it again. Writes search.xlsx.
"""

import sheetsim

SEARCH = {
    "title": "The edge of chaos of tanh, 6 layers deep",
    "template": "correlation",
    "value": "6.chi",
    "goal": {"near": 1.0},
    "method": "bayes",
    "trials": 8,
    "replicates": 2,
    "set": {"pairs": 10, "units": 30, "layers": 6, "activation": "tanh"},
    "space": {"initializer": {"from": 0.02, "to": 0.5, "scale": "log"}},
}


def main() -> None:
    found = sheetsim.search(SEARCH, folder="search-parts")
    print(found.trials()[["trial", "initializer", "value", "low", "high"]].head(5).round(4).to_string(index=False))
    best = found.best["initializer"]
    print(f"\nbest standard deviation {best:.4f}, that is {best * 30**0.5:.2f}/√n; {found.reason}")
    theory = sheetsim.fixed_point("tanh", 30 * best**2)
    print(f"mean-field theory for it, after many layers: χ = {theory.chi:.3f}, {theory.phase}")
    print("written:", found.to_excel("search.xlsx"))


if __name__ == "__main__":
    main()
