"""Numbers kept in a folder, each array whole or not at all under a name that says what made it. It computes none."""

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from sheetsim.errors import SheetsimError
from sheetsim.model.graph import Graph
from sheetsim.model.packing import content
from sheetsim.studies.study import Experiment
from sheetsim.version import __version__
from sheetsim.whole_file import whole_file

# Raised whenever the same parameters give other numbers: a part of another format is never used.
FORMAT = 3

# Bytes of a checksum.
CHECK = 32

# Keys of a study on which no statistic depends.
UNUSED = ("study", "title", "description", "histogram", "report")


def fingerprint(study: Experiment | Graph, columns: Sequence[str]) -> str:
    """A name for what a study's or a model's replicates are made of.

    Its parameters or nodes, the statistics, and who computes them.

    Versions of NumPy and SciPy may differ in the last digits.
    """
    if isinstance(study, Graph):
        made_by = [FORMAT, __version__, np.__version__, scipy.__version__, list(columns)]
        digest = hashlib.blake2s(repr(made_by).encode())
        for piece in content(study):
            digest.update(piece)
        return digest.hexdigest()[:32]
    keys = {key: value for key, value in study.parameters().items() if key not in UNUSED}
    made_by = [FORMAT, __version__, np.__version__, scipy.__version__]
    digest = hashlib.blake2s(json.dumps([made_by, list(columns), keys], sort_keys=True, default=str).encode())
    if hasattr(data := getattr(study, "input", None), "__array__"):
        array = np.ascontiguousarray(data, dtype=np.float64)
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()[:32]


class Parts:
    """A folder of arrays. Several processes may use it at once: they store the same bytes under the same names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> Any:
        """The array of that name, or None where there is none or it is damaged."""
        try:
            content = self._path(name).read_bytes()
            body, check = content[:-CHECK], content[-CHECK:]
            return np.load(BytesIO(body), allow_pickle=False) if _check(name, body) == check else None
        except (OSError, ValueError):
            return None

    def store(self, name: str, array: Any) -> None:
        """Keeps the array. Raises SheetsimError when it cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SheetsimError(f"cannot make the folder {self._folder}: {reason}") from None
        body = BytesIO()
        np.save(body, array, allow_pickle=False)
        with whole_file(self._path(name)) as file:
            file.write(body.getvalue() + _check(name, body.getvalue()))

    def _path(self, name: str) -> Path:
        # NumPy reads the file as it is: the checksum stands after the array.
        return self._folder / f"{name}.npy"


def _check(name: str, body: bytes) -> bytes:
    """A checksum with the name in it: a part that was renamed is as wrong as one that was cut."""
    return hashlib.blake2s(name.encode() + body, digest_size=CHECK).digest()
