"""A person's own weights: layers of arrays, from .npz, .npy and .safetensors files or as they are. Objects are refused.

A .safetensors file is eight bytes with the length of a header, the header in JSON (by name dtype, shape and place), and
raw numbers (github.com/huggingface/safetensors): it is read here, within bounds, as that takes a page and no library;
the library's own NumPy reader knows no bfloat16.
"""

import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular, check_text, path_of
from sheetsim.model.op import Array
from sheetsim.studies.input_files import in_words, mapped_npy

SUFFIXES = (".npz", ".npy", ".safetensors")

# How the rows of a matrix of weights are: its inputs, as this package, NumPy scripts and Keras have them, or its units,
# as PyTorch's Linear has them.
IN_OUT, OUT_IN, AUTO = LAYOUTS = ("in-out", "out-in", "auto")

# What rows are: not turned, turned.
ROWS = ("inputs", "units")

# Of all arrays together, and of a header.
MOST_NUMBERS, MOST_HEADER = 50_000_000, 10_000_000

# By the dtype of a .safetensors file, NumPy's; bfloat16 is the upper half of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

# What a weight matrix's name has where that of its biases has something else.
PAIRS = (("weight", "bias"), ("kernel", "bias"), ("coef", "intercept"), ("W", "b"), ("w", "b"))


class GivenLayer(NamedTuple):
    """A layer that a person brought: the name of its weights, these (fan-in × units), and its biases (1 × units)."""

    name: str
    W: Array
    b: Array | None


class GivenLayers(NamedTuple):
    """Layers in their order; source: where they are from, in words; notes: how they were read, in sentences."""

    layers: tuple[GivenLayer, ...]
    source: tuple[str, ...]
    notes: tuple[str, ...]


def given_layers(
    weights: Any, layout: str = AUTO, chosen: Sequence[str] = (), inputs: int | None = None
) -> GivenLayers:
    """The layers of a file, of several .npy files, or of arrays.

    A mapping of names, or a sequence in which the biases, 1-D, stand behind their weights.

    layout: one of LAYOUTS; chosen: names of the weights to take, in their order, of those that have names; inputs: of
    the network, where that is known. Raises SheetsimError for what is no chain of layers.
    """
    if layout not in LAYOUTS:
        raise SheetsimError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    arrays, source, torch = _arrays(weights)
    names = list(arrays)
    if isinstance(weights, Mapping) or len(source) == 1:
        pairs = _paired(arrays, chosen)
    else:
        if chosen:
            raise SheetsimError(
                "layers chooses weights by name, but these arrays have no names: give only the arrays to use"
            )
        pairs = _in_order([(name, arrays[name]) for name in names])
    if not pairs:
        raise SheetsimError(f"there is no matrix of weights among {_listed(names) or 'nothing'}")
    turned, note = _turned(pairs, layout, torch, inputs)
    layers: list[GivenLayer] = []
    for name, W, b in pairs:
        oriented = np.ascontiguousarray(W.T if turned else W)
        if b is not None and b.size != oriented.shape[1]:
            other = "in-out" if turned else "out-in"
            hint = f": layout {other} would fit" if b.size == oriented.shape[0] else ""
            raise SheetsimError(f"{name} has {oriented.shape[1]} units, but its biases are {b.size} numbers{hint}")
        if layers and layers[-1].W.shape[1] != oriented.shape[0]:
            before = layers[-1]
            raise SheetsimError(
                f"{name} takes {oriented.shape[0]} inputs, but {before.name} before it has {before.W.shape[1]} units: "
                "name the weights in their order (layers), or set how they are stored (layout)"
            )
        layers.append(GivenLayer(name, oriented, None if b is None else b.reshape(1, -1)))
    if inputs is not None and layers[0].W.shape[0] != inputs:
        raise SheetsimError(f"{layers[0].name} takes {layers[0].W.shape[0]} inputs, but the data have {inputs}")
    return GivenLayers(tuple(layers), tuple(source), (note,) if note else ())


def _arrays(weights: Any) -> tuple[dict[str, Array], list[str], bool]:
    """The arrays by name, where they are from, and whether a file has them as PyTorch does."""
    if isinstance(weights, Mapping):
        named = {str(name): _numbers(str(name), array) for name, array in weights.items()}
        return named, ["arrays of Python"], False
    if isinstance(weights, str | Path) or hasattr(weights, "__fspath__"):
        weights = [weights]
    if not isinstance(weights, Sequence) or not len(weights):
        raise SheetsimError("weights must be a file, a list of .npy files or arrays, or a mapping of names to arrays")
    if not any(isinstance(one, str | Path) or hasattr(one, "__fspath__") for one in weights):
        named = {f"array {k}": _numbers(f"array {k}", one) for k, one in enumerate(weights, start=1)}
        return named, ["", ""], False
    paths = [path_of(one, "weights") for one in weights]
    for path in paths:
        check_text("weights", str(path))
    if len(paths) > 1 or paths[0].suffix.lower() == ".npy":
        others = [path for path in paths if path.suffix.lower() != ".npy"]
        if others:
            raise SheetsimError(f"several files of weights must all be .npy files, one array each; {others[0]} is not")
        named = {str(path): _numbers(str(path), _read(path, mapped_npy)) for path in paths}
        return named, [str(path) for path in paths] + [""] * (len(paths) == 1), False
    (path,) = paths
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SheetsimError(
            f"{path} is not one of {', '.join(SUFFIXES)}; PyTorch saves with safetensors.torch.save_file"
        )
    raw = _read(path, _npz if suffix == ".npz" else _safetensors)
    # In their order by number: a .safetensors file sorts names as texts, 10 before 2.
    return {name: _numbers(name, raw[name]) for name in sorted(raw, key=_natural)}, [str(path)], suffix != ".npz"


def _read(path: Path, reader: Any) -> Any:
    try:
        if not path.exists() or path.is_dir():
            raise SheetsimError(f"there is no file {path}")
        check_regular(path)
        return reader(path)
    except OSError as error:
        raise SheetsimError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if sum(member.file_size for member in members) > 8 * MOST_NUMBERS:
                raise SheetsimError(f"{path} holds more than {MOST_NUMBERS:,} numbers")
            return {member.filename.removesuffix(".npy"): _member(path, archive, member) for member in members}
    except (OSError, SheetsimError, MemoryError):
        raise
    except Exception as error:  # of zip, of deflate and of NumPy's header, which share no base
        raise SheetsimError(f"{path} is not an .npz of arrays that NumPy can load: {in_words(error)}") from None


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """An array, once its header promises no more than the member holds."""
    with archive.open(member) as stream:
        version = npy_format.read_magic(stream)
        read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise SheetsimError(f"{path}: {member.filename} holds Python objects, which can run code: save numbers")
        if min(shape, default=0) < 0 or stream.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise SheetsimError(f"{path}: {member.filename} is not as long as its header says")
    with archive.open(member) as stream:
        array: NDArray[Any] = npy_format.read_array(stream, allow_pickle=False)
        return array


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MOST_HEADER, size - 8):
            raise SheetsimError(f"{path} is not a .safetensors file: the length of its header does not fit the file")
        try:
            header = json.loads(file.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            places = {name: (e["dtype"], list(e["shape"]), *e["data_offsets"]) for name, e in entries.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            told = in_words(error)
            raise SheetsimError(f"{path} is not a .safetensors file: its header cannot be read, {told}") from None
        arrays = {}
        for name, (dtype, shape, begin, end) in places.items():
            if dtype not in DTYPES:
                raise SheetsimError(f"{path}: {name} is of {dtype!s:.20}; weights are of {', '.join(DTYPES)}")
            numbers = [*shape, begin, end]
            if not all(isinstance(number, int) and number >= 0 for number in numbers) or end > size - 8 - length:
                raise SheetsimError(f"{path}: {name} lies outside the file")
            kind = np.dtype(DTYPES[dtype])
            if end - begin != math.prod(shape) * kind.itemsize or math.prod(shape) > MOST_NUMBERS:
                raise SheetsimError(f"{path}: {name} does not have as many bytes as its shape {tuple(shape)} needs")
            file.seek(8 + length + begin)
            array = np.frombuffer(file.read(end - begin), kind).reshape(shape)
            if dtype == "BF16":
                array = (array.astype("<u4") << 16).view("<f4")
            arrays[name] = array
        return arrays


def _numbers(name: str, array: Any) -> Array:
    try:
        made = np.asarray(array)
    except Exception:  # an object's own conversion may raise anything
        raise SheetsimError(f"weights: {name} is not an array of numbers") from None
    if made.dtype.kind not in "iuf" or made.size == 0:
        raise SheetsimError(f"weights: {name} has {made.size} elements of {made.dtype}: give an array of numbers")
    if made.size > MOST_NUMBERS:
        raise SheetsimError(f"weights: {name} has {made.size:,} numbers; {MOST_NUMBERS:,} are allowed")
    numbers = np.array(made, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise SheetsimError(f"weights: {name} holds numbers that are not finite")
    return numbers


def _paired(arrays: Mapping[str, Array], chosen: Sequence[str]) -> list[tuple[str, Array, Array | None]]:
    """The matrices with the biases whose names go with theirs; nothing else may be there, unless some were chosen."""
    unknown = [name for name in chosen if name not in arrays]
    if unknown:
        raise SheetsimError(f"there are no weights {unknown[0]!r}: there are {_listed(arrays)}")
    taken, pairs = set(), []
    for name in chosen or [name for name, array in arrays.items() if array.ndim == 2 and min(array.shape) > 1]:
        if arrays[name].ndim != 2:
            raise SheetsimError(f"{name} is not a matrix: its shape is {arrays[name].shape}")
        other = next((one for one in _biases_of(name) if one in arrays and one != name), None)
        taken |= {name, other}
        pairs.append((name, arrays[name], None if other is None else arrays[other].ravel()))
    left = [name for name in arrays if name not in taken]
    if not chosen and not pairs:
        pairs = [(name, array, None) for name, array in arrays.items() if array.ndim == 2]
        left = [name for name in left if arrays[name].ndim != 2]
    if left and not chosen:
        shape = arrays[left[0]].shape
        matrices = _listed([name for name, array in arrays.items() if array.ndim == 2])
        then = (
            f": name the weights to use (layers), of {matrices}" if matrices else ", and there is no matrix of weights"
        )
        raise SheetsimError(
            f"{left[0]}, of the shape {shape}, is neither a matrix of weights nor the biases of one{then}"
        )
    return pairs


def _biases_of(name: str) -> list[str]:
    """What the biases of weights of such a name can be called."""
    made = []
    for weights, biases in PAIRS:
        head, part, tail = name.rpartition(weights)
        if part:
            made.append(f"{head}{biases}{tail}")
    return made


def _in_order(arrays: Sequence[tuple[str, Array]]) -> list[tuple[str, Array, Array | None]]:
    """Matrices, each with the 1-D array behind it as its biases."""
    pairs: list[tuple[str, Array, Array | None]] = []
    for name, array in arrays:
        if array.ndim == 2:
            pairs.append((name, array, None))
        elif array.ndim == 1 and pairs and pairs[-1][2] is None:
            pairs[-1] = (*pairs[-1][:2], array)
        else:
            raise SheetsimError(
                f"{name}, of the shape {array.shape}, is neither a matrix of weights nor the biases after one"
            )
    return pairs


def _turned(
    pairs: Sequence[tuple[str, Array, Array | None]], layout: str, torch: bool, inputs: int | None
) -> tuple[bool, str]:
    """Whether rows are units, and what is said of it: by the layout, by the convention of the names, by the shapes."""
    if layout != AUTO:
        return layout == OUT_IN, f"The rows of the weights are {ROWS[layout == OUT_IN]}, by the layout {layout}."
    fits = {turned: _chained(pairs, turned, inputs) for turned in (False, True)}
    convention = _convention([name for name, _, _ in pairs], torch)
    if convention is None:
        turned = fits[True] and not fits[False]
        if fits[False] != fits[True]:
            return turned, f"The rows of the weights are {ROWS[turned]}, by their shapes."
        return False, f"The shapes leave it open: the rows of the weights are taken for inputs; {_other(False)}."
    turned, why = convention
    if fits[not turned] and not fits[turned]:
        return not turned, f"The rows of the weights are {ROWS[not turned]}, by their shapes, although {why}."
    return turned, f"The rows of the weights are {ROWS[turned]}: {why}; {_other(turned)}."


def _convention(names: Sequence[str], torch: bool) -> tuple[bool, str] | None:
    """Whether rows are units where weights are stored under such names, and why; None where no convention says so."""
    last = {name.rpartition(".")[2].rpartition("/")[2] for name in names}
    if last == {"weight"}:
        return True, "their names end in weight, and PyTorch’s Linear has them so"
    if last == {"kernel"}:
        return False, "their names end in kernel, and Keras and Flax have them so"
    return (True, "PyTorch has them so in its .safetensors files") if torch else None


def _other(turned: bool) -> str:
    return f"layout {IN_OUT if turned else OUT_IN} turns them"


def _chained(pairs: Sequence[tuple[str, Array, Array | None]], turned: bool, inputs: int | None) -> bool:
    """Whether the layers fit one another, and their biases, with rows as units or as inputs."""
    before = inputs
    for _, W, b in pairs:
        fan_in, units = W.shape[::-1] if turned else W.shape
        if before not in (None, fan_in) or (b is not None and b.size != units):
            return False
        before = units
    return True


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]{1,18})", name)]


def _listed(names: Any) -> str:
    every = list(map(str, names))
    return ", ".join(every[:12]) + (", …" if len(every) > 12 else "")
