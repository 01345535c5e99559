"""What the key `input` says: a distribution, a file or an array. It reads no file and draws nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution, as_distribution, distribution
from sheetsim.studies import input_files

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
    for key, value in keys.items():
        if given is not None:
            raise SheetsimError(f"input.{key} stands beside a distribution that has its parameters already")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise SheetsimError(f"input.{key} must be a number, not {value!r}")
    if isinstance(correlation, str) and not correlation.lower().endswith(input_files.READERS):
        kinds = ", ".join(input_files.READERS)
        raise SheetsimError(
            f"input.correlation must be a number or a matrix, or a file of {kinds}, not {correlation!r}"
        )
    if isinstance(correlation, str):
        correlation = input_files.File(Path(correlation), key="input.correlation")
    try:
        return DrawnInput(given or distribution(name, **keys), correlation)
    except SheetsimError as error:
        raise SheetsimError(f"input: {error}") from None


def said(spec: Any) -> Any:
    """What `input` holds, as a template has it; an array is only named."""
    if hasattr(spec, "__array__"):
        return GIVEN_ARRAY
    keys = dict(spec) if isinstance(spec, Mapping) else {"distribution": spec}
    given = as_distribution(keys.get("distribution"))
    if given is not None:
        keys |= {"distribution": given.name, **dict(given.parameters)}
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
        "standardise": (bool, "true or false"),
    }
    for key, value in keys.items():
        if key not in kinds:
            raise SheetsimError(f"input.{key} is unknown beside a file: the keys are {', '.join(kinds)}")
        if not isinstance(value, kinds[key][0]):
            raise SheetsimError(f"input.{key} must be {kinds[key][1]}, not {value!r}")
    return input_files.File(Path(keys["file"]), keys.get("sheet"), keys.get("standardise", False))
