"""Templates of any content end in a run or in one sentence, and an interrupted command leaves nothing behind."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheetsim import report, templates
from sheetsim.errors import SheetsimError
from sheetsim.experiments.forward import Forward
from sheetsim.experiments.study import toml_value

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
KEYS = "file distribution std low sheet constant bins range standardise x correlation a mu loc scale"
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
        origin = templates.load("relu-he", {**SMALL, **overrides})
        report.check(origin)
        if np.prod([float(n) for n in (origin.experiment.samples or 1, *origin.experiment.layers)]) < 1e6:
            report.run_origin(origin).claims()
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
