"""What a data set is before it is split: features and target of every sample. It reads no file and draws nothing."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.studies.input_files import listed_names

TASKS = ("classification", "regression")

# More labels than any data set of pictures that is in use (CIFAR-100 has 100).
MOST_CLASSES = 200
LONGEST_LABEL = 100

# 2 GiB as doubles: CIFAR-10 with its test part has 184 million numbers.
MOST_NUMBERS = 1 << 28


class Records(Struct, frozen=True, eq=False):
    """Every sample of a data set, as its source has it.

    features: n × d, float64 with NaN for a gap of a table, or uint8 as pictures are stored; target: n indices into
    class_names (int64), or n numbers (float64) where class_names is empty and the task is a regression;
    own_test: how many samples, the last ones, are the source's own test part; image_shape: (rows, columns) of a
    picture, whose pixels are the d features row by row, or None;
    notes: sentences on what was made of the source; sha256: by file, or by name of a set of scikit-learn.
    """

    features: NDArray[Any]
    target: NDArray[Any]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_name: str = "target"
    own_test: int = 0
    image_shape: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    sha256: tuple[tuple[str, str], ...] = ()


def classes_or_numbers(
    values: Sequence[str] | NDArray[Any], task: str | None, most: int
) -> tuple[Any, tuple[str, ...]]:
    """What is to be learned: (indices of classes, the classes' names in order), or (numbers, ()) for a regression.

    values: a label or number a sample; task: one of TASKS, or None: texts are classes, and whole numbers are if there
    are at most `most` different ones and two samples or more of each on average. Texts are sorted as texts, numbers as
    numbers.
    Raises SheetsimError for a single class or number, for labels that nearly all differ, and for a text to regress on.
    """
    is_text = not isinstance(values, np.ndarray) or values.dtype.kind == "U"
    if is_text:
        long = next((value for value in values if len(value) > LONGEST_LABEL), None)
        if long is not None:
            raise SheetsimError(f"a label has {len(long):,} characters, more than {LONGEST_LABEL}: {long[:40]!r}…")
    # Sorted, and so are the names of classes.
    distinct, indices = np.unique(np.asarray(values), return_inverse=True)
    n, count = len(values), len(distinct)
    if count == 1:
        raise SheetsimError(f"it is {_label(distinct[0])!r} in every sample, so there is nothing to learn")
    few = count <= most and 2 * count <= n
    if task == "regression" or (task is None and not is_text and not (few and bool(np.all(distinct % 1 == 0)))):
        if is_text:
            raise SheetsimError(f"it holds text ({_label(distinct[0])!r}), but a regression needs numbers")
        return np.array(values, dtype=np.float64), ()
    if count > MOST_CLASSES or 2 * count > n:
        limits = f"classification needs two samples per label on average, and at most {MOST_CLASSES} labels"
        raise SheetsimError(f"it has {count:,} different labels in {n:,} samples: {limits}")
    return indices.reshape(n).astype(np.int64), tuple(map(_label, distinct))


def _label(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{value:.15g}"


def check_count(samples: int, features: int) -> None:
    """Refuses more numbers than a training study holds in memory."""
    if samples * features > MOST_NUMBERS:
        size = f"{samples:,} samples of {features:,} numbers"
        raise SheetsimError(f"{size} are more than the limit of {MOST_NUMBERS:,} numbers")


def sha256_of(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Each file's name and SHA-256. Raises OSError."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append((path.name, hashlib.file_digest(file, "sha256").hexdigest()))
    return tuple(digests)


def some_of(names: Sequence[str]) -> str:
    """Names in a note, and "is" or "are" after them."""
    return f"{listed_names(names)} {'is' if len(names) == 1 else 'are'}"
