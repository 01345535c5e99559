"""A sweep on a Dask cluster: where signals survive, by scale of the weights and depth.

    python examples/dask_sweep.py [tcp://SCHEDULER:8786]

Needs sheetsim[cluster,parquet]. Without an address it starts a cluster of two processes on this machine. The numbers
are the same on any cluster. Parts are kept in sweep-parts: stop it at any time, and run it again.
"""

import sys

import sheetsim

SWEEP = {
    "title": "Scale and depth",
    "template": "tanh-xavier",
    "replicates": 4,
    "show": ["var", "over_samples"],
    "set": {"samples": 100, "inputs": 30, "width": 30},
    "grid": {"initializer": {"from": 0.05, "to": 0.5, "steps": 5, "scale": "log"}, "depth": [2, 10]},
}


def sweep(address: str) -> None:
    found = sheetsim.sweep(SWEEP, folder="sweep-parts", scheduler=address)
    last = found.last_layers()
    print(last.to_string(index=False, float_format="{:.3g}".format))
    found.to_parquet("sweep.parquet")
    print("\nwritten: sweep.parquet and", found.to_excel("sweep.xlsx"))


def main() -> None:
    if len(sys.argv) > 1:
        sweep(sys.argv[1])
        return
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        sweep(cluster.scheduler_address)


if __name__ == "__main__":
    main()
