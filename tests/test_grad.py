"""Gradients: every row of the table and random graphs against central differences, networks against autograd."""

import itertools
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd
from references import REFERENCES

import sheetsim
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model import expr
from sheetsim.model.expr import Matrix, apply
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.model.op import OPS
from sheetsim.model.op_table import TABLE

# What central differences in double precision can tell: truncation h² and rounding eps/h balance at h = eps^(1/3).
STEP = 6e-6
NEAR = 1e-7

STEPS = {
    *("floor", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
    *("row_numbers", "row_count", "column_count", "frequency", "random_like"),
}
UNKNOWN = {"quantile", "t_quantile", "beta_quantile"}


def central_differences(loss: Matrix, by: Matrix) -> Any:
    program = Program([loss], given=[by])
    values = evaluate([by])[by]
    found = np.empty(by.shape)
    for place in np.ndindex(by.shape):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * STEP
            ends.append(float(program({by: moved})[loss][0, 0]))
        found[place] = (ends[0] - ends[1]) / (2 * STEP)
    return found


def assert_gradient(loss: Matrix, by: list[Matrix]) -> None:
    values = evaluate(gradients := grad(loss, by))
    for node, gradient in zip(by, gradients, strict=True):
        expected = central_differences(loss, node)
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(values[gradient], expected, atol=NEAR * scale, err_msg=repr(node))


@pytest.mark.parametrize("name", sorted(STEPS | UNKNOWN))
def test_the_other_rows_are_steps_or_say_that_they_have_none(name: str) -> None:
    x = Graph().input("x", np.eye(2))
    args = [x] * (OPS[name].arity or 1)
    node = Matrix(OPS[name], tuple(args), (1, 1))
    if name in STEPS:
        assert OPS[name].derivative(x, node, *args) == (None,) * len(args)
    else:
        with pytest.raises(SheetsimError, match=f"{name} has no derivative"):
            OPS[name].derivative(x, node, *args)


SHAPES = [((4, 3), (4, 3)), ((4, 3), (1, 3)), ((4, 1), (4, 3)), ((1, 1), (4, 3)), ((4, 1), (1, 3)), ((1, 1), (1, 1))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("op", [op.name for op in TABLE if op.name not in STEPS | UNKNOWN])
def test_the_derivative_of_each_op_is_that_of_central_differences(op: str, shapes: Any) -> None:
    rng = np.random.default_rng(3)
    model = sheetsim.Model()
    # Above 0, for logarithms and powers, and all different, for extremes.
    a, b = (model.input(name, rng.uniform(0.3, 2, shape)) for name, shape in zip("pq", shapes, strict=True))
    inner = {
        "matmul": lambda: apply(op, a, b.T) if a.shape[1] == b.shape[1] else apply(op, a @ np_ones(model, a, b), b.T),
        "where": lambda: apply(op, expr.matrix(1.0) * (a > 1), a * b, b),
        "if_error": lambda: apply(op, a, b),
        "normal_quantile": lambda: apply(op, expr.sigmoid(a * b)),
        "row": lambda: apply(op, a * b, 1.0),
        "column": lambda: apply(op, a * b, 1.0),
        "inverse": lambda: apply(op, (a * b) @ (a * b).T + expr.equal(number := expr.row_numbers(a * b), number.T)),
        "entry": lambda: apply(op, a * b, 1.0, 1.0),
        "pick": lambda: apply(op, 2.0, expr.total(a), expr.total(a * b)),
        "largest": lambda: apply(op, expr.total(a), expr.mean(b), 0.2),
    }
    arity = OPS[op].arity
    made = inner.get(op, lambda: apply(op, a * b) if arity == 1 else apply(op, a, b))()
    if op in ("skew", "kurtosis", "std", "sample_std") and made.args[0].shape == (1, 1):
        return
    weights = model.input("weights", rng.normal(size=made.shape))
    assert_gradient(expr.total(made * weights), [a, b])


def np_ones(model: sheetsim.Model, a: Matrix, b: Matrix) -> Matrix:
    return model.input("between", np.random.default_rng(0).normal(size=(a.shape[1], b.shape[1])))


def smooth(rng: np.random.Generator, nodes: list[Matrix]) -> Matrix | None:
    """One more matrix of any op that is smooth nearly everywhere, of arguments in its domain."""
    x, y = (nodes[rng.integers(len(nodes))] for _ in range(2))
    safe = 1 + x**2
    makers: list[Callable[[], Matrix]] = [
        lambda: x + y,
        lambda: x - y * 0.5,
        lambda: x * y,
        lambda: x / (1 + y**2),
        lambda: safe**0.3,
        lambda: -x,
        lambda: x @ y.T / 3,
        lambda: x @ y / 3,
        lambda: x.T,
        lambda: expr.exp(expr.tanh(x)),
        lambda: expr.log(safe),
        lambda: expr.log10(safe),
        lambda: expr.sqrt(safe),
        lambda: expr.absolute(x),
        lambda: expr.sigmoid(x),
        lambda: expr.tanh(x),
        lambda: expr.relu(x),
        lambda: expr.where(x > 0.1, x * 2, expr.mean(y)),
        lambda: expr.if_error(x, y),
        lambda: expr.row(x, 1 + int(rng.integers(x.shape[0]))),
        lambda: expr.column(x, 1 + int(rng.integers(x.shape[1]))),
        lambda: expr.column_sum(x),
        lambda: expr.row_sum(x),
        lambda: expr.row_log_sum_exp(x),
        lambda: expr.softmax(x) @ x.T,
        lambda: expr.total(x) / 9,
        lambda: expr.sum_squares(x) / 9,
        lambda: expr.mean(x),
        lambda: expr.variance(x),
        lambda: expr.minimum(x),
        lambda: expr.maximum(x),
        lambda: expr.largest(expr.mean(x), expr.mean(y)),
        lambda: x - expr.column_mean(x),
    ]
    try:
        return makers[rng.integers(len(makers))]()
    except SheetsimError:
        return None


@pytest.mark.parametrize("seed", range(60))
def test_gradients_of_random_graphs_are_those_of_central_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = sheetsim.Model()
    leaves = [
        model.input(f"in_{k}", rng.normal(size=shape)) for k, shape in enumerate([(3, 3), (3, 1), (1, 3), (1, 1)])
    ]
    nodes = list(leaves)
    while len(nodes) < 16:
        made = smooth(rng, nodes)
        if made is not None:
            nodes.append(made)
    loss = expr.mean(expr.tanh(nodes[-1]))
    for node in nodes[:-1]:
        loss = loss + expr.mean(expr.tanh(node))
    assert_gradient(loss, leaves)


def test_ties_are_as_they_are_said() -> None:
    model = sheetsim.Model()
    x = model.input("x", [[0.0, 2.0, 2.0, -1.0]])
    of_relu, of_maximum = grad(expr.total(expr.relu(x)), [x])[0], grad(expr.maximum(x), [x])[0]
    values = evaluate([of_relu, of_maximum])
    assert values[of_relu].tolist() == [[0, 1, 1, 0]]
    assert values[of_maximum].tolist() == [[0, 0.5, 0.5, 0]]


def test_what_has_no_gradient_is_refused_or_zero() -> None:
    model = sheetsim.Model()
    x, y = model.input("x", [[1.0, 2.0]]), model.input("y", [[1.0]])
    with pytest.raises(SheetsimError, match="must be a single number, not 1×2"):
        grad(x * 2, [x])
    with pytest.raises(SheetsimError, match="does not depend on"):
        grad(expr.total(x), [y])
    with pytest.raises(SheetsimError, match="quantile has no derivative"):
        grad(expr.quantile(x, 0.5), [x])
    steps = grad(expr.total(expr.floor(x)), [x])[0]
    assert evaluate([steps])[steps].tolist() == [[0, 0]]
    fixed = x * 3
    assert evaluate([g := grad(expr.total(fixed * x), [x], fixed=[fixed])[0]])[g].tolist() == [[3, 6]]


@pytest.mark.parametrize("loss_name", ["mse", "cross-entropy"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_networks_are_autograds(activation: str, loss_name: str) -> None:
    rng = np.random.default_rng(5)
    widths = [6, 7, 8, 4]
    data = rng.normal(size=(20, 6))
    weights = [rng.normal(size=pair) * 0.5 for pair in itertools.pairwise(widths)]
    labels = np.eye(4)[rng.integers(4, size=20)]

    model = sheetsim.Model()
    z = model.input("x", data)
    y = model.input("y", labels)
    Ws = [model.input(f"W_{k}", w) for k, w in enumerate(weights)]
    for k, W in enumerate(Ws):
        a = model.define(f"a_{k}", z @ W)
        z = model.define(f"z_{k}", ACTIVATIONS[activation].function(a) + 0) if k < 2 else a
    if loss_name == "mse":
        loss = expr.sum_squares(z - y) / 20
    else:
        shift = model.define("shift", expr.maximum(z))
        p = expr.exp(z - shift)
        loss = -expr.total(y * (z - shift - expr.log(expr.row_sum(p)))) / 20
    found = evaluate(gradients := grad(loss, Ws))

    def reference(parameters: Any) -> Any:
        h = data
        for k, w in enumerate(parameters):
            h = h @ w if k == 2 else REFERENCES[activation].of(anp, h @ w)
        if loss_name == "mse":
            return anp.sum((h - labels) ** 2) / 20
        h = h - anp.max(h)
        return -anp.sum(labels * (h - anp.log(anp.sum(anp.exp(h), axis=1, keepdims=True)))) / 20

    for gradient, expected in zip(gradients, autograd(reference)(weights), strict=True):
        np.testing.assert_allclose(found[gradient], expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
