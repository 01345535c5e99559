"""How long a forward and backward pass takes in sheetsim, next to bare NumPy calls, JAX and PyTorch.

    python benchmarks/gradients.py [--quick] [--json FILE]

The pass is that of the study gradient-flow: 1000 samples of 100 inputs through 5 layers of 100 units and a linear
output layer of 10 to a loss, and the gradients of the loss by all weights, linear sums and activations. Inputs, weights
and targets are given: nothing is drawn, and no table is made. What is not installed is skipped: pip install jax torch.

The bare calls are the same pass as it is written by hand: a product and an activation a layer; the loss; back through
each layer the product with the transposed weights, the activation's derivative out of what the way forward left, and
the product that gives the weights' gradient. `fresh` makes new arrays as expressions do, of which NumPy itself reuses
the temporary ones; `buffers` makes all arrays once and computes in place, each step the fastest that was found among
NumPy's calls. The bar of 1.3 is held against the one with the larger ratio. Ours looks for infinities besides, which a
sheet has as errors, and hands over new arrays. The freed memory that sheetsim keeps serves all that run in the process:
without it `fresh` takes about twice as long.

JAX is jitted value_and_grad by the weights alone, PyTorch eager mode with torch.autograd.grad by all that ours gives;
both in double precision, on one thread, as BLAS is here. All numbers must be equal to 9 digits, or the script stops.
Runs alternate in one process; time is the processor's, and a ratio, ours / theirs, the median over rounds. No time is
asserted.
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

# First of all: it sets what JAX reads when it starts.
from replicates import TOGETHER, against, in_turn  # isort: skip

import numpy as np
from export import Rows, machine, print_table
from threadpoolctl import threadpool_limits

from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.studies.gradient_flow.study import GradientFlow

PACKAGES = ("sheetsim", "numpy", "jax", "torch")
MODES = (
    ("relu", "he", "mse"),
    ("sigmoid", "xavier", "mse"),
    ("tanh", "xavier", "mse"),
    ("relu", "he", "cross-entropy"),
)
BAR = 1.3

# The loss, and the gradients by W_1.., a_1.. and z_1..; JAX gives the first two.
Found = tuple[Any, ...]


class Pass:
    """The pass in sheetsim, and what is given to it and to the others."""

    def __init__(self, activation: str, initializer: str, loss: str) -> None:
        self.activation, self.loss = activation, loss
        study = GradientFlow(activation=activation, initializer=initializer, loss=loss)
        graph, last = study.build().graph, len(study.layers) + 1
        numbers = range(1, last + 1)
        given = [graph[name] for name in ("x", "targets", *(f"W_{k}" for k in numbers))]
        self.groups = [[graph[f"d_{kind}_{k}"] for k in numbers if (kind, k) != ("z", last)] for kind in "Waz"]
        self.value = graph["loss_value"]
        self.program = Program([self.value, *(node for group in self.groups for node in group)], given=given)
        self.given = evaluate(given)
        self.x, self.targets, *self.weights = (self.given[node] for node in given)

    def __call__(self) -> Found:
        values = self.program(self.given)
        return values[self.value], *([values[node] for node in group] for group in self.groups)


def fresh(own: Pass) -> Callable[[], Found]:
    """Bare NumPy calls that make new arrays."""
    activation, targets, weights = own.activation, own.targets, own.weights
    samples, size, zeros = len(targets), targets.size, np.zeros(own.x.shape[1])

    def work() -> Found:
        outputs = [own.x]
        for W in weights[:-1]:
            a = outputs[-1] @ W
            if activation == "relu":
                z = np.maximum(a, zeros)  # half the time of np.maximum(a, 0)
            elif activation == "tanh":
                z = np.tanh(a)
            else:
                z = 0.5 * (1 + np.tanh(0.5 * a))
            outputs.append(z)
        out = outputs[-1] @ weights[-1]
        if own.loss == "mse":
            d = out - targets
            loss = np.vdot(d, d) / size
            d *= 2 / size
        else:
            out -= out.max(axis=1, keepdims=True)
            e = np.exp(out)
            sums = e.sum(axis=1, keepdims=True)
            loss = (np.log(sums).sum() - np.vdot(targets, out)) / samples
            d = (e / sums - targets) / samples
        d_W, d_a, d_z = [outputs[-1].T @ d], [d], []
        for k in range(len(weights) - 2, -1, -1):
            d, z = d @ weights[k + 1].T, outputs[k + 1]
            d_z.append(d)
            if activation == "relu":
                d = d * (z > 0)
            elif activation == "tanh":
                d = d * (1 - z * z)
            else:
                d = d * (z * (1 - z))
            d_a.append(d)
            d_W.append(outputs[k].T @ d)
        return loss, d_W[::-1], d_a[::-1], d_z[::-1]

    return work


class Buffers:
    """Bare NumPy calls in arrays made once."""

    def __init__(self, own: Pass) -> None:
        self.own, self.weights, self.depth = own, own.weights, len(own.weights) - 1
        samples = len(own.x)
        self.a, self.d_a = ([np.empty((samples, W.shape[1])) for W in self.weights] for _ in range(2))
        self.z, self.d_z = ([np.empty_like(a) for a in self.a[:-1]] for _ in range(2))
        self.d_W = [np.empty_like(W) for W in self.weights]
        self.inputs = [own.x, *self.z]
        self.slope, self.mask = np.empty_like(own.x), np.empty(own.x.shape, bool)
        self.zeros = np.zeros(own.x.shape[1])

    def __call__(self) -> Found:
        for k in range(self.depth):
            np.matmul(self.inputs[k], self.weights[k], out=self.a[k])
            self.activate(self.a[k], self.z[k])
        np.matmul(self.z[-1], self.weights[-1], out=self.a[-1])
        loss = self.compare(self.a[-1], self.d_a[-1])
        np.matmul(self.z[-1].T, self.d_a[-1], out=self.d_W[-1])
        for k in range(self.depth - 1, -1, -1):
            np.matmul(self.d_a[k + 1], self.weights[k + 1].T, out=self.d_z[k])
            np.multiply(self.d_z[k], self.slope_at(self.z[k]), out=self.d_a[k])
            np.matmul(self.inputs[k].T, self.d_a[k], out=self.d_W[k])
        return loss, self.d_W, self.d_a, self.d_z

    def activate(self, a: Any, z: Any) -> None:
        if self.own.activation == "relu":
            np.maximum(a, self.zeros, out=z)
        elif self.own.activation == "tanh":
            np.tanh(a, out=z)
        else:
            np.multiply(a, 0.5, out=z)
            np.tanh(z, out=z)
            z += 1
            z *= 0.5

    def compare(self, out: Any, d: Any) -> Any:
        """The loss; d becomes its gradient by the outputs."""
        targets = self.own.targets
        if self.own.loss == "mse":
            np.subtract(out, targets, out=d)
            loss = np.vdot(d, d) / d.size
            d *= 2 / d.size
            return loss
        out -= out.max(axis=1, keepdims=True)
        np.exp(out, out=d)
        sums = d.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - np.vdot(targets, out)) / len(d)
        d /= sums
        d -= targets
        d /= len(d)
        return loss

    def slope_at(self, z: Any) -> Any:
        if self.own.activation == "relu":
            return np.greater(z, 0, out=self.mask)
        if self.own.activation == "tanh":
            np.multiply(z, z, out=self.slope)
            return np.subtract(1, self.slope, out=self.slope)
        np.subtract(1, z, out=self.slope)
        return np.multiply(self.slope, z, out=self.slope)


def products(own: Pass) -> Callable[[], Found]:
    """The products alone, which no choice of the other calls can save."""
    x, weights, samples = own.x, own.weights, len(own.x)
    forward = [np.empty((samples, W.shape[1])) for W in weights]
    back, d_W = [np.empty_like(x) for _ in weights], [np.empty_like(W) for W in weights]

    def work() -> Found:
        for W, out in zip(weights, forward, strict=True):
            np.matmul(x, W, out=out)
        for W, out, d, into in zip(weights, forward, back, d_W, strict=True):
            if W is not weights[0]:
                np.matmul(out, W.T, out=d)
            np.matmul(x.T, out, out=into)
        return ()

    return work


def jax_jit(own: Pass) -> Callable[[], Found]:
    """value_and_grad by the weights, compiled for their shapes; x and the targets are arguments too."""
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    act = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[own.activation]

    def loss(weights: Any, x: Any, targets: Any) -> Any:
        for W in weights[:-1]:
            x = act(x @ W)
        out = x @ weights[-1]
        if own.loss == "mse":
            return ((out - targets) ** 2).mean()
        return -(targets * jax.nn.log_softmax(out)).sum() / len(targets)

    arguments = jax.device_put((own.weights, own.x, own.targets))
    step = jax.jit(jax.value_and_grad(loss)).lower(*arguments).compile()

    def work() -> Found:
        found: Found = jax.block_until_ready(step(*arguments))
        return found

    return work


def torch_eager(own: Pass) -> Callable[[], Found]:
    torch = import_module("torch")
    torch.set_num_threads(1)
    act = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[own.activation]
    # Copies: what comes from sheetsim may be read-only, of which PyTorch warns.
    x, targets = torch.tensor(own.x), torch.tensor(own.targets)
    weights = [torch.tensor(W, requires_grad=True) for W in own.weights]

    def work() -> Found:
        a, z = [], [x]
        for W in weights[:-1]:
            a.append(z[-1] @ W)
            z.append(act(a[-1]))
        a.append(z[-1] @ weights[-1])
        if own.loss == "mse":
            loss = torch.nn.functional.mse_loss(a[-1], targets)
        else:
            loss = torch.nn.functional.cross_entropy(a[-1], targets)
        found = torch.autograd.grad(loss, [*weights, *a, *z[1:]])
        ends = 0, len(weights), 2 * len(weights), len(found)
        return loss.detach(), *(found[start:end] for start, end in pairwise(ends))

    return work


OTHERS: dict[str, Callable[[Pass], Callable[[], Found]]] = {
    "bare NumPy, fresh": fresh,
    "bare NumPy, buffers": Buffers,
    "its products alone": products,
    "JAX, jit": jax_jit,
    "PyTorch, eager": torch_eager,
}


def check(mine: Found, theirs: Found) -> None:
    """The same to 9 digits: each matrix relative to its largest number, as a sum of terms is."""
    for own, other in zip(mine, theirs, strict=False):
        pairs = zip(own, other, strict=True) if isinstance(own, list) else [(own, other)]
        for a, b in pairs:
            np.testing.assert_allclose(np.asarray(b), np.squeeze(a), rtol=1e-9, atol=1e-9 * np.abs(a).max())


def several(work: Callable[[], object], turn: int) -> None:
    for _ in range(TOGETHER):
        work()


def passes(quick: bool) -> Rows:
    rows: Rows = []
    for mode in MODES:
        ours = Pass(*mode)
        bare = []
        for name, make in OTHERS.items():
            label = f"{mode[0]}, {mode[2]}: {name}"
            start = time.perf_counter()
            try:
                work = make(ours)
            except ImportError as error:
                rows.append({"": label, "skipped": str(error)})
                continue
            compiling = time.perf_counter() - start
            for _ in range(3):
                check(ours(), work())
            spent = in_turn(partial(several, ours), partial(several, work), 3 if quick else 40)
            row = against(label, *spent, TOGETHER)
            if name.startswith("bare"):
                bare.append(row)
            elif name.startswith("JAX"):
                row["compilation, s"] = compiling
            rows.append(row)
        hardest = max(bare, key=lambda row: float(row["ours / theirs"]))
        hardest["bar"] = f"{'within' if hardest['ours / theirs'] <= BAR else 'above'} {BAR}"
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Times forward and backward passes of sheetsim and of others.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(PACKAGES), "load": os.getloadavg(), "quick": arguments.quick}
    print(f"{report['machine']}; load {report['load'][0]:.1f} at the start")
    gc.disable()  # it would add to whichever runs when it comes
    with threadpool_limits(1, user_api="blas"):
        report["passes"] = passes(arguments.quick)
    print_table("A forward and backward pass on one core, processor time: ours against others", report["passes"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
