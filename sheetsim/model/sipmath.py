"""SIPmath 3.0 libraries: variables as metalog distributions over a counter-based generator and a Gaussian copula.

A library is JSON: `U01.rng` names streams of uniform numbers (HDR 2.0), `U01.copula` correlates some of them, and
`sips` are metalog distributions, each of one of these. A trial is a number from 1, so that every program has the same.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.hdr import hdr_uniforms
from sheetsim.model.metalog import fitted_metalog, metalog_numbers
from sheetsim.model.op import Array

# Of a library that is read: bytes, and variables.
MOST_BYTES, MOST_VARIABLES = 64 << 20, 10_000

# Terms of the metalogs that are written.
TERMS = 5


class SipLibrary:
    """A library that was read. Raises SheetsimError for another file, and for generators that are not known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.stat().st_size > MOST_BYTES:
                raise SheetsimError(f"{path} has more than {MOST_BYTES >> 20} MB, too much for a SIPmath library")
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SheetsimError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
        except (ValueError, RecursionError) as error:
            raise SheetsimError(f"{path} is not JSON: {error}") from None
        try:
            self._read(data)
        except SheetsimError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise SheetsimError(f"{path} is not a SIPmath 3.0 library: {type(error).__name__}, {error}") from None

    def _read(self, data: Any) -> None:
        uniforms = data.get("U01", {})
        self._streams: dict[str, dict[str, int]] = {}
        for one in uniforms.get("rng", ()):
            _check_function(self.path, one, "HDR_2_0")
            given = one["arguments"]
            names = {"entity": "entity", "variable": "varId", "seed3": "seed3", "seed4": "seed4"}
            self._streams[one["name"]] = {key: int(given.get(name, 0)) for key, name in names.items()}
        matrices = {one["name"]: one["value"] for one in data.get("globalVariables", ())}
        self._copulas: dict[str, tuple[list[str], list[str], Array]] = {}
        for one in uniforms.get("copula", ()):
            _check_function(self.path, one, "GaussianCopula")
            given = one["arguments"]
            layers = list(one.get("copulaLayer") or given["copulaLayer"])
            matrix = given["correlationMatrix"]
            value = matrices[matrix["value"]] if isinstance(matrix, Mapping) and "value" in matrix else matrix
            self._copulas[one["name"]] = (list(given["rng"]), layers, _correlations(value, layers))
        self._variables: dict[str, dict[str, Any]] = {}
        for one in data["sips"][:MOST_VARIABLES]:
            _check_function(self.path, one, "Metalog_1_0")
            self._variables[str(one["name"])] = one

    @property
    def names(self) -> list[str]:
        """The variables."""
        return list(self._variables)

    def numbers(self, name: str, trials: int) -> Array:
        """A variable's trials, from 1. Raises SheetsimError for a variable that there is not."""
        if name not in self._variables:
            raise SheetsimError(f"{self.path} has no variable {name!r}; it has {', '.join(self.names[:20]) or 'none'}")
        variable = self._variables[name]
        try:
            uniforms = self._uniforms(variable["ref"], trials)
            given = variable["arguments"]
            low, high = (_bound(given.get(key), sign) for key, sign in (("lowerBound", -1), ("upperBound", 1)))
            return metalog_numbers(np.array(given["aCoefficients"], dtype=float), uniforms, low, high)
        except (KeyError, TypeError, ValueError, np.linalg.LinAlgError) as error:
            raise SheetsimError(f"{self.path}: the variable {name!r} cannot be read: {error}") from None

    def _uniforms(self, ref: Mapping[str, Any], trials: int) -> Array:
        counter = np.arange(1, trials + 1)
        if ref["source"] == "rng":
            return hdr_uniforms(counter, **self._streams[ref["name"]])
        from scipy.special import ndtr, ndtri

        streams, layers, correlations = self._copulas[ref["name"]]
        scores = np.stack([ndtri(hdr_uniforms(counter, **self._streams[name])) for name in streams])
        lower = _lower(correlations)
        uniforms: Array = ndtr(lower[layers.index(ref["copulaLayer"])] @ scores)
        return uniforms


def _lower(correlations: Array) -> Array:
    """The Cholesky factor; variables that go together wholly are separated by their last digits."""
    try:
        lower = np.linalg.cholesky(correlations)
    except np.linalg.LinAlgError:
        lower = np.linalg.cholesky((1 - 1e-9) * correlations + 1e-9 * np.eye(len(correlations)))
    return np.asarray(lower, dtype=np.float64)


def _check_function(path: Path, one: Mapping[str, Any], function: str) -> None:
    if one.get("function") != function:
        what = f"{one.get('name')!r} is made by {one.get('function')!r}, but sheetsim supports only {function}"
        raise SheetsimError(f"{path}: {what}")


def _bound(value: Any, sign: int) -> float:
    return sign * np.inf if value is None or value == "" else float(value)


def _correlations(value: Any, layers: Sequence[str]) -> Array:
    """A matrix of correlations: rows of numbers, or a list of {row, col, value} of its lower triangle."""
    if isinstance(value, Mapping):
        names = list(value.get("columns") or layers)
        matrix = np.eye(len(names))
        for cell in value["matrix"]:
            r, c = names.index(cell["row"]), names.index(cell["col"])
            matrix[r, c] = matrix[c, r] = float(cell["value"])
        return matrix
    matrix = np.array(value, dtype=float)
    return np.tril(matrix) + np.tril(matrix, -1).T


def write_library(path: Path, variables: Mapping[str, Array], seed: int, origin: str) -> Path:
    """Write variables as a library, and return its path.

    Each is a metalog of TERMS terms by least squares, with the lower bound 0 where that is nearer; their dependence is
    a Gaussian copula with the correlations of their normal scores.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    from sheetsim.whole_file import whole_file

    names = list(variables)
    there = np.isfinite(np.stack(list(variables.values()))).all(axis=0)
    scores = [ndtri(rankdata(variables[name][there]) / (there.sum() + 1)) for name in names]
    correlations = np.atleast_2d(np.corrcoef(scores))
    streams = [f"hdr{k}" for k in range(1, len(names) + 1)]
    layers = [f"c{k}" for k in range(1, len(names) + 1)]
    lower = [
        {"row": names[r], "col": names[c], "value": float(correlations[r, c])}
        for r in range(len(names))
        for c in range(r + 1)
    ]
    library = {
        "objectType": "sipModel",
        "libraryType": "SIPmath_3_0",
        "provenance": origin,
        "globalVariables": [
            {"name": "correlationMatrix", "value": {"columns": names, "rows": names, "matrix": lower}},
        ],
        "U01": {
            "rng": [
                {
                    "name": stream,
                    "function": "HDR_2_0",
                    "arguments": {
                        "counter": "PM_Index",
                        "entity": 1,
                        "varId": seed % 1_000_000 + k,
                        "seed3": 0,
                        "seed4": 0,
                    },
                }
                for k, stream in enumerate(streams, start=1)
            ],
            "copula": [
                {
                    "name": "Gaussian",
                    "function": "GaussianCopula",
                    "arguments": {
                        "correlationMatrix": {"type": "globalVariables", "value": "correlationMatrix"},
                        "rng": streams,
                    },
                    "copulaLayer": layers,
                }
            ],
        },
        "sips": [_sip(name, variables[name], layer) for name, layer in zip(names, layers, strict=True)],
    }
    with whole_file(path) as file:
        file.write(json.dumps(library, indent=1).encode())
    return path


def _sip(name: str, numbers: Array, layer: str) -> dict[str, Any]:
    there = numbers[np.isfinite(numbers)]
    if len(there) < 100 or there.min() == there.max():
        raise SheetsimError(
            f"{name} is constant or has fewer than 100 numbers: it cannot be a variable of a SIPmath library"
        )
    at = np.linspace(0.01, 0.99, 99)
    measured = np.quantile(there, at)
    fits = {low: fitted_metalog(there, TERMS, low) for low in (-np.inf, 0.0) if there.min() > low}
    off = {low: float(np.square(metalog_numbers(a, at, low) - measured).sum()) for low, a in fits.items()}
    bound = min(off, key=off.__getitem__)
    arguments: dict[str, Any] = {"aCoefficients": fits[bound].tolist()}
    if np.isfinite(bound):
        arguments["lowerBound"] = bound
    return {
        "name": name,
        "ref": {"source": "copula", "name": "Gaussian", "copulaLayer": layer},
        "function": "Metalog_1_0",
        "arguments": arguments,
        "metadata": {
            "count": len(there),
            "mean": float(there.mean()),
            "std": float(there.std(ddof=1)),
            "min": float(there.min()),
            "max": float(there.max()),
            **{f"P{p}": float(np.quantile(there, p / 100)) for p in (5, 25, 50, 75, 95)},
        },
    }
