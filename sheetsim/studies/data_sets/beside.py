"""Files that belong together by their names: samples, their labels, and the test part beside. It reads none of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sheetsim.errors import SheetsimError

# What a file of the test part has in its name where that of the training part has "train".
TEST_WORDS = ("t10k", "test")


class Beside(NamedTuple):
    """files: [samples, labels] or [samples, labels, test samples, test labels]; notes: what was seen and left out."""

    files: list[Path]
    notes: tuple[str, ...]


def files_beside(path: Path, labels: Path | None, names_of_labels: Callable[[str], Sequence[str]]) -> Beside:
    """The files that go with the samples in `path`.

    labels: as given, or None for the first of names_of_labels(name) that lies beside. Where the name holds "train", and
    the same with "t10k" or "test" and its labels lie beside too, they are the test part.
    Raises SheetsimError where there are no labels.
    """
    names = names_of_labels(path.name)
    y = labels or _first(path, names)
    if y is None or not y.is_file():
        looked = f"there is no file {y or path.with_name(names[0])}" if y or names else "no file has a matching name"
        raise SheetsimError(f"{path} needs a file of labels, but {looked}: name it with labels")
    for word in TEST_WORDS if "train" in path.name else ():
        test = _first(path, _packed_or_not(path.name.replace("train", word)))
        test_labels = _first(path, names_of_labels(test.name)) if test else None
        if test and test_labels:
            return Beside([path, y, test, test_labels], ())
        if test:
            return Beside([path, y], (f"{test.name} lies beside without its labels, and is left out.",))
    return Beside([path, y], ())


def npy_labels(name: str) -> list[str]:
    """Names of the labels' file for an .npy of samples: y…npy for X…npy or x…npy."""
    return [letter + name[1:] for letter in "yY"] if name[0] in "xX" else []


def idx_labels(name: str) -> list[str]:
    """Names of the labels' file for IDX pictures, as MNIST, Fashion-MNIST and EMNIST have them."""
    return _packed_or_not(name.replace("images", "labels").replace("idx3", "idx1"))


def _packed_or_not(name: str) -> list[str]:
    """The name, and for a file that may be gzip also the name without .gz, or with it."""
    return (
        [name] if name.endswith(".npy") else [name, name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"]
    )


def _first(path: Path, names: Sequence[str]) -> Path | None:
    return next((file for name in names if (file := path.with_name(name)).is_file() and file != path), None)
