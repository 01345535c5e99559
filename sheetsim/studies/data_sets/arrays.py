"""Data sets in NumPy's own files: Keras' .npz, and an .npy of samples with one of labels. Objects are refused."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular
from sheetsim.studies.data_sets.beside import files_beside, npy_labels
from sheetsim.studies.data_sets.records import MOST_CLASSES, Records, check_count, classes_or_numbers, sha256_of
from sheetsim.studies.input_files import in_words, mapped_npy

KERAS = ("x_train", "y_train", "x_test", "y_test")

# The number of pixels of an MNIST picture, which often comes as a row of a table, and the picture's shape.
MNIST_PIXELS, MNIST_SHAPE = 784, (28, 28)


def npz_records(path: Path, task: str | None) -> Records:
    """Keras' layout: x_train and y_train, and x_test and y_test or neither. Raises SheetsimError, OSError."""
    arrays: list[NDArray[Any]] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            names = [name for name in KERAS if f"{name}.npy" in members]
            if names not in (list(KERAS), list(KERAS[:2])):
                held = ", ".join(sorted(members)) or "nothing"
                raise SheetsimError(f"{path} must hold {', '.join(KERAS)}, as Keras' data sets do, not {held:.200}")
            arrays = [_member(path, archive, members[f"{name}.npy"], name) for name in names]
    except (OSError, SheetsimError, MemoryError):
        raise
    except Exception as error:  # of zip, of deflate and of NumPy's header, which share no base
        raise SheetsimError(f"{path} is not an .npz of arrays that NumPy can load: {in_words(error)}") from None
    return array_records([path], arrays, task)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """An array of the archive, once its header promises no more than the member holds, and not too much."""
    with archive.open(member) as stream:
        version = npy_format.read_magic(stream)
        read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise SheetsimError(f"{path}: {name} holds Python objects, which can run code: save arrays of numbers")
        if min(shape, default=0) < 0 or stream.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise SheetsimError(f"{path}: {name} is not as long as its header says")
        check_count(math.prod(shape[:1]), math.prod(shape[1:]))
    with archive.open(member) as stream:
        array: NDArray[Any] = npy_format.read_array(stream, allow_pickle=False)
        return array


def npy_records(path: Path, labels: Path | None, task: str | None) -> Records:
    """Samples in one .npy and labels in another, by `files_beside`. Raises SheetsimError, OSError."""
    files, notes = files_beside(path, labels, npy_labels)
    for file in files:
        check_regular(file)
    arrays = [mapped_npy(file) for file in files]
    for array in arrays:
        check_count(math.prod(array.shape[:1]), math.prod(array.shape[1:]))
    return array_records(files, arrays, task, notes)


def array_records(
    files: Sequence[Path], arrays: Sequence[NDArray[Any]], task: str | None, notes: tuple[str, ...] = ()
) -> Records:
    """Records of [x, y] or [x, y, x_test, y_test]: x has a row of numbers or a picture a sample, y a label or number.

    Raises SheetsimError for parts that do not match, and for numbers that are not finite.
    """
    shapes = [x.shape for x in arrays[::2]]
    for part, shape, y in zip(("training", "test"), shapes, arrays[1::2], strict=False):
        if len(shape) < 2 or math.prod(shape) == 0:
            raise SheetsimError(
                f"the {part} part must have a row of numbers or a picture per sample, not shape {shape}"
            )
        if y.size != len(y) if y.ndim else True:
            raise SheetsimError(f"the {part} part must have one label per sample, not labels of shape {y.shape}")
        if len(y) != shape[0]:
            raise SheetsimError(f"the {part} part has {shape[0]:,} samples but {len(y):,} labels")
    if shapes[0][1:] != shapes[-1][1:]:
        raise SheetsimError(
            f"samples have the shape {shapes[0][1:]} in the training part, {shapes[-1][1:]} in the other"
        )
    features = np.concatenate([_numbers(x, "samples").reshape(len(x), -1) for x in arrays[::2]])
    values = np.concatenate([y.ravel() if y.dtype.kind == "U" else _numbers(y, "labels").ravel() for y in arrays[1::2]])
    try:
        target, class_names = classes_or_numbers(values, task, MOST_CLASSES)
    except SheetsimError as error:
        raise SheetsimError(f"the labels: {error}") from None
    picture = _picture(shapes[0][1:])
    if picture:
        names = [f"pixel_{r}_{c}" for r in range(picture[0]) for c in range(picture[1])]
    else:
        names = [f"x_{k}" for k in range(1, features.shape[1] + 1)]
    own_test = shapes[1][0] if len(shapes) > 1 else 0
    return Records(
        features, target, class_names, tuple(names), "label", own_test, picture, tuple(notes), sha256_of(files)
    )


def _numbers(array: NDArray[Any], what: str) -> NDArray[Any]:
    """The array in memory, as uint8 where it is that, or else as float64."""
    if array.dtype.kind not in "biuf":
        raise SheetsimError(f"the {what} must be numbers, not {array.dtype}")
    if array.dtype == np.uint8:
        return np.array(array)
    with np.errstate(over="ignore"):
        numbers = np.array(array, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        place = ", ".join(str(k + 1) for k in wrong[0])
        raise SheetsimError(
            f"the {what} must be finite: the one at ({place}), counted from 1, is {numbers[tuple(wrong[0])]}"
        )
    return numbers


def _picture(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The rows and columns of a sample that is a picture in one color."""
    if shape == (MNIST_PIXELS,):
        return MNIST_SHAPE
    return (shape[0], shape[1]) if len(shape) == 2 or shape[2:] == (1,) else None
