"""What the key `input` says: a distribution, a file or an array. It reads no file and draws nothing."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sheetsim.arguments import number
from sheetsim.errors import SheetsimError
from sheetsim.model.cell_families import CellDistribution
from sheetsim.model.draws import Distribution, as_distribution, checked_distribution
from sheetsim.studies import input_files

# Of a truncation that says nothing of a side.
_ENDS = {"low": -math.inf, "high": math.inf}

# What stands for an array in a book, which names it alone.
GIVEN_ARRAY = "an array of numbers, given in Python"


class DrawnInput(NamedTuple):
    """Inputs that are drawn: from what, and how they are correlated, as a person gave it."""

    distribution: Distribution
    correlation: Any = None


def source_of(spec: Any) -> Any:
    """What `input` says: a DrawnInput, an input_files.File or an array. Raises SheetsimError with the key at fault."""
    if hasattr(spec, "__array__"):
        return spec
    keys = dict(spec) if isinstance(spec, Mapping) else {"distribution": spec}
    if ("file" in keys) == ("distribution" in keys):
        raise SheetsimError('input needs a distribution or a file: {distribution = "normal"} or {file = "my.csv"}')
    if "file" in keys:
        return _file(keys)
    if isinstance(keys["distribution"], CellDistribution):
        raise SheetsimError("input: only a model's input can have parameters in cells: give numbers")
    return _drawn(spec, keys)


def _drawn(spec: Any, keys: dict[str, Any]) -> DrawnInput:
    name, correlation = keys.pop("distribution"), keys.pop("correlation", None)
    try:
        given = as_distribution(name)
    except SheetsimError as error:
        raise SheetsimError(f"input: {error}") from None
    if given is None and not isinstance(name, str):
        if isinstance(spec, Mapping):
            raise SheetsimError(f"input.distribution must be text, not {name!r}")
        raise SheetsimError(f"input must be text or a table of keys (in Python also an array), not {spec!r}")
    bounds = _bounds(keys.pop("truncated", None)) if given is None else ()
    for key, value in keys.items():
        if given is not None:
            raise SheetsimError(f"input.{key} is given, but the distribution has its parameters already")
        numbers = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
            raise SheetsimError(f"input.{key} must be a number, not {value!r}")
    if isinstance(correlation, str) and not correlation.lower().endswith(input_files.READERS):
        kinds = ", ".join(input_files.READERS)
        raise SheetsimError(
            f"input.correlation must be a number or a matrix, or a file of {kinds}, not {correlation!r}"
        )
    if isinstance(correlation, str):
        correlation = input_files.File(Path(correlation), key="input.correlation")
    try:
        return DrawnInput(given or checked_distribution(name, keys, *bounds), correlation)
    except SheetsimError as error:
        raise SheetsimError(f"input: {error}") from None


def _bounds(truncated: Any) -> tuple[float, float]:
    """What `truncated` says: {low = …, high = …}, or one of them."""
    if truncated is None:
        return -math.inf, math.inf
    if not isinstance(truncated, Mapping) or not truncated or not set(truncated) <= {"low", "high"}:
        raise SheetsimError(f"input.truncated must be {{low = …, high = …}}, or one of them, not {truncated!r}")
    low, high = (number(f"input.truncated.{key}", truncated.get(key, end)) for key, end in _ENDS.items())
    return low, high


def said_of_input(spec: Any) -> Any:
    """What `input` holds, as a template has it; an array is only named."""
    if hasattr(spec, "__array__"):
        return GIVEN_ARRAY
    keys = dict(spec) if isinstance(spec, Mapping) else {"distribution": spec}
    law = as_distribution(keys.get("distribution"))
    if law is not None:
        # What is infinite stands for no bound, and an empty list for no weights: a template leaves them out.
        parameters = {key: value for key, value in law.parameters if value not in ((), -math.inf, math.inf)}
        bounds = {"low": law.low, "high": law.high}
        finite = {key: value for key, value in bounds.items() if not math.isinf(value)}
        keys |= {"distribution": law.name, **parameters, **({"truncated": finite} if finite else {})}
    return {key: _plain(value) for key, value in keys.items()}


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's, which a template can hold."""
    if hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _file(keys: Mapping[str, Any]) -> input_files.File:
    kinds: dict[str, tuple[type, str]] = {
        "file": (str, "text"),
        "sheet": (str, "text"),
        "standardize": (bool, "true or false"),
    }
    for key, value in keys.items():
        if key not in kinds:
            raise SheetsimError(f"input.{key} cannot be used with a file: the keys are {', '.join(kinds)}")
        if not isinstance(value, kinds[key][0]):
            raise SheetsimError(f"input.{key} must be {kinds[key][1]}, not {value!r}")
    return input_files.File(Path(keys["file"]), keys.get("sheet"), keys.get("standardize", False))
