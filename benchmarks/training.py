"""How long a step of training takes in sheetsim, next to a loop of plain NumPy, PyTorch and JAX; and seeds on workers.

    python benchmarks/training.py [--quick] [--json FILE]

The network is that of the book's program: 784-100-100-100-100-10, ReLU, softmax cross-entropy, batches of 128, double
precision, one thread. The loop is written by hand: it takes the rows of a batch, passes forward and back, and updates
in place. Ours takes the same rows, so that the weights after the steps must agree to 9 digits, or the script stops.
PyTorch is eager with an optimizer of its own, JAX a jitted step. What is not installed is skipped: pip install jax
torch.
Runs alternate in one process; time is the processor's, a ratio is ours / theirs, the median over rounds. Seeds on two
workers are timed by the clock, with the start of the processes. No time is asserted.
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# First of all: it sets what JAX reads when it starts.
from replicates import against, in_turn  # isort: skip

import numpy as np
from export import Rows, machine, print_table
from threadpoolctl import threadpool_limits

import sheetsim
from sheetsim.engine.evaluate import evaluate
from sheetsim.engine.training import TrainingRun
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.layers import CROSS_ENTROPY, DenseLayer, data_loss, network
from sheetsim.model.training import TrainingLoop, batches, slot, updated
from sheetsim.model.update_rules import Optimizer

PACKAGES = ("sheetsim", "numpy", "jax", "torch")
SIZES = (784, 100, 100, 100, 100, 10)
ROWS, BATCH, RATE = 6000, 128, 0.01
STEPS = 10  # of a turn
BAR, WORKERS_BAR = 1.25, 1.8
BETAS, EPSILON = (0.9, 0.999), 1e-8

Step = Callable[[Any, Any], None]


class Ours:
    """The training in sheetsim, whose state goes on from turn to turn."""

    def __init__(self, rule: str) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(ROWS, SIZES[0]))
        self.y = np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], ROWS)]
        graph = Graph()
        data = {"x": graph.input("x", self.x), "y": graph.input("y", self.y)}
        rows = batches(data, BATCH)
        layers = [DenseLayer(units, "relu", SCHEMES["he"]) for units in SIZES[1:-1]]
        net = network(SIZES[0], [*layers, DenseLayer(SIZES[-1], "identity", SCHEMES["he"])], seed=0)
        loss = data_loss(CROSS_ENTROPY, net.through(rows["x"], masks={}).logits, rows["y"])
        parameters = list(net.parameters.values())
        optimizer, step = Optimizer(rule, rate=RATE, epsilon=EPSILON), slot("step", (1, 1))
        places = [(node, net.starts[name]) for name, node in net.parameters.items()]
        state = updated(optimizer, places, (), grad(loss, parameters), step, 1)
        self.training = TrainingLoop("training", 1_000_000, tuple(state), loss, rows, step, 0)
        self.starts = list(evaluate([net.starts[name] for name in net.parameters]).values())
        self.run = TrainingRun(self.training)

    def turn(self, number: int) -> None:
        self.run.advance(STEPS)

    def taken(self) -> Iterator[Any]:
        assert self.training.batches is not None
        return self.training.batches.taken(0)

    @property
    def parameters(self) -> list[Any]:
        return self.run.progress.state[: 2 * (len(SIZES) - 1)]


class ByHand:
    """A loop of plain NumPy, which updates in place."""

    def __init__(self, ours: Ours, rule: str) -> None:
        self.x, self.y, self.rows, self.rule = ours.x, ours.y, ours.taken(), rule
        self.parameters = [start.copy() for start in ours.starts]
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]
        self.t = 0

    def turn(self, number: int) -> None:
        for _ in range(STEPS):
            rows = next(self.rows)
            self.step(self.x[rows], self.y[rows])

    def step(self, x: Any, y: Any) -> None:
        weights, biases = self.parameters[::2], self.parameters[1::2]
        outputs = [x]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            outputs.append(np.maximum(outputs[-1] @ W + b, 0))
        out = outputs[-1] @ weights[-1] + biases[-1]
        out -= out.max(axis=1, keepdims=True)
        e = np.exp(out)
        d = (e / e.sum(axis=1, keepdims=True) - y) / len(x)
        gradients: list[Any] = []
        for k in range(len(weights) - 1, -1, -1):
            gradients += [d.sum(axis=0, keepdims=True), outputs[k].T @ d]
            if k:
                d = (d @ weights[k].T) * (outputs[k] > 0)
        self.t += 1
        for p, m, v, g in zip(self.parameters, self.m, self.v, gradients[::-1], strict=True):
            if self.rule == "sgd":
                p -= RATE * g
                continue
            m += (1 - BETAS[0]) * (g - m)
            v += (1 - BETAS[1]) * (g * g - v)
            p -= RATE * (m / (1 - BETAS[0] ** self.t)) / (np.sqrt(v / (1 - BETAS[1] ** self.t)) + EPSILON)


class Torch(ByHand):
    """PyTorch's eager mode with its own optimizer."""

    def __init__(self, ours: Ours, rule: str) -> None:
        super().__init__(ours, rule)
        self.torch = torch = import_module("torch")
        torch.set_num_threads(1)
        self.tensors = [torch.tensor(p, requires_grad=True) for p in self.parameters]
        self.given, self.labels = torch.tensor(self.x), torch.tensor(self.y.argmax(axis=1))
        kind = torch.optim.SGD if rule == "sgd" else torch.optim.Adam
        self.optimizer = kind(self.tensors, lr=RATE)

    def turn(self, number: int) -> None:
        torch = self.torch
        for _ in range(STEPS):
            rows = torch.from_numpy(next(self.rows))
            z = self.given[rows]
            for W, b in zip(self.tensors[:-2:2], self.tensors[1:-2:2], strict=True):
                z = torch.relu(z @ W + b)
            loss = torch.nn.functional.cross_entropy(z @ self.tensors[-2] + self.tensors[-1], self.labels[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.parameters = [tensor.detach().numpy() for tensor in self.tensors]


class Jax(ByHand):
    """A jitted step of gradient descent."""

    def __init__(self, ours: Ours, rule: str) -> None:
        super().__init__(ours, rule)
        if rule != "sgd":
            raise ImportError("optax is not compared")
        self.jax = jax = import_module("jax")
        jax.config.update("jax_enable_x64", True)

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
                x = jax.nn.relu(x @ W + b)
            return -(y * jax.nn.log_softmax(x @ parameters[-2] + parameters[-1])).sum() / len(y)

        def step(parameters: Any, x: Any, y: Any) -> Any:
            return [p - RATE * g for p, g in zip(parameters, jax.grad(loss)(parameters, x, y), strict=True)]

        self.update = jax.jit(step)
        self.parameters = [jax.numpy.asarray(p) for p in self.parameters]
        jax.block_until_ready(self.update(self.parameters, self.x[:BATCH], self.y[:BATCH]))

    def turn(self, number: int) -> None:
        for _ in range(STEPS):
            rows = next(self.rows)
            self.parameters = self.update(self.parameters, self.x[rows], self.y[rows])
        self.jax.block_until_ready(self.parameters)


OTHERS: dict[str, Callable[[Ours, str], ByHand]] = {"plain NumPy": ByHand, "PyTorch, eager": Torch, "JAX, jit": Jax}


def steps(quick: bool) -> Rows:
    rows: Rows = []
    for rule in ("sgd", "adam"):
        for name, make in OTHERS.items():
            label = f"{rule}: {name}"
            ours = Ours(rule)
            try:
                theirs = make(ours, rule)
            except ImportError as error:
                rows.append({"": label, "skipped": str(error)})
                continue
            spent = in_turn(ours.turn, theirs.turn, 3 if quick else 30)
            for mine, other in zip(ours.parameters, theirs.parameters, strict=True):
                np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-9, atol=1e-9)
            row = against(label, *spent, STEPS)
            if name == "plain NumPy":
                row["bar"] = f"{'within' if row['ours / theirs'] <= BAR else 'above'} {BAR}"
            rows.append(row)
    return rows


def seeds(quick: bool) -> Rows:
    """The same seeds on one worker and on two."""
    keys: dict[str, Any] = {"seeds": 2 if quick else 12, "steps": 20 if quick else 1500, "networks": []}
    keys |= {"layers": [100] * 4, "every": 10_000}
    spent = []
    for workers in (1, 2):
        start = time.perf_counter()
        sheetsim.run("training", **keys, workers=workers)
        spent.append(time.perf_counter() - start)
    ratio = spent[0] / spent[1]
    bar = f"{'within' if ratio >= WORKERS_BAR else 'below'} {WORKERS_BAR}"
    return [
        {"": f"{keys['seeds']} seeds", "one worker, s": spent[0], "two, s": spent[1], "times faster": ratio, "bar": bar}
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Times steps of training in sheetsim and in others.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(PACKAGES), "load": os.getloadavg(), "quick": arguments.quick}
    print(f"{report['machine']}; load {report['load'][0]:.1f} at the start")
    gc.disable()  # it would add to whichever runs when it comes
    with threadpool_limits(1, user_api="blas"):
        report["steps"] = steps(arguments.quick)
    print_table("A step of training on one core, processor time: ours against others", report["steps"])
    gc.enable()
    report["seeds"] = seeds(arguments.quick)
    print_table("Seeds on workers, by the clock", report["seeds"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
