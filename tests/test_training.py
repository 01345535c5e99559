"""Training: gradients, steps and results against other programs; what sources claim, over seeds; faults, resuming."""

import json
import math
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd
from conftest import FEW_STEPS, small_run
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import sheetsim
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.engine.training import Progress, TrainingRun, outcomes
from sheetsim.errors import SheetsimError
from sheetsim.model import expr, layers
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.layers import DenseLayer, TrainedNetwork, data_loss, network
from sheetsim.model.training import batches, drawn_at
from sheetsim.studies.training.networks import CURVES, ComparedNetwork, compared_network, task_data
from sheetsim.studies.training.study import Training

RNG = np.random.default_rng(3)
X = RNG.normal(size=(12, 5))
CLASSES = RNG.integers(0, 3, 12)
Y = np.eye(3)[CLASSES]

NETWORKS = {
    "plain": [DenseLayer(4, "tanh", SCHEMES["xavier"]), DenseLayer(3, "identity", SCHEMES["xavier"])],
    "normalized": [
        DenseLayer(4, "relu", SCHEMES["he"], batch_norm="before"),
        DenseLayer(6, "sigmoid", SCHEMES["xavier"], batch_norm="after"),
        DenseLayer(3, "identity", SCHEMES["xavier"]),
    ],
    "dropped": [
        DenseLayer(7, "relu", SCHEMES["he"], dropout=0.4),
        DenseLayer(5, "softplus", SCHEMES["he"], bias=False, batch_norm="before", dropout=0.25),
        DenseLayer(3, "identity", SCHEMES["xavier"]),
    ],
}

ACTIVATE: dict[str, Callable[[Any], Any]] = {
    "tanh": anp.tanh,
    # Not by maximum, of which autograd gives a half at 0.
    "relu": lambda a: a * (a > 0),
    "sigmoid": lambda a: 1 / (1 + anp.exp(-a)),
    "softplus": lambda a: anp.log(1 + anp.exp(a)),
    "identity": lambda a: a,
}


def by_hand(net: TrainedNetwork, has: Any, x: Any, masks: dict[int, Any] | None, averages: Any = None) -> Any:
    """The logits of a pass in another program's functions; averages: collects the running ones, in training."""
    z = x
    for number, layer in enumerate(net.layers, start=1):
        a = z @ has[f"W_{number}"] + (has[f"b_{number}"] if layer.bias else 0)

        def normal(v: Any, number: int = number) -> Any:
            if masks is None:
                mean, variance = has[f"mean_{number}"], has[f"variance_{number}"]
            else:
                mean, variance = anp.mean(v, axis=0), anp.var(v, axis=0)
                if averages is not None:
                    for name, new in (("mean", mean), ("variance", variance)):
                        averages[f"{name}_{number}"] = 0.9 * has[f"{name}_{number}"] + 0.1 * new
            return has[f"gamma_{number}"] * (v - mean) / anp.sqrt(variance + 1e-7) + has[f"beta_{number}"]

        if layer.batch_norm == "before":
            a = normal(a)
        z = ACTIVATE[layer.activation](a)
        if layer.batch_norm == "after":
            z = normal(z)
        if masks is not None and number in masks:
            z = z * (masks[number] >= layer.dropout) / (1 - layer.dropout)
    return z


def cross_entropy(logits: Any, y: Any) -> Any:
    return anp.mean(anp.log(anp.sum(anp.exp(logits), axis=1)) - anp.sum(y * logits, axis=1))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("trains", [True, False], ids=["training", "evaluation"])
def test_gradients_are_those_of_autograd(name: str, trains: bool) -> None:
    net = network(5, NETWORKS[name], seed=1)
    graph = Graph()
    x, y = graph.input("x", X), graph.input("y", Y)
    masks = net.masks(12) if trains else None
    draws = {k: RNG.uniform(size=mask.slot.shape) for k, mask in (masks or {}).items()}
    passed = net.through(x, masks=None if masks is None else {k: mask.slot for k, mask in masks.items()})
    loss = data_loss(layers.CROSS_ENTROPY, passed.logits, y)
    nodes = {**net.parameters, **net.averages}
    values = {key: RNG.normal(size=node.shape) * 0.5 for key, node in nodes.items()}
    values |= {key: np.abs(value) + 0.3 for key, value in values.items() if key.startswith("variance")}
    given = {nodes[key]: value for key, value in values.items()}
    given |= {masks[k].slot: draw for k, draw in draws.items()} if masks else {}
    by = list(net.parameters.values())
    ours = evaluate([loss, *grad(loss, by)], given)
    theirs = autograd(lambda has: cross_entropy(by_hand(net, {**values, **has}, X, draws if trains else None), Y))(
        {key: values[key] for key in net.parameters}
    )
    for key, d in zip(net.parameters, list(ours.values())[1:], strict=True):
        np.testing.assert_allclose(d, theirs[key], rtol=1e-9, atol=1e-12, err_msg=key)


RULES: dict[str, dict[str, Any]] = {
    "sgd": {"rate": 0.3, "schedule": "cosine"},
    "momentum": {"rate": 0.1, "momentum": 0.8, "schedule": "step", "drop_every": 7},
    "adagrad": {"rate": 0.2},
    "rmsprop": {"rate": 0.02, "clip": 0.5},
    "adam": {"rate": 0.03, "weight_decay": 0.1, "decoupled": True},
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"weight_decay": 0.05, "l1": 0.01},
    "batch norm": {"batch_norm": True},
    "batch norm after": {"batch_norm": [1], "batch_norm_place": "after", "order": "random"},
    "dropout": {"dropout": [0.3, 0.5]},
    "summed": {"batch": 0, "summed": True, "rate": 0.003},
    "no bias": {"bias": False, "order": "fixed"},
}
CASES = [(rule, {}) for rule in RULES] + [("sgd", {"schedule": "constant", **keys}) for keys in KINDS.values()]


def one_network(**keys: Any) -> tuple[ComparedNetwork, Any]:
    study = Training(
        **{"data": "iris", "layers": [6, 5], "batch": 16, "steps": 20, "every": 4, "initializer": "xavier", **keys}
    )
    graph = Graph(seed=study.seed)
    data = task_data(graph, study)
    return compared_network(graph, "network", study, data, kept=range(21)), data


def rate_at(keys: Any, t: int) -> float:
    if keys.schedule == "cosine":
        return float(keys.rate / 2 * (1 + math.cos(math.pi * (t - 1) / keys.steps)))
    return float(keys.rate * (keys.factor ** ((t - 1) // keys.drop_every) if keys.schedule == "step" else 1))


def updated(keys: Any, p: Any, g: Any, s: dict[str, Any], t: int) -> Any:
    """A parameter after a step of one of five rules; s: its state, which changes."""
    rate = rate_at(keys, t)
    if keys.optimizer == "sgd":
        return p - rate * g
    if keys.optimizer == "momentum":
        s["v"] = keys.momentum * s["v"] - rate * g
        return p + s["v"]
    if keys.optimizer == "adam":
        s["m"] = keys.beta_1 * s["m"] + (1 - keys.beta_1) * g
        s["v"] = keys.beta_2 * s["v"] + (1 - keys.beta_2) * g * g
        m, v = s["m"] / (1 - keys.beta_1**t), s["v"] / (1 - keys.beta_2**t)
        return p - rate * m / (np.sqrt(v) + keys.epsilon)
    kept = (1, 1) if keys.optimizer == "adagrad" else (keys.decay, 1 - keys.decay)
    s["v"] = kept[0] * s["v"] + kept[1] * g * g
    return p - rate * g / (np.sqrt(s["v"]) + keys.epsilon)


def stepped(one: ComparedNetwork, data: Any) -> list[dict[str, Any]]:
    """The same training by a loop of plain NumPy and autograd: what each step has, from the same draws."""
    keys, net, training = one.keys, one.network, one.training
    x, y = (node.source.values for node in data.parts["train"])
    has = dict(zip(net.starts, evaluate(net.starts.values()).values(), strict=True))
    state = {key: {"m": 0.0, "v": 0.0} for key in net.parameters}
    steps, taken = [dict(has)], training.batches.taken(training.seed)  # type: ignore[union-attr]
    for t in range(1, keys.steps + 1):
        rows = next(taken)
        batch_x, batch_y = (x, y) if rows is None else (x[rows], y[rows])
        masks = {int(d.stream.split("_")[1]): drawn_at(d, training.seed, t) for d in training.draws}
        averages: dict[str, Any] = {}

        def objective(
            p: Any, averages: Any, at: Any = has, bx: Any = batch_x, by: Any = batch_y, u: Any = masks
        ) -> Any:
            loss = cross_entropy(by_hand(net, {**at, **p}, bx, u, averages), by)
            loss = loss * len(bx) if keys.summed else loss
            for W in (p[key] for key in p if key.startswith("W")):
                decay = 0 if keys.decoupled else keys.weight_decay
                loss = loss + decay / 2 * anp.sum(W**2) + keys.l1 * anp.sum(anp.abs(W))
            return loss

        parameters = {key: has[key] for key in net.parameters}
        d = autograd(objective)(parameters, None)
        objective(parameters, averages)
        norm = math.sqrt(sum(float(np.sum(g**2)) for g in d.values()))
        share = keys.clip / norm if keys.clip and norm > keys.clip else 1.0
        moved = {key: updated(keys, has[key], share * d[key], state[key], t) for key in parameters}
        decay = rate_at(keys, t) * keys.weight_decay if keys.decoupled else 0
        has = has | {key: after - decay * has[key] * key.startswith("W") for key, after in moved.items()}
        has |= {key: np.reshape(value, has[key].shape) for key, value in averages.items()}
        steps.append(dict(has))
    return steps


@pytest.mark.parametrize(("rule", "keys"), CASES, ids=[*RULES, *KINDS])
def test_twenty_steps_are_those_of_a_loop_of_plain_numpy(rule: str, keys: dict[str, Any]) -> None:
    one, data = one_network(optimizer=rule, **{**RULES[rule], **keys})
    results = outcomes(one.training)
    places = {str(variable.slot.name): k for k, variable in enumerate(one.training.state)}
    theirs = stepped(one, data)
    assert len(theirs) == 21
    for step in (0, 1, 7, 20):
        for key, value in theirs[step].items():
            ours = results[places[key], step]
            np.testing.assert_allclose(ours, value, rtol=1e-10, atol=1e-12, err_msg=f"{key} after step {step}")
    # What is recorded is of the state: the network as it is evaluated, by hand.
    x, y = (node.source.values for node in data.parts["test"])
    logits = by_hand(one.network, theirs[20], x, None)
    recorded = dict(zip(one.training.records[CURVES].columns, results[CURVES][-1], strict=True))
    np.testing.assert_allclose(recorded["test_loss"], cross_entropy(logits, y), rtol=1e-10)
    assert recorded["test_accuracy"] == pytest.approx((logits.argmax(axis=1) == y.argmax(axis=1)).mean())


def test_scikit_learn_takes_the_same_steps() -> None:
    one, data = one_network(batch=0, activation="tanh", rate=0.2, weight_decay=0.0)
    x, y = (node.source.values for node in data.parts["train"])
    labels = y.argmax(axis=1)
    theirs = MLPClassifier(
        (6, 5), activation="tanh", solver="sgd", alpha=0, learning_rate_init=0.2, momentum=0, batch_size=len(x)
    )
    theirs.partial_fit(x, labels, classes=[0, 1, 2])
    starts = [one.training.kept.index(0)] and outcomes(one.training)
    names = [str(variable.slot.name) for variable in one.training.state]
    of = {name: starts[names.index(name), 0].copy() for name in names}
    theirs.coefs_ = [of[f"W_{k}"] for k in (1, 2, 3)]
    theirs.intercepts_ = [of[f"b_{k}"].ravel() for k in (1, 2, 3)]
    for _ in range(20):
        theirs.partial_fit(x, labels)
    for k in (1, 2, 3):
        np.testing.assert_allclose(theirs.coefs_[k - 1], starts[names.index(f"W_{k}"), 20], rtol=1e-9, atol=1e-11)


def test_log_sum_exp_neither_overflows_nor_loses_a_row() -> None:
    x = np.array([[1000.0, 999.0], [-1000.0, -1001.0], [700.0, -700.0]])
    node = Graph().input("x", x)
    ours = evaluate([expr.row_log_sum_exp(node), expr.softmax(node)])
    log_sum, share = ours.values()
    np.testing.assert_allclose(log_sum[:, 0], [1000 + math.log1p(math.exp(-1)), -1000 + math.log1p(math.exp(-1)), 700])
    np.testing.assert_allclose(share.sum(axis=1), 1, rtol=1e-12)


def test_accuracy_shares_ties_and_units_are_counted() -> None:
    graph = Graph()
    logits = graph.input("a", [[1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 1.0]])
    y = graph.input("y", [[1.0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    (share,) = evaluate([layers.accuracy(layers.CROSS_ENTROPY, logits, y)]).values()
    assert share.item() == pytest.approx((0.5 + 1 + 1 / 3 + 0) / 4)
    W = graph.input("W", np.c_[np.ones((4, 3)), np.zeros((4, 1)), np.full((4, 1), 1 + 1e-4)])
    b = graph.input("b", [[0.0, 0.0, 0.5, 0.0, 0.0]])
    (count,) = evaluate([layers.distinct_units(W, b)]).values()
    assert count.item() == pytest.approx(4)  # the first two are one


def test_inverted_dropout_keeps_the_mean() -> None:
    z, mask = np.full((400, 50), 2.0), RNG.uniform(size=(400, 50))
    graph = Graph()
    (dropped,) = evaluate([layers.dropped(graph.input("z", z), graph.input("u", mask), 0.3)]).values()
    assert set(np.unique(dropped)) == {0.0, 2 / 0.7}
    # 5 standard errors of a mean of Bernoulli numbers.
    assert abs(dropped.mean() - 2) < 5 * 2 * math.sqrt(0.3 / 0.7 / z.size)


# ── What sources claim, over seeds ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def starts() -> Any:
    return sheetsim.run("training-starts", seeds=4, layers=[60, 60], steps=400, every=40)


def test_zeros_end_at_the_entropy_and_equal_units_stay_one(starts: Any) -> None:
    final, claims = starts.table("final"), starts.table("claims")
    assert list(final.index) == ["zeros", "constant", "std 0.01", "xavier", "glorot", "he"]
    entropy = starts["entropy"]
    assert final.loss["zeros"] == pytest.approx(entropy, rel=1e-6)
    assert final.units_most["zeros"] == final.units_most["constant"] == 1
    assert (final.units_most[["std 0.01", "xavier", "glorot", "he"]] == 60).all()
    assert list(claims.verdict[["zeros", "constant", "he before xavier", "xavier before std 0.01"]]) == ["holds"] * 4
    assert starts.verdicts()[0] == "does not learn"
    # Negative control: the claim that is turned round does not hold.
    assert claims.number_high["he before xavier"] < 0 < -claims.number_low["he before xavier"]


def test_networks_share_their_draws_so_that_differences_vary_less(starts: Any) -> None:
    final, differences = starts.table("final"), starts.table("differences")
    width = final.loss_high - final.loss_low
    paired = differences.loss_difference_high - differences.loss_difference_low
    assert paired["glorot"] < math.hypot(width["glorot"], width["he"])
    assert differences.loss_difference["xavier"] == pytest.approx(final.loss["xavier"] - final.loss["he"])


def test_curves_are_long_and_end_where_the_final_table_is(starts: Any) -> None:
    curves, final = starts.table("curves"), starts.table("final")
    assert {"step", "loss", "accuracy", "test_loss", "test_accuracy"} <= set(curves.columns)
    last = curves[curves.step == 400]
    np.testing.assert_array_equal(last.loss, final.loss)
    runs = starts["loss_he"]
    assert runs.shape == (11, 4)
    half = 3.182446305284263 * runs[-1].std(ddof=1) / 2  # Student's t with 3 degrees of freedom
    assert final.loss_high["he"] == pytest.approx(runs[-1].mean() + half)


def test_weight_decay_and_dropout_lower_the_training_accuracy() -> None:
    for name in ("weight-decay", "dropout"):
        run = sheetsim.run(name, seeds=3, layers=[50] * 3, steps=300, every=100, rate=0.05, samples=200)
        claims = run.table("claims")
        assert claims.number.iloc[0] < 0.02, name
        assert set(run.table("gaps").columns) >= {"gap", "gap_low", "gap_high"}


def test_batch_normalization_learns_at_scales_where_plain_networks_do_not() -> None:
    run = sheetsim.run("batch-norm-scales", scales=[0.3, 0.01, 0.001], layers=[40] * 4, seeds=2, steps=120, rate=0.05)
    scales = run.table("scales")
    assert (scales.accuracy_batch_norm > 0.5).all()
    assert (scales.accuracy_plain[["0.01", "0.001"]] < 0.2).all()


def test_gradients_are_told_as_sources_print_them() -> None:
    run = sheetsim.run("training-gradients", seeds=2, steps=12)
    table = run.table("gradients")
    assert len(table) == 12
    squares = run["squares_W_1_network"]
    assert table.squares_W_1.iloc[4] == pytest.approx(squares[4].mean())
    assert table.norm_W_1.iloc[4] == pytest.approx(np.sqrt(squares[4]).mean())
    lengths = np.sqrt(squares)
    assert run.table("claims").number.item() == pytest.approx((lengths[10:].sum(0) / lengths.sum(0)).mean())


@pytest.mark.parametrize("keys", [{"optimizer": "adam"}, {"schedule": "cosine"}, {"clip": 0.1}, {"rate": 0.0}], ids=str)
def test_of_weights_that_do_not_move_by_their_gradients_no_way_is_claimed(keys: dict[str, Any]) -> None:
    run = sheetsim.run("training-gradients", **{"seeds": 1, "steps": 11, "data": "iris", "samples": 60} | keys)
    assert "claims" not in run.tables()


def test_distributions_count_every_weight() -> None:
    run = sheetsim.run("training-distributions", **{**FEW_STEPS, "layers": [5] * 3, "dropout": 0.0})
    counts = run["histogram_W_1_relu"]
    assert counts.shape == (4, 42)
    assert (counts.sum(axis=1) == 4 * 5).all()


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rate_that_diverges_ends_that_network_and_not_the_others() -> None:
    networks = [{"name": "wild", "rate": 1e6, "optimizer": "momentum"}, {"name": "tame"}]
    run = small_run("training", networks=networks, activation="relu", loss="squares", steps=40, every=1)
    assert run.verdicts()[0] == "overflow"
    assert run.verdicts()[1] != "overflow"
    final, curves = run.table("final"), run.table("curves")
    assert np.isnan(final.loss["wild"])
    assert np.isfinite(final.loss["tame"])
    wild = curves.loc["wild"]
    assert np.isfinite(wild.loss.iloc[0])
    # The step is told: that whose loss was not finite, or the one after the curve's last.
    ends = wild.step[np.isnan(wild.loss)].iloc[0]
    assert final.overflow_step["wild"] in (ends, ends + 1)
    assert np.isnan(final.overflow_step["tame"])


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"batch": 5000}, "batch: 5,000 rows are more than the"),
        ({"steps": 0}, "steps must be 1"),
        ({"layers": []}, "layers must list 1 to"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"initializer": "constant x"}, "must be written like `constant 0.01`"),
        ({"initializer": "hee"}, "initializer must be one of"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": [0.1, 0.2]}, "dropout: 2 shares for 1 hidden layers"),
        ({"batch_norm": [3]}, "batch_norm: layers are numbered 1 to 1"),
        ({"rate": float("nan")}, "rate must be a number from 0"),
        ({"optimizer": "adamax"}, "optimizer must be one of"),
        ({"networks": [{"name": "a"}, {"name": "a"}]}, "two networks have the name 'a'"),
        ({"networks": [{"rate": 0.1}]}, "network 1 needs a name"),
        ({"networks": [{"name": "a", "steps": 3}]}, "a has the key 'steps'"),
        ({"networks": [{"name": "a", "rate": -1}]}, "networks: a: rate must be"),
        ({"against": "nobody"}, "against must be"),
        ({"data": "diabetes", "loss": "cross-entropy"}, "needs classes"),
        ({"data": "digits", "loss": "logistic"}, "is for two classes"),
    ],
)
def test_mistakes_are_told_in_a_sentence(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(SheetsimError, match=reason.replace("(", r"\(")):
        sheetsim.run("training", **{**FEW_STEPS, "layers": [5], "networks": [], **keys})


def test_a_number_is_learned_by_squares() -> None:
    keys = {"data": "diabetes", "scale": "standard", "networks": [], "optimizer": "adam", "batch": 0, "seeds": 1}
    run = sheetsim.run("training", **keys, steps=1200, every=600, rate=0.1)
    assert "accuracy" not in run.summary().columns
    assert run.summary().loss.item() < run["entropy"]


def test_one_sample_a_batch_and_all_at_once_are_no_special_case() -> None:
    for size in (1, 0):
        assert len(small_run("training", batch=size, networks=[]).summary()) == 1


# ── Going on, and workers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_training_goes_on_from_any_step_to_the_same_numbers() -> None:
    one, _ = one_network(optimizer="adam", rate=0.01, dropout=0.2, batch_norm=True)
    whole = outcomes(one.training)
    for stop in (0, 1, 7, 16, 19):
        run = TrainingRun(one.training)
        run.advance(stop)
        again = TrainingRun(one.training, progress=Progress.unpacked(one.training, run.progress.packed(one.training)))
        again.advance(100)
        results = again.results()
        assert results.keys() == whole.keys()
        for part, values in results.items():
            np.testing.assert_array_equal(values, whole[part])


def test_workers_and_a_pickle_change_no_number() -> None:
    keys = {**FEW_STEPS, "layers": [5], "dropout": 0.3}
    one = sheetsim.run("training", **keys)
    news: list[Any] = []
    two = sheetsim.run("training", **keys, workers=2, progress=news.append)
    for first, second in zip(one.table("curves").to_numpy(), two.table("curves").to_numpy(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert news[-1].share == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_goes_on_to_the_same_bytes(how: signal.Signals, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "sheetsim", "run", "training-starts", "--set", "steps=300", "--set", "seeds=2"]
    subprocess.run([*program, "--output", "whole.xlsx"], cwd=tmp_path, check=True, capture_output=True)
    stopped = subprocess.Popen(
        [*program, "--output", "book.xlsx"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    folder = tmp_path / "book.training"
    while not folder.exists() or len(list(folder.glob("*.npy"))) < 3:
        time.sleep(0.05)
    stopped.send_signal(how)
    _, told = stopped.communicate()
    assert not (tmp_path / "book.xlsx").exists()
    assert how is signal.SIGKILL or "--resume goes on" in told
    subprocess.run([*program, "--output", "book.xlsx", "--resume"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "book.xlsx").read_bytes() == (tmp_path / "whole.xlsx").read_bytes()
    assert not folder.exists()


# ── The workbook ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "keys",
    [
        {"data": "digits", "layers": [6], "batch_norm": True, "networks": []},
        {"data": "breast_cancer", "layers": [4], "scale": "standard", "networks": []},
        {"data": "diabetes", "layers": [4], "scale": "standard", "rate": 1e-7, "networks": []},
    ],
    ids=["digits", "two classes", "a number"],
)
def test_a_live_network_is_recalculated_and_made_again(keys: dict[str, Any], tmp_path: Path) -> None:
    run = sheetsim.run("training", **{**FEW_STEPS, "samples": None, **keys})
    verified = sheetsim.verify(run.to_excel(tmp_path / "book.xlsx"))
    assert verified.ok
    assert verified.state == "as made"
    if keys["data"] != "diabetes":
        assert run["confusion"].sum() == len(run["x"])
        assert np.trace(run["confusion"]) / len(run["x"]) == pytest.approx(run["live_accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["training-starts", "batch-norm-scales", "training-distributions", "dropout"])
def test_libreoffice_recalculates_books_of_trainings(name: str, tmp_path: Path) -> None:
    book = small_run(name, data="digits").to_excel(tmp_path / "book.xlsx")
    assert sheetsim.verify(book, engines=["libreoffice"]).ok


def test_the_live_network_is_the_trained_one() -> None:
    run = sheetsim.run("training", **{**FEW_STEPS, "layers": [6], "networks": [], "samples": None, "seeds": 1})
    x, y = run["x"], run["y"]
    logits = np.maximum(x @ run["W_1"] + run["b_1"], 0) @ run["W_2"] + run["b_2"]
    np.testing.assert_allclose(run["a_2"], logits, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(run["predicted"][:, 0], logits.argmax(axis=1) + 1)
    assert run.table("final").test_accuracy.item() == pytest.approx((logits.argmax(1) == y.argmax(1)).mean())


def test_a_csv_lies_beside_its_template_and_a_book_without_it_is_checked_by_engines(sheetsim: Any) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}" for a, b in rng.normal(size=(80, 2))]
    Path("here").mkdir()
    csv, toml = Path("here", "points.csv"), Path("here", "mine.toml")
    csv.write_text("\n".join(["a,b,says", *rows]) + "\n")
    toml.write_text('study = "training"\ndata = "points.csv"\ntarget = "says"\nlayers = [4]\nsteps = 20\nbatch = 10\n')
    assert sheetsim("run", str(toml))[0] == 0
    status, out, _ = sheetsim("verify", "outputs/mine.xlsx")
    assert (status, "as made" in out) == (0, True)
    csv.unlink()
    status, out, _ = sheetsim("verify", "outputs/mine.xlsx")
    assert (status, "cannot be made again: data: there is no file" in out) == (0, True)
    assert sheetsim("run", str(toml))[0] == 2


def test_summary_prints_records_with_the_names_of_the_networks(sheetsim: Any) -> None:
    small = ["--set", "steps=4", "--set", "every=2", "--set", "layers=[5,5]"]
    status, out, _ = sheetsim("summary", "training-starts", "--table", "final", "--format", "json", *small)
    records = json.loads(out)
    assert status == 0
    assert [record["network"] for record in records] == ["zeros", "constant", "std 0.01", "xavier", "glorot", "he"]
    assert {"loss", "accuracy", "test_loss", "test_accuracy", "loss_low", "loss_high"} <= set(records[0])
    status, out, _ = sheetsim("summary", "training-starts", "--table", "curves", "--format", "json", *small)
    steps = [(record["network"], record["step"]) for record in json.loads(out)]
    assert steps[:4] == [("zeros", 0), ("zeros", 2), ("zeros", 4), ("constant", 0)]


def test_a_replicate_is_a_run_with_its_seed() -> None:
    keys = {**FEW_STEPS, "layers": [5], "seeds": 1, "networks": []}
    replicates = sheetsim.replicate("training", 3, **keys)
    frame = replicates.frame()
    alone = sheetsim.run("training", **keys, seed=int(frame.seed.iloc[1]))
    assert frame.loss.iloc[1] == alone.summary().loss.item()


# ── A model of your own ──────────────────────────────────────────────────────────────────────────────────────────────


def least_squares(**keys: Any) -> tuple[sheetsim.Model, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = x @ np.array([[1.0], [-2.0], [0.5]]) + 0.1 * rng.normal(size=(200, 1))
    model = sheetsim.Model("Least squares", seed=1)
    given = {"x": model.input("x", x), "y": model.input("y", y)}
    W, b = model.weights("W_1", "he", (3, 1)), model.input("b", 0.0)
    rows = model.batches(given, 20)
    loss = sheetsim.mean((rows["x"] @ W + b - rows["y"]) ** 2)
    record = {"mse": sheetsim.mean((given["x"] @ W + b - given["y"]) ** 2)}
    keys = {"steps": 400, "record": record, "every": 100, **keys}
    return model, model.train(loss, [W, b], sheetsim.Optimizer("adam", rate=0.05, schedule="cosine"), rows, **keys)


def test_a_model_of_ones_own_learns_what_least_squares_gives() -> None:
    model, training = least_squares(seeds=2)
    run = model.run()
    x, y = run["x"], run["y"]
    best = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    np.testing.assert_allclose(np.append(run["W_1_training"], run["b_training"]), best[:, 0], atol=0.02)
    assert run["training_mse"].shape == (5, 2)
    assert run["training_loss"].shape == (400, 2)
    assert training.trained(model["W_1"]).shape == (3, 1)
    other = pickle.loads(pickle.dumps(model)).run()
    np.testing.assert_array_equal(other["training_loss"], run["training_loss"])


def test_a_models_training_is_refused_where_it_cannot_be() -> None:
    model = sheetsim.Model("M", seed=1)
    x = model.input("x", np.ones((4, 2)))
    W = model.weights("W_1", "he", (2, 1))
    other = model.weights("W_2", "he", (2, 1))
    rows = model.batches({"x": x}, 2)
    loss = sheetsim.mean((rows["x"] @ W) ** 2)
    rule = sheetsim.Optimizer()
    with pytest.raises(SheetsimError, match="does not depend"):
        model.train(loss, [other], rule, rows, steps=3)
    with pytest.raises(SheetsimError, match="single number"):
        model.train(rows["x"] @ W, [W], rule, rows, steps=3)
    with pytest.raises(SheetsimError, match="cannot be taken from 4"):
        model.batches({"x": x}, 5)
    with pytest.raises(SheetsimError, match="optimizer must be"):
        sheetsim.Optimizer("newton")
    with pytest.raises(SheetsimError, match="only during training"):
        Program([loss])()


def test_iris_is_learned() -> None:
    x, y = load_iris(return_X_y=True)
    keys = {"data": "iris", "scale": "standard", "layers": [10], "networks": [], "rate": 0.01, "batch": 0}
    run = sheetsim.run("training", **keys, steps=300)
    assert run.summary().accuracy.item() > 0.95
    assert len(x) == len(y) == 150
    assert batches({"x": Graph().input("x", x)}, 30).rows == 150
