"""A distribution as a person writes it, `normal(100, 15)`: text to a Distribution and back. It runs nothing of it."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model import distributions
from sheetsim.model.draws import Distribution, full_parameters
from sheetsim.model.families import BUILT_IN
from sheetsim.model.family import Parameter
from sheetsim.model.scipy_families import family as scipy_family

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[()\[\]{},=:]))"
)

# Longer than any distribution that is written by hand; data come by file.
LONGEST = 100_000

# The functions that take other parameters than their family has, and the order in which these are written.
_MADE_BY: dict[str, tuple[Any, tuple[str, ...]]] = {
    "lognormal": (distributions.lognormal, ("mean", "std")),
    "triangular": (distributions.triangular, ("low", "mode", "high")),
    "metalog": (distributions.metalog, ("quantiles",)),
    "empirical": (distributions.resampled, ("values",)),
}

# What need not be written of a family of this package.
_OPTIONAL = ("shape", "weights")

# What may be given in place of parameters.
_INSTEAD = {
    "lognormal": ", both of the logarithm, or two percentiles as p5=800, p95=3000",
    "triangular": ", or percentiles as p10=5, mode=7, p90=12",
    "metalog": " as {0.1: 5, 0.9: 14}, or percentiles as p10=5, p90=14",
}

_EXAMPLE = "write NAME(PARAMETER, …), for example normal(100, 15) or pert(low=1, mode=2, high=5)"


def parse_distribution(text: str) -> Distribution:
    """The distribution of a text: `normal(100, 15)`, `pert(low=1, mode=2, high=5)`, `lognormal(p5=800, p95=3000)`.

    Every distribution of the package and of scipy.stats by its name, parameters in their order or by name, lists in
    brackets, percent as 5%. `low=` and `high=` truncate what has no such parameters: `normal(0, 1, low=-2)`.
    Every parameter must be there, but for shape of pert, weights of discrete, loc of scipy.stats, and its scale beside
    shapes alone, as in beta(2, 3).
    Raises SheetsimError for other texts, and for parameters that the distribution does not take, or that are missing.
    """
    if len(text) > LONGEST:
        raise SheetsimError(f"a distribution of {len(text):,} characters is too long: {text[:40]}…")
    return _Reader(text).whole()


def written_distribution(law: Distribution) -> str:
    """The text that `parse_distribution` reads as this distribution, its numbers to 10 digits."""
    parameters = dict(law.parameters)
    if law.name == "metalog":
        points = zip(np.ravel(parameters["probabilities"]), np.ravel(parameters["quantiles"]), strict=True)
        shown = [f"{{{', '.join(f'{p:.10g}: {x:.10g}' for p, x in points)}}}"]
        shown += [f"{end}={parameters[end]:.10g}" for end in ("low", "high") if np.isfinite(parameters[end])]
    else:
        shown = [f"{key}={_written(value)}" for key, value in parameters.items() if value != ()]
    ends = [f"{end}={x:.10g}" for end, x in (("low", law.low), ("high", law.high)) if math.isfinite(x)]
    if ends and {"low", "high"} & set(parameters):
        return f"truncated({law.name}({', '.join(shown)}), {', '.join(ends)})"
    return f"{law.name}({', '.join([*shown, *ends])})"


def _written(value: Parameter) -> str:
    return f"[{', '.join(f'{x:.10g}' for x in value)}]" if isinstance(value, tuple) else f"{value:.10g}"


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, Any]] = []
        place = 0
        stripped = text.strip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None:
                raise SheetsimError(f"{text!r:.80} is not a distribution: {_EXAMPLE}")
            if match["number"] is not None:
                number = float(match["number"].replace("_", ""))
                self._tokens.append(("number", number / 100 if match["percent"] else number))
            elif match["word"] is not None:
                self._tokens.append(("word", match["word"]))
            else:
                self._tokens.append(("sign", match["sign"]))
            place = match.end()
        self._next = 0

    def whole(self) -> Distribution:
        made = self._distribution()
        if self._next < len(self._tokens):
            self._refuse()
        return made

    def _refuse(self) -> None:
        raise SheetsimError(f"{self._text!r:.80} is not a distribution: {_EXAMPLE}")

    def _peek(self, ahead: int = 0) -> tuple[str, Any]:
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else ("end", None)

    def _take(self, sign: str) -> None:
        if self._peek() != ("sign", sign):
            self._refuse()
        self._next += 1

    def _distribution(self) -> Distribution:
        kind, name = self._peek()
        if kind != "word":
            self._refuse()
        self._next += 1
        positional, keywords = self._arguments()
        return _made(name, positional, keywords)

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        if self._peek() == ("end", None):
            return positional, keywords
        self._take("(")
        while self._peek() != ("sign", ")"):
            kind, word = self._peek()
            if kind == "word" and self._peek(1) == ("sign", "="):
                self._next += 2
                if word in keywords:
                    raise SheetsimError(f"{self._text!r:.80}: {word} is given twice")
                keywords[word] = self._argument()
            elif keywords:
                raise SheetsimError(
                    f"{self._text!r:.80}: a parameter without a name follows one with a name: put it first"
                )
            else:
                positional.append(self._argument())
            if self._peek() != ("sign", ","):
                break
            self._next += 1
        self._take(")")
        return positional, keywords

    def _argument(self) -> Any:
        kind, value = self._peek()
        if kind == "number":
            self._next += 1
            return value
        if (kind, value) == ("sign", "["):
            return self._listed("]")
        if (kind, value) == ("sign", "{"):
            return self._mapping()
        return self._distribution()

    def _listed(self, end: str) -> list[float]:
        self._next += 1
        numbers: list[float] = []
        while self._peek() != ("sign", end):
            kind, value = self._peek()
            if kind != "number":
                self._refuse()
            numbers.append(value)
            self._next += 1
            if self._peek() != ("sign", ","):
                break
            self._next += 1
        self._take(end)
        return numbers

    def _mapping(self) -> dict[float, float]:
        self._next += 1
        pairs: dict[float, float] = {}
        while self._peek() != ("sign", "}"):
            (kind, key), (of_value, value) = self._peek(), self._peek(2)
            if kind != "number" or self._peek(1) != ("sign", ":") or of_value != "number":
                self._refuse()
            pairs[key] = value
            self._next += 3
            if self._peek() != ("sign", ","):
                break
            self._next += 1
        self._take("}")
        return pairs


def _made(name: str, positional: list[Any], keywords: dict[str, Any]) -> Distribution:
    if name == "truncated":
        return _truncated(positional, keywords)
    of_family = _parameters(name)
    # Of a family with such parameters, low and high cut nothing off.
    is_cut = not {"low", "high"} & set(of_family)
    ends = {end: keywords.pop(end) for end in ("low", "high") if end in keywords} if is_cut else {}
    function, names = _MADE_BY.get(name, (None, of_family))
    if len(positional) > len(names):
        parameters = "parameter" if len(names) == 1 else "parameters"
        takes = f"{len(names)} {parameters} ({', '.join(names)})" if names else "no parameters"
        raise SheetsimError(f"{name} takes {takes}, not {len(positional)}")
    for key, value in zip(names, positional, strict=False):
        if key in keywords:
            raise SheetsimError(f"{name}: {key} is given twice")
        keywords[key] = value
    _check_complete(name, names, keywords)
    if function is None:
        made = distributions.distribution(name, **keywords)
    else:
        try:
            made = function(**keywords)
        except TypeError:
            unknown = sorted(set(keywords) - set(names))
            what = f"no parameter {unknown[0]!r}" if unknown else "too few parameters"
            raise SheetsimError(f"{name} has {what} (its parameters: {', '.join(names)})") from None
    whole: Distribution = made
    return _cut(whole, ends) if ends else whole


def _check_complete(name: str, names: tuple[str, ...], keywords: Mapping[str, Any]) -> None:
    """Raises SheetsimError for a parameter that is missing.

    Python's defaults are of a standard normal and the like, which a person who writes one number does not mean.
    """
    if any(key not in names for key in keywords):
        # A percentile, or what the distribution itself refuses.
        return
    of_ours = names if name in BUILT_IN else ()
    needed, instead = tuple(key for key in of_ours if key not in _OPTIONAL), _INSTEAD.get(name, "")
    if "scale" in names and ("loc" in keywords or names[0] == "loc"):
        # `gamma(2, 3)` and `expon(5)` of scipy.stats are moved by 3 and 5, with a scale of 1.
        needed, instead = ("scale",), f", as in {name}({'…, ' if names[0] != 'loc' else ''}scale=3)"
    missing = [key for key in needed if key not in keywords]
    if missing:
        raise SheetsimError(f"{name} needs the parameter {missing[0]!r}{instead} (its parameters: {', '.join(names)})")


def _cut(whole: Distribution, ends: Mapping[Any, Any]) -> Distribution:
    """Truncated: a text has no cells, so that it is a distribution of numbers."""
    made = distributions.truncated(whole, **ends)
    assert isinstance(made, Distribution)
    return made


def _truncated(positional: list[Any], keywords: dict[str, Any]) -> Distribution:
    unknown = set(keywords) - {"low", "high"}
    if unknown or not 1 <= len(positional) <= 3 or not isinstance(positional[0], Distribution):
        raise SheetsimError("write truncated(normal(0, 1), low=-2, high=2)")
    ends = dict(zip(("low", "high"), positional[1:], strict=False)) | keywords
    return _cut(positional[0], ends)


def _parameters(name: str) -> tuple[str, ...]:
    """The parameters of a family in their order. Raises SheetsimError for a name that no family has."""
    family = BUILT_IN.get(name) or scipy_family(name)
    if family is None:
        full_parameters(name, {})
    assert family is not None
    return tuple(family.defaults)
