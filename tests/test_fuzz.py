"""Templates of any content end in a run or in one sentence, and an interrupted command leaves nothing behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sheetsim
from sheetsim.audit.verify import diff, verify
from sheetsim.engine.jobs import check_workers
from sheetsim.errors import SheetsimError
from sheetsim.runs import templates
from sheetsim.runs.run import check_scenario, run_scenario
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.study import toml_value

# What a person, or a program, may write where a value should be.
numbers = st.one_of(
    st.integers(-5, 30),
    st.sampled_from([0, -1, 10**6, 10**18, 10**30]),
    st.floats(allow_nan=True, allow_infinity=True),
)
TEXTS = "relu he normal summary full forward lhs sobol antithetic gamma poisson lognormal multivariate_normal __class__"
words = st.one_of(
    st.sampled_from([*TEXTS.split(), "std 1", "", "=1+1", "../../etc/passwd", "\x00"]),
    st.text(max_size=12),
)
plain = st.one_of(numbers, words, st.booleans())
KEYS = "file distribution std low sheet constant bins range standardize x correlation a mu loc scale"
tables = st.dictionaries(
    st.sampled_from(KEYS.split()),
    st.one_of(plain, st.lists(numbers, max_size=3)),
    max_size=3,
)
values = st.one_of(plain, st.lists(plain, max_size=4), tables, st.lists(tables, max_size=2))
keys = st.one_of(st.sampled_from(Forward.__struct_fields__), st.text("abcdefgh.-_ ", min_size=1, max_size=8))

SMALL = {"samples": 3, "inputs": 2, "layers": [2, 2]}


def outcome(overrides: dict[str, Any]) -> str:
    """Runs what is small enough; a person's mistake must be one sentence, and anything else is a bug."""
    try:
        scenario = templates.load("relu-he", {**SMALL, **overrides})
        check_scenario(scenario)
        if np.prod([float(n) for n in (scenario.experiment.samples or 1, *scenario.experiment.layers)]) < 1e6:
            run_scenario(scenario).claims()
    except SheetsimError as error:
        return str(error)
    return "ran"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, values, max_size=3))
def test_any_keys_and_values_run_or_are_refused_in_a_sentence(overrides: dict[str, Any]) -> None:
    assert outcome(overrides).strip()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(Forward.__struct_fields__), values, max_size=3))
def test_what_a_template_says_on_one_line_is_read_back_as_it_was(overrides: dict[str, Any]) -> None:
    import tomllib

    for key, value in overrides.items():
        try:
            text = toml_value(value)
            read = tomllib.loads(f"{key} = {text}")[key]
        except (tomllib.TOMLDecodeError, ValueError):
            # Characters that TOML has no way to hold come from no template.
            assert "\x00" in repr(value) or "\\" in repr(value)
            continue
        assert read == value or repr(read) == repr(value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_as_a_template_run_or_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.toml"
    path.write_bytes(content)
    with suppress(SheetsimError):
        templates.load(path)


class Evil:
    """An object that answers no question."""

    def __array__(self, *_: object, **__: object) -> None:
        raise RuntimeError

    def __float__(self) -> float:
        raise RuntimeError


def bottomless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(2000):
        found = [found]
    return found


HOSTILE: list[Any] = [
    *(None, True, -1, 10**400, 10**5000, 1.5, float("nan"), 3j, np.longdouble("1e4000"), np.float64(2)),
    *("", "x\0", "\udcff", "\udcff.toml", b"x", Path("x"), date(2024, 1, 1), int, object(), Evil(), lambda: 1),
    *([], (), {}, {1}, [[1], [1, 2]], [10**400], {"a": 1}, (2, -1), (2.0, 3), deep(), bottomless()),
    *(np.array([]), np.array("a"), np.array([None, 1], dtype=object), np.zeros((1, 2, 3)), np.array([[1j]])),
]


def model() -> sheetsim.Model:
    own = sheetsim.Model()
    own.input("x", sheetsim.normal(), (3, 2))
    return own


def twice(h: Any, t: int) -> Any:
    return h * 2


def with_x(function: Callable[..., Any]) -> Any:
    own = model()
    return function(own, own["x"])


LOOKED_FOR = {"template": "relu-he", "value": "1.var", "set": {"samples": 3, "inputs": 2, "layers": [2]}, "trials": 2}
TINY = {"samples": 3, "inputs": 2, "layers": [2]}
MOMENTS = sheetsim.InputMoments(1, 0)
CALLS: dict[str, Callable[[Any], Any]] = {
    "run": sheetsim.run,
    "read": sheetsim.read,
    "sweep": sheetsim.sweep,
    "search": sheetsim.search,
    "space": lambda v: sheetsim.search({**LOOKED_FOR, "space": v}),
    "hyperparameter": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"initializer": v}}),
    "from": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"initializer": {"from": v, "to": 1}}}),
    "when": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"initializer": {"from": 0, "to": 1, "when": v}}}),
    "choices": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"initializer": [v]}}),
    "goal": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"width": [2, 3]}, "goal": v}),
    "method": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"width": [2, 3]}, "method": v}),
    "search until": lambda v: sheetsim.search({**LOOKED_FOR, "space": {"initializer": [1, 2]}}, until=v),
    "verify": verify,
    "diff": lambda v: diff(v, v),
    "title": lambda v: sheetsim.Model(v),
    "seed": lambda v: sheetsim.Model(seed=v),
    "draws": lambda v: sheetsim.Model(draws=v),
    "name": lambda v: model().input(v, [[1]]),
    "values": lambda v: model().input("y", v),
    "values' shape": lambda v: model().input("y", [[1.0, 2.0]], v),
    "shape": lambda v: model().input("y", sheetsim.normal(), v),
    "side": lambda v: model().input("y", sheetsim.normal(), (v, 2)),
    "sampling": lambda v: model().input("y", sheetsim.normal(), (2, 2), sampling=v),
    "correlation": lambda v: model().input("y", sheetsim.normal(), (2, 2), correlation=v),
    "choice": lambda v: model().choice(v, ["a"], "a"),
    "options": lambda v: model().choice("c", v, "a"),
    "chosen": lambda v: model().choice("c", ["a"], v),
    "weights": lambda v: model().weights(v, "he", (2, 2)),
    "initializer": lambda v: model().weights("W", v, (2, 2)),
    "weights' shape": lambda v: model().weights("W", "he", v),
    "std": lambda v: model().weights("W", sheetsim.scaled(v), (2, 2)),
    "define": lambda v: model().define("y", v),
    "steps": lambda v: model().series("h", [[1.0]], twice, v),
    "start": lambda v: model().series("h", v, twice, 2),
    "step": lambda v: model().series("h", [[1.0]], None if callable(v) else v, 2),
    "a step": lambda v: model().series("h", [[1.0]], lambda h, t: v, 2),
    "series": lambda v: model().series("" if isinstance(v, dict) else v, [[1.0]], twice, 2),
    "columns": lambda v: model().series("h", [[1.0]], twice, 2, columns=v),
    "a column": lambda v: model().series("h", [[1.0]], twice, 2, columns=[v]),
    "columns of several": lambda v: model().series({"h": [[1.0]]}, step=lambda b, t: dict(b), steps=2, columns=v),
    "a step's number": lambda v: model().series("h", [[1.0]], twice, 2)[v],
    "stacked": lambda v: model().stacked("s", v),
    "a matrix": lambda v: model()[v],
    "plus": lambda v: with_x(lambda own, x: own.define("y", x + v).name and own.run()),
    "power": lambda v: with_x(lambda own, x: own.define("y", v**x).name and own.run()),
    "exp": lambda v: sheetsim.exp(v),
    "where": lambda v: with_x(lambda own, x: sheetsim.where(v, x, 0)),
    "choose": lambda v: sheetsim.choose(v, {"a": 1}),
    "branches": lambda v: sheetsim.choose(model().choice("c", ["a"], "a"), v),
    "loss": lambda v: with_x(lambda own, x: sheetsim.grad(v, [x])),
    "by": lambda v: with_x(lambda own, x: sheetsim.grad(sheetsim.mean(x), v)),
    "fixed": lambda v: with_x(lambda own, x: sheetsim.grad(sheetsim.mean(x), [x], fixed=v)),
    "distribution": sheetsim.distribution,
    "parameter": lambda v: sheetsim.normal(std=v),
    "lognormal": lambda v: sheetsim.lognormal(p5=v, p95=3),
    "quantiles": lambda v: sheetsim.lognormal(quantiles=v),
    "triangular": lambda v: sheetsim.triangular(v, p50=2, p90=3),
    "pert": lambda v: sheetsim.pert(0, v, 3),
    "a list of values": sheetsim.discrete,
    "list weights": lambda v: sheetsim.discrete([1, 2], v),
    "metalog": sheetsim.metalog,
    "metalog's bound": lambda v: sheetsim.metalog(p10=1, p90=2, low=v),
    "truncated": lambda v: sheetsim.truncated(v, low=0),
    "truncated at": lambda v: sheetsim.truncated(sheetsim.normal(), low=v),
    "empirical": sheetsim.empirical,
    "a column of data": lambda v: sheetsim.empirical([1, 2], v),
    "fitted": sheetsim.fit,
    "families": lambda v: sheetsim.fit(range(9), families=v),
    "rank correlation": lambda v: with_x(
        lambda own, x: own.input("y", sheetsim.normal(), (3, 1)) and own.input("z", x, (3, 1), correlation={"y": v})
    ),
    "correlated with": lambda v: model().input(
        "z", sheetsim.normal(), (3, 1), correlation={"x": 0.5} if v is None else v
    ),
    "moments": lambda v: sheetsim.InputMoments(v, 0),
    "fixed point": lambda v: sheetsim.fixed_point(v, 1.0),
    "weight scale": lambda v: sheetsim.fixed_point("relu", v),
    "correlations": lambda v: sheetsim.correlation_map("relu", 1.0, v),
    "fan in": lambda v: sheetsim.mean_field("relu", v, [1.0], MOMENTS),
    "deviations": lambda v: sheetsim.mean_field("relu", [1], v, MOMENTS),
    "given": lambda v: sheetsim.mean_field("relu", [1], [1.0], v),
    "replicates": lambda v: sheetsim.replicate("relu-he", v, **TINY),
    "until": lambda v: sheetsim.replicate("relu-he", 2, until=v, **TINY),
    "statistics": lambda v: sheetsim.replicate("relu-he", 2, statistics=v, **TINY),
    "flag": lambda v: sheetsim.replicate("relu-he", 2, single=v, **TINY),
    "workers": lambda v: check_workers(v, None),
    "scheduler": lambda v: check_workers(1, v),
    "grid": lambda v: sheetsim.sweep({"template": "relu-he", "grid": v}),
    "set": lambda v: sheetsim.sweep({"template": "relu-he", "grid": {"width": [2]}, "set": v, "show": 5}),
    **{
        f"Forward's {key}": lambda v, key=key: sheetsim.run(Forward(**{**TINY, "report": "summary", key: v}))
        for key in ("title", "seed", "samples", "layers", "activation", "initializer", "input", "histogram")
    },
    **{
        f"the template's {key}": lambda v, key=key: templates.load("relu-he", {**TINY, key: v})
        for key in ("title", "seed", "samples", "layers", "activation", "initializer", "input", "histogram")
    },
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_any_argument_from_python_works_or_is_refused_in_a_sentence_of_ours(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in HOSTILE:
        # Whatever else is raised, from inside, fails the test.
        with suppress(SheetsimError):
            CALLS[what](value)


@pytest.mark.slow
def test_an_interrupted_command_ends_with_130_and_leaves_no_litter(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    statuses = set()
    for _ in range(10):
        command = [sys.executable, "-m", "sheetsim", "run", "relu-he", "tanh-he", "--output", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.4, 1.3))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        statuses.add(process.returncode)
        assert process.returncode in (0, 130, -signal.SIGINT), err.decode()
        assert {path.name for path in tmp_path.iterdir()} <= {"relu-he.xlsx", "tanh-he.xlsx"}
    assert 130 in statuses
