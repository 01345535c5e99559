"""IDX files, raw or gzip: pictures of bytes and their labels, the layout of MNIST and of what follows it.

A header of four bytes (0, 0, 8 for unsigned bytes, the number of dimensions), then each dimension as four bytes, the
most significant first, then the bytes (Y. LeCun, C. Cortes and C. Burges, THE MNIST DATABASE).
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular
from sheetsim.studies.data_sets.arrays import array_records
from sheetsim.studies.data_sets.beside import files_beside, idx_labels
from sheetsim.studies.data_sets.records import Records, check_count

_NAME = re.compile(r"[-.]idx\d-ubyte(\.gz)?\Z")

GZIP = b"\x1f\x8b"

# Deflate makes no more of a byte (zlib's technical notes).
MOST_INFLATED = 1032


def is_idx(path: Path) -> bool:
    """Whether a file is named as IDX files are: train-images-idx3-ubyte, train-images.idx3-ubyte, either with .gz."""
    return _NAME.search(path.name) is not None


def idx_records(path: Path, labels: Path | None, task: str | None) -> Records:
    """Pictures and their labels, by `files_beside`: of train-images… also t10k-images…, the test part.

    Raises SheetsimError, OSError.
    """
    if "idx1" in path.name:
        raise SheetsimError(f"{path} holds labels: give the file of the pictures as data, and this one as labels")
    files, notes = files_beside(path, labels, idx_labels)
    arrays = [idx_array(file, 1 if k % 2 else 3) for k, file in enumerate(files)]
    return array_records(files, arrays, task, notes)


def idx_array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The bytes of an IDX file that has so many dimensions. Reads no more than its header says, and a byte.

    Raises SheetsimError for another file, and for one that is longer or shorter than it says; OSError.
    """
    check_regular(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        try:
            if not is_packed:
                return _array(path, file, dimensions, size)
            with gzip.GzipFile(fileobj=file) as stream:
                return _array(path, stream, dimensions, size * MOST_INFLATED)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SheetsimError(f"{path} is a damaged gzip file: {error}") from None


def _array(path: Path, stream: IO[bytes] | gzip.GzipFile, dimensions: int, most: int) -> NDArray[np.uint8]:
    """The array; most: bytes that the file can hold."""
    magic = bytes((0, 0, 8, dimensions))
    head = stream.read(len(magic) + 4 * dimensions)
    if not head.startswith(magic) or len(head) < len(magic) + 4 * dimensions:
        kind = "pictures" if dimensions == 3 else "labels"
        begin = head[: len(magic)].hex() or "nothing"
        raise SheetsimError(f"{path} is not an IDX file of {kind}: it begins with {begin} instead of {magic.hex()}")
    shape = struct.unpack(f">{dimensions}I", head[len(magic) :])
    check_count(shape[0], math.prod(shape[1:]))
    length = math.prod(shape)
    content = stream.read(length + 1) if length <= most else b""
    if len(content) != length:
        is_longer = len(content) > length
        sides = " × ".join(f"{side:,}" for side in shape)
        raise SheetsimError(
            f"{path} is {'longer' if is_longer else 'shorter'} than the {sides} bytes that its header states"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
