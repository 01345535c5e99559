"""A person's own weights: files as others write them, layers by a plain loop, what is refused, the command."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

import sheetsim as package
from sheetsim.audit.verify import verify
from sheetsim.errors import SheetsimError
from sheetsim.studies.diagnose.weights_files import given_layers

RNG = np.random.default_rng(5)
W_1, W_2, W_3 = (RNG.standard_normal(shape) / 2 for shape in ((4, 6), (6, 5), (5, 3)))
B_1, B_2 = RNG.standard_normal(6), RNG.standard_normal(5)
X = RNG.standard_normal((30, 4))


def safetensors(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> Path:
    """The file as the format's description has it."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def torch_like(path: Path, dtype: str = "F64", kind: Any = np.float64) -> Path:
    """Linear layers' state: units × inputs, sorted as texts."""
    arrays = {
        "net.0.weight": W_1.T,
        "net.0.bias": B_1,
        "net.10.weight": W_3.T,
        "net.2.weight": W_2.T,
        "net.2.bias": B_2,
    }
    named = {name: (dtype, array.shape, np.ascontiguousarray(array, kind).tobytes()) for name, array in arrays.items()}
    return safetensors(path, named)


def test_layers_are_those_of_a_plain_loop_and_the_last_one_is_left_out() -> None:
    run = package.diagnose([W_1, B_1, W_2, B_2, W_3], data=X, activation="tanh")
    z = np.tanh(np.tanh(X @ W_1 + B_1) @ W_2 + B_2)
    assert np.allclose(run["z_2"], z, rtol=1e-12, atol=1e-14)
    table = run.summary()
    assert np.allclose(table["std"].iloc[1], z.std())
    assert len(table) == len(run.verdicts()) == 2
    assert run.notes[-1] == "array 5 is taken for the linear output layer and left out."
    whole = package.diagnose([W_1, B_1, W_2, B_2, W_3], data=X, activation="tanh", output_layer=False)
    assert np.allclose(whole["a_3"], z @ W_3)


@pytest.mark.parametrize("form", ["npz", "safetensors", "npy", "mapping"])
def test_all_forms_give_the_same_layers(form: str, tmp_path: Path) -> None:
    given: Any
    if form == "npz":
        given = tmp_path / "weights.npz"
        np.savez(given, W_1=W_1, b_1=B_1, W_2=W_2, b_2=B_2, W_3=W_3)
    elif form == "safetensors":
        given = torch_like(tmp_path / "weights.safetensors")
    elif form == "npy":
        given = []
        for k, array in enumerate((W_1, B_1, W_2, B_2, W_3)):
            given.append(tmp_path / f"{k}.npy")
            np.save(given[-1], array)
    else:
        given = {"a.kernel": W_1, "a.bias": B_1, "b.kernel": W_2, "b.bias": B_2, "c.kernel": W_3}
    run = package.diagnose(given, data=X, activation="relu")
    assert np.allclose(run["z_2"], np.maximum(np.maximum(X @ W_1 + B_1, 0) @ W_2 + B_2, 0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("dtype", "digits"), [("F32", 1e-6), ("F16", 1e-3), ("BF16", 1e-2)])
def test_other_precisions_are_read(dtype: str, digits: float, tmp_path: Path) -> None:
    kind: Any = {"F32": "<f4", "F16": "<f2"}.get(dtype)
    path = tmp_path / "weights.safetensors"
    if kind:
        torch_like(path, dtype, kind)
    else:
        raw = (np.ascontiguousarray(W_1.T, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
        safetensors(path, {"l.weight": ("BF16", (6, 4), raw)})
    (layer, *_) = given_layers(path, inputs=4).layers
    assert np.allclose(layer.W, W_1, rtol=digits, atol=digits)


def test_square_weights_are_turned_as_their_source_has_them(tmp_path: Path) -> None:
    square = RNG.standard_normal((4, 4))
    path = safetensors(tmp_path / "w.safetensors", {"l.weight": ("F64", (4, 4), square.tobytes())})
    assert np.array_equal(given_layers(path).layers[0].W, square.T)
    assert given_layers(path).notes[0].startswith("The rows of the weights are units: their names end in weight")
    assert np.array_equal(given_layers(path, "in-out").layers[0].W, square)
    assert np.array_equal(given_layers([square]).layers[0].W, square)
    assert "leave it open" in given_layers([square]).notes[0]
    # A state dict, whatever holds it; names of Keras; and names against shapes.
    assert np.array_equal(given_layers({"l.weight": square}).layers[0].W, square.T)
    flax = safetensors(tmp_path / "k.safetensors", {"l.kernel": ("F64", (4, 4), square.tobytes())})
    assert np.array_equal(given_layers(flax).layers[0].W, square)
    against = given_layers({"a.weight": W_1, "b.weight": W_2})
    assert np.array_equal(against.layers[0].W, W_1)
    assert "inputs, by their shapes, although their names end in weight" in against.notes[0]


def test_report_and_book_say_how_weights_were_read(tmp_path: Path) -> None:
    run = package.diagnose({"a.weight": W_1.T, "a.bias": B_1, "b.weight": W_2.T}, data=X, output_layer=False)
    assert run.notes[0].startswith("The rows of the weights are units")
    assert run.notes[1] == "Biases of 1 of 2 layers are added to their sums."
    book = openpyxl.load_workbook(run.to_excel(tmp_path / "d.xlsx"))
    texts = [str(cell.value) for row in book["About"].iter_rows() for cell in row if cell.value]
    assert any(all(note in text for note in run.notes) for text in texts)


def test_fresh_he_weights_are_healthy_and_small_ones_are_not() -> None:
    def words(std: float) -> list[str]:
        weights = [RNG.standard_normal((100, 100)) * std for _ in range(4)]
        return package.diagnose(weights, samples=200, output_layer=False).verdicts()

    assert words(np.sqrt(2 / 100)) == ["healthy"] * 4
    assert words(0.01)[-1] == "dying"
    assert words(1.0)[-1] == "exploding"


REFUSED = [
    ([W_1, W_3], {}, "array 2 takes 5 inputs, but array 1 before it has 6 units"),
    ([W_1, B_2], {}, "array 1 has 6 units, but its biases are 5 numbers"),
    ([B_1], {}, "array 1, of the shape .6,., is neither a matrix of weights nor the biases"),
    ({"W": W_1, "mystery": B_1}, {}, "mystery, of the shape .6,., is neither a matrix of weights nor the biases"),
    ({"W": W_1, "V": W_1, "odd": np.ones((2, 2, 2))}, {}, r"weights to use \(layers\), of W, V$"),
    ({"fc.weight": W_1, "fc.bias": B_1}, {"layout": "out-in"}, "its biases are 6 numbers: layout in-out would fit"),
    ({"W": W_1}, {"layers": ["V"]}, "there are no weights 'V': there are W"),
    ([np.full((2, 2), np.nan)], {}, "array 1 holds numbers that are not finite"),
    ([W_1], {"layout": "sideways"}, "layout must be one of in-out, out-in, auto"),
    ([W_1], {"data": X[:, :3]}, "array 1 takes 4 inputs, but the data have 3"),
    ([W_1], {"data": X, "samples": 5}, "samples sets the number of drawn inputs"),
    ([], {}, "weights must be a file, a list"),
    ("weights.pt", {}, "weights.pt is not one of .npz, .npy, .safetensors; PyTorch saves with"),
    ("none.npz", {}, "there is no file none.npz"),
]


@pytest.mark.parametrize(("weights", "keys", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_chain_of_layers_is_refused(weights: Any, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SheetsimError, match=sentence):
        package.diagnose(weights, **keys)


BAD = {
    "no header": b"\x00",
    "a header longer than the file": struct.pack("<Q", 10**9) + b"{}",
    "no JSON": struct.pack("<Q", 2) + b"[[",
    "a list": struct.pack("<Q", 2) + b"[]",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_damaged_safetensors_are_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(SheetsimError, match=r"bad\.safetensors is not a \.safetensors file"):
        given_layers(path)


def test_places_outside_of_the_file_and_objects_are_refused(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "w.safetensors", {"w.weight": ("F64", (2, 2), bytes(32))})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SheetsimError, match=r"w.weight lies outside the file"):
        given_layers(path)
    with pytest.raises(SheetsimError, match="does not have as many bytes as its shape"):
        given_layers(safetensors(tmp_path / "v.safetensors", {"w.weight": ("F64", (2, 3), bytes(32))}))
    with pytest.raises(SheetsimError, match="w is of I64"):
        given_layers(safetensors(tmp_path / "u.safetensors", {"w": ("I64", (1, 1), bytes(8))}))
    np.savez(tmp_path / "objects.npz", w=np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(SheetsimError, match="holds Python objects, which can run code"):
        given_layers(tmp_path / "objects.npz")
    listed = np.empty(2, dtype=object)
    listed[:] = [W_1, W_2]
    np.save(tmp_path / "list.npy", listed, allow_pickle=True)
    with pytest.raises(SheetsimError, match=r"list\.npy holds pickled Python objects"):
        given_layers(tmp_path / "list.npy")


def test_the_command_prints_json_and_writes_a_live_book(sheetsim: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", W_1=W_1, b_1=B_1, W_2=W_2)
    np.save(tmp_path / "x.npy", X)
    command = "diagnose w.npz --data x.npy --activation tanh --format json --output d.xlsx"
    status, out, error = sheetsim(*command.split())
    assert status == 0, error
    rows = json.loads(out)
    expected = package.diagnose(tmp_path / "w.npz", data=X, activation="tanh")
    assert [row["verdict"] for row in rows] == expected.verdicts()
    assert rows[0]["std"] == expected.summary()["std"].iloc[0]
    assert "W_2 is taken for the linear output layer" in error
    assert verify(tmp_path / "d.xlsx").state == "as written"
    book = openpyxl.load_workbook(tmp_path / "d.xlsx")
    texts = [str(cell.value) for row in book["About"].iter_rows() for cell in row if cell.value]
    assert f"sheetsim {command}" in texts
    status, _, error = sheetsim("diagnose", "none.npz")
    assert (status, error) == (2, "sheetsim: there is no file none.npz\n")
