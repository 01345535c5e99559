"""Data sets for training: what is read from each kind of file, how it is split and scaled, and what is refused."""

import builtins
import gzip
import io
import pickle
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from sheetsim.errors import SheetsimError
from sheetsim.studies.data_sets.records import Records
from sheetsim.studies.data_sets.source import DataSource, load_records
from sheetsim.studies.data_sets.split import DataSet, scale_features, split_records

HEADING = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"


def titanic(path: Path) -> Path:
    """30 passengers as Kaggle's file has them: 12 survived; gaps in Age (6), Cabin (23) and Embarked (2)."""
    rows = [HEADING]
    for k in range(30):
        age = "" if k % 5 == 4 else str(20 + k)
        ticket = f"A/5 {k}" if k % 3 == 0 else str(113000 + k)
        cabin = f"C{k}" if k % 4 == 1 and k < 28 else ""
        embarked = "" if k in (7, 19) else "SCQ"[k % 3]
        name = f'"Person, Mr. {k}"'
        sex = "male" if k % 2 else "female"
        rows.append(
            f"{k + 1},{int(k % 5 < 2)},{k % 3 + 1},{name},{sex},{age},{k % 2},0,{ticket},{k}.5,{cabin},{embarked}"
        )
    path.write_text("\n".join(rows) + "\n")
    return path


def parts(seed: int = 0, **keys: Any) -> DataSet:
    source = DataSource(**keys)
    return split_records(load_records(source), source, seed)


def refused(sentence: str, **keys: Any) -> None:
    with pytest.raises(SheetsimError, match=sentence) as caught:
        parts(**keys)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def idx(path: Path, array: np.ndarray) -> Path:
    """Written as the format's own page says: magic number, sizes, bytes; gzip by the name."""
    content = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def pictures(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).integers(0, 256, (n, 5, 4), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 3


def test_titanic_s_csv_needs_its_target_and_no_more(tmp_path: Path) -> None:
    data = parts(data=titanic(tmp_path / "titanic.csv"), target="Survived")
    numbers = ("PassengerId", "Pclass")
    texts = ("Sex=female", "Sex=male")
    assert data.feature_names == (
        *numbers, *texts, "Age", "SibSp", "Parch", "Fare", "Embarked=C", "Embarked=Q", "Embarked=S"
    )  # fmt: skip
    assert (data.class_names, data.target_name, data.image_shape) == (("0", "1"), "Survived", None)
    assert data.train_x.shape == (24, 11)
    notes = "\n".join(data.notes)
    assert "Name is left out: 30 different texts in 30 cells" in notes
    assert "Ticket is left out: 30 different texts in 30 cells" in notes
    assert "Cabin is left out: 7 different texts in 7 cells" in notes
    assert "Embarked is a feature for each of its 3 categories, 1 or 0; 2 gaps have 0 in each." in notes
    assert "Parch is constant in the training part, and 0 in every sample." in notes


def test_categories_are_one_hot_and_gaps_stay_gaps_until_the_split(tmp_path: Path) -> None:
    records = load_records(DataSource(titanic(tmp_path / "t.csv"), target=2, drop=("Name", "1", 9)))
    column = dict(zip(records.feature_names, records.features.T, strict=True))
    assert "PassengerId" not in column
    assert column["Sex=male"].tolist() == [0, 1] * 15
    embarked = np.array([column[f"Embarked={port}"] for port in "SCQ"])
    assert embarked[:, [0, 1, 2, 7]].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert np.flatnonzero(np.isnan(column["Age"])).tolist() == [4, 9, 14, 19, 24, 29]
    assert records.target.tolist() == [1, 1, 0, 0, 0] * 6
    assert not any("Name" in note for note in records.notes)


def test_means_and_deviations_are_of_the_training_part_alone() -> None:
    keys = {"data": "wine", "test_fraction": 0.25, "validation_fraction": 0.25}
    raw, standard = parts(3, scale="none", **keys), parts(3, **keys)
    assert [len(x) for x in (raw.train_x, raw.validation_x, raw.test_x)] == [90, 44, 44]
    np.testing.assert_allclose(standard.mean, raw.train_x.mean(axis=0))
    np.testing.assert_allclose(standard.std, raw.train_x.std(axis=0))
    np.testing.assert_allclose(standard.test_x, (raw.test_x - standard.mean) / standard.std)
    assert np.abs(standard.test_x.mean(axis=0)).max() > 0.05


def test_the_median_that_fills_a_gap_is_the_training_part_s() -> None:
    features = np.array([[0.0, 1], [1, 2], [2, 50], [3, 4], [4, np.nan], [5, 100]])
    records = Records(features, np.arange(6.0), (), ("k", "x"))
    for seed in range(8):
        source = DataSource(scale="none", test_fraction=0.34)
        data = split_records(records, source, seed)
        rows = data.train_x[:, 0].astype(int)
        expected = np.median([features[k, 1] for k in rows if k != 4])
        assert [x for k, x in np.concatenate([data.train_x, data.test_x]) if k == 4] == [expected]
        assert data.notes == (
            f"x: 1 of 6 values missing, each replaced by {expected:g}, the median of the training part.",
        )


def test_digits_are_split_in_the_proportions_of_their_classes() -> None:
    source = DataSource(test_fraction=0.2, validation_fraction=0.1)
    records = load_records(source)
    data = split_records(records, source, 0)
    assert [len(y) for y in (data.train_y, data.validation_y, data.test_y)] == [1258, 180, 359]
    counts = np.bincount(records.target)
    for y, fraction in ((data.validation_y, 0.1), (data.test_y, 0.2)):
        assert np.all(np.abs(np.bincount(y) - fraction * counts) < 1)
    assert data.image_shape == (8, 8)
    assert data.class_names == tuple("0123456789")
    # Every sample is in one part, with its own label.
    together = np.concatenate([data.train_x, data.validation_x, data.test_x])
    labels = np.concatenate([data.train_y, data.validation_y, data.test_y])
    expected = np.column_stack([scale_features(records.features, data.mean, data.std), records.target])
    both = np.column_stack([together, labels])
    np.testing.assert_array_equal(both[np.lexsort(both.T)], expected[np.lexsort(expected.T)])


def test_a_seed_repeats_its_split_and_another_gives_another() -> None:
    source = DataSource("iris")
    records = load_records(source)
    first, again, other = (split_records(records, source, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train_x, again.train_x)
    assert not np.array_equal(first.train_y, other.train_y)
    assert len(set(first.train_y[:20])) == 3  # the file is sorted by class, the training part is not


def test_pixels_constant_in_training_are_0_and_unit_divides_by_the_largest() -> None:
    data = parts(data="digits")
    assert "pixel_0_0, " in data.notes[-1]
    assert "are constant in the training part, and 0 in every sample." in data.notes[-1]
    constant = np.flatnonzero(data.std == 0)
    raw = parts(data="digits", scale="none")
    assert constant.tolist() == np.flatnonzero(np.ptp(raw.train_x, axis=0) == 0).tolist()
    assert not data.train_x[:, constant].any()
    assert not data.test_x[:, constant].any()
    unit = parts(data="digits", scale="unit")
    np.testing.assert_array_equal(unit.test_x, raw.test_x / 16)
    assert (set(unit.std), set(unit.mean)) == ({16.0}, {0.0})


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("breast_cancer", (569, 30), 2), ("wine", (178, 13), 3), ("iris", (150, 4), 3), ("diabetes", (442, 10), 0)],
)
def test_the_sets_of_scikit_learn(name: str, shape: tuple[int, int], classes: int) -> None:
    records = load_records(DataSource(name))
    assert records.features.shape == shape
    assert len(records.class_names) == classes
    assert len(records.feature_names) == shape[1]
    assert records.target.dtype == (np.int64 if classes else np.float64)
    assert records.sha256[0][0] == name


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str, *rest: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return imported(name, *rest)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    refused(r"pip install 'sheetsim\[data\]'", data="digits")


def test_a_limit_keeps_the_proportions_and_every_class() -> None:
    source = DataSource("breast_cancer", limit=57)
    records = load_records(source)
    data = split_records(records, source, 0)
    assert len(data.train_y) == 57
    np.testing.assert_allclose(np.bincount(data.train_y) / 57, np.bincount(records.target) / 569, atol=1 / 50)
    assert len(data.test_y) == 114
    assert sorted(parts(data="digits", limit=10).train_y) == list(range(10))
    assert len(parts(data="iris", limit=10_000).train_y) == 120
    refused("limit is 9, but training needs at least one sample of each of the 10 classes", data="digits", limit=9)


def test_a_rare_class_is_in_training(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{k},{'rare' if k == 0 else 'common'}\n" for k in range(20)))
    for seed in range(5):
        assert 1 in parts(seed, data=path, target="y", test_fraction=0.9).train_y


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_idx_is_read_with_its_labels_and_test_part(tmp_path: Path, name: str) -> None:
    (x, y), (test_x, test_y) = pictures(30), pictures(9, seed=1)
    path = idx(tmp_path / name, x)
    idx(tmp_path / name.replace("images", "labels").replace("idx3", "idx1"), y)
    data = parts(data=path, scale="unit")
    assert [len(x) for x in (data.train_x, data.test_x)] == [24, 6]
    idx(tmp_path / name.replace("train-images", "t10k-images"), test_x)
    data = parts(data=path, scale="none")
    assert any("lies beside without its labels" in note for note in data.notes)
    # A labels' file may be packed where the pictures are not.
    idx(
        tmp_path / (name.replace("train-images", "t10k-labels").replace("idx3", "idx1").removesuffix(".gz") + ".gz"),
        test_y,
    )
    data = parts(data=path, scale="none")
    assert (data.image_shape, data.class_names) == ((5, 4), ("0", "1", "2"))
    np.testing.assert_array_equal(data.test_x, test_x.reshape(9, 20))
    np.testing.assert_array_equal(data.test_y, test_y)
    assert len(data.train_x) == 30
    assert sorted(map(tuple, data.train_x)) == sorted(map(tuple, x.reshape(30, 20).astype(float)))


def test_idx_that_lies_about_its_size_is_refused_at_once(tmp_path: Path) -> None:
    images, labels = tmp_path / "a-images-idx3-ubyte", tmp_path / "a-labels-idx1-ubyte"
    x, y = pictures(6)
    idx(labels, y)
    start = time.monotonic()
    for sizes, sentence in (
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), "are more than the limit of 268,435,456 numbers"),
        ((10_000, 100, 100), "is shorter than the 10,000 × 100 × 100 bytes that its header states"),
        ((5, 5, 4), "is longer than the 5 × 5 × 4 bytes"),
        ((0, 5, 4), "longer"),
    ):
        content = struct.pack(">4I", 0x803, *sizes) + x.tobytes()
        for data in (content, gzip.compress(content)):
            images.write_bytes(data)
            refused(sentence, data=images)
    # A bomb: 64 MB of zeros in 64 kB, after a header that says 100 bytes.
    images.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 1, 10, 10) + bytes(1 << 26), 1))
    refused("is longer", data=images)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not an IDX file of pictures: it begins with nothing"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "begins with 89504e47 instead of 00000803"),
        (struct.pack(">2I", 0x801, 3) + b"abc", "begins with 00000801"),
        (gzip.compress(struct.pack(">4I", 0x803, 3, 5, 4) + bytes(60), mtime=0)[:-12], "a damaged gzip file"),
        (b"\x1f\x8bxxxxxxxxxxxxxxxxx", "a damaged gzip file"),
    ],
    ids=["empty", "png", "labels", "cut", "no gzip"],
)
def test_a_foreign_idx_file_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    idx(tmp_path / "a-labels-idx1-ubyte", np.arange(3))
    (tmp_path / "a-images-idx3-ubyte").write_bytes(content)
    refused(sentence, data=tmp_path / "a-images-idx3-ubyte")


def test_an_npz_of_keras_keeps_its_test_part(tmp_path: Path) -> None:
    (x, y), (test_x, test_y) = pictures(12), pictures(6, seed=1)
    np.savez_compressed(tmp_path / "a.npz", x_train=x, y_train=y.reshape(-1, 1), x_test=test_x, y_test=test_y)
    data = parts(data=tmp_path / "a.npz", scale="none", test_fraction=0.5, validation_fraction=0.25)
    np.testing.assert_array_equal(data.test_x, test_x.reshape(6, 20))
    assert [len(data.train_x), len(data.validation_x), data.image_shape] == [9, 3, (5, 4)]
    assert "The test part is the source's own, 6 samples." in data.notes
    np.savez(tmp_path / "b.npz", x_train=x, y_train=y)
    assert len(parts(data=tmp_path / "b.npz", test_fraction=0.25).test_x) == 3


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


X, Y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a zip", "not an .npz of arrays"),
        (zipped(x_train=npy(X)), "must hold x_train, y_train, x_test, y_test, as Keras' data sets do, not x_train.npy"),
        (zipped(x_train=npy(X), y_train=npy(Y), x_test=npy(X)), "must hold"),
        (
            zipped(x_train=npy(np.array([[1], [2, 3]], dtype=object)), y_train=npy(Y)),
            "Python objects, which can run code",
        ),
        (zipped(x_train=npy(X)[:-8], y_train=npy(Y)), "x_train is not as long as its header says"),
        (zipped(x_train=npy(X).replace(b"(12, 2)", b"(9**9,2)"), y_train=npy(Y)), "not an .npz of arrays"),
        (zipped(x_train=npy(X).replace(b"(12, 2)", b"(-6,-4)"), y_train=npy(Y)), "not as long as its header says"),
        (zipped(x_train=b"broken", y_train=npy(Y)), "not an .npz of arrays"),
        (zipped(x_train=npy(X), y_train=npy(Y[:-1])), "the training part has 12 samples but 11 labels"),
        (zipped(x_train=npy(X), y_train=npy(np.eye(12))), r"one label per sample, not labels of shape \(12, 12\)"),
        (zipped(x_train=npy(X), y_train=npy(np.float64(3))), r"one label per sample, not labels of shape \(\)"),
        (zipped(x_train=npy(X[:, 0]), y_train=npy(Y)), "a row of numbers or a picture per sample"),
        (
            zipped(x_train=npy(X), y_train=npy(Y), x_test=npy(X[:, :1]), y_test=npy(Y)),
            r"shape \(2,\) in the training part",
        ),
        (zipped(x_train=npy(X * np.nan), y_train=npy(Y)), r"the samples must be finite: the one at \(1, 1\)"),
        (zipped(x_train=npy(X + 1j), y_train=npy(Y)), "the samples must be numbers, not complex128"),
        (zipped(x_train=npy(X), y_train=npy(Y * 0)), "it is '0' in every sample"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_what_is_no_npz_of_keras_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    refused(sentence, data=tmp_path / "a.npz")


def test_npy_pairs_are_found_by_name_or_given(tmp_path: Path) -> None:
    labels = np.array(["cat", "ant"] * 6)
    np.save(tmp_path / "X_train.npy", X)
    refused(
        r"needs a file of labels, but there is no file .*y_train.npy: name it with labels",
        data=tmp_path / "X_train.npy",
    )
    np.save(tmp_path / "y_train.npy", labels)
    data = parts(data=tmp_path / "X_train.npy", test_fraction=0.5)
    assert (data.class_names, data.image_shape, data.feature_names) == (("ant", "cat"), None, ("x_1", "x_2"))
    assert sorted(np.bincount(data.test_y)) == [3, 3]
    np.save(tmp_path / "X_test.npy", X[:4] + 1)
    np.save(tmp_path / "y_test.npy", labels[:4])
    np.testing.assert_array_equal(parts(data=tmp_path / "X_train.npy", scale="none").test_x, X[:4] + 1)
    np.save(tmp_path / "data.npy", X)
    refused("no file has a matching name", data=tmp_path / "data.npy")
    data = parts(data=tmp_path / "data.npy", labels=tmp_path / "y_train.npy")
    assert data.class_names == ("ant", "cat")
    np.save(tmp_path / "numbers.npy", np.sin(X[:, 0]))
    assert parts(data=tmp_path / "data.npy", labels=tmp_path / "numbers.npy").class_names == ()


def test_a_table_of_784_columns_is_of_pictures(tmp_path: Path) -> None:
    x = np.random.default_rng(0).permuted(np.arange(8 * 784)).reshape(8, 784)
    rows = ["label," + ",".join(map(str, range(784)))] + [f"{k % 2}," + ",".join(map(str, x[k])) for k in range(8)]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    data = parts(data=tmp_path / "train.csv", target="label", test_fraction=0, scale="unit")
    assert (data.image_shape, data.feature_names[:2], len(data.test_y)) == ((28, 28), ("0", "1"), 0)
    np.testing.assert_allclose(data.train_x[np.argsort(data.train_x[:, 0])] * x.max(), x[np.argsort(x[:, 0])])
    refused("needs a target, the column to learn: it has .* and 765 more", data=tmp_path / "train.csv")


def test_an_xlsx_is_a_table_too(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("wines")
    book["wines"].append(["alcohol", "organic", "region", "rating"])
    for k in range(12):
        book["wines"].append([None if k == 3 else 10 + k, k % 2 == 0, "north" if k < 6 else "south", 80 + k * 0.5])
    book.save(tmp_path / "a.xlsx")
    data = parts(data=tmp_path / "a.xlsx", sheet="wines", target="rating", drop=["region"], test_fraction=0.25)
    assert data.feature_names == ("alcohol", "organic=FALSE", "organic=TRUE")
    assert data.class_names == ()
    assert sorted([*data.train_y, *data.test_y]) == [80 + k * 0.5 for k in range(12)]
    assert any("alcohol: 1 of 12 values missing" in note for note in data.notes)
    refused("nothing", data=tmp_path / "a.xlsx", sheet="nothing", target="rating")


def test_whole_numbers_are_classes_if_they_are_few_and_task_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,few,many\n" + "".join(f"{k},{k % 12},{k}\n" for k in range(48)))
    # Sorted as numbers: 2 before 10.
    assert load_records(DataSource(path, target="few")).class_names == tuple(map(str, range(12)))
    assert load_records(DataSource(path, target="many")).class_names == ()
    assert load_records(DataSource(path, target="few", task="regression")).class_names == ()
    refused("it has 48 different labels in 48 samples", data=path, target="many", task="classification")


def test_columns_without_a_value_or_a_heading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",x,empty,y\n" + "".join(f"{k},{k * k},NA,{k % 2}\n" for k in range(10)))
    refused("column 1 has no heading: write the table without its index, or drop column 1", data=path, target="y")
    data = parts(data=path, target="y", drop=["1"])
    assert data.feature_names == ("x",)
    assert data.notes == ("empty is left out: no cell there has a value.",)
    path.write_text("".join(f"{k},{k % 2}\n" for k in range(10)))
    assert parts(data=path, target=2).feature_names == ("1",)


@pytest.mark.parametrize(
    ("content", "keys", "sentence"),
    [
        ("x,y\n1,a\n2,a\n3,a\n", {}, "the target 'y': it is 'a' in every sample, so there is nothing to learn"),
        ("x,y\n1,a\n2,\n3,b\n", {}, r"row 3, column 2 \(y\) is missing: every sample needs its target"),
        ("x,y\n1,a\n2,b\n3,c\n", {}, "it has 3 different labels in 3 samples"),
        ("x,y\n1,a\n2,b\n1,a\n", {"task": "regression"}, r"it holds text \('a'\), but a regression needs numbers"),
        (f"x,y\n1,a\n2,{'b' * 200}\n1,a\n2,a\n", {}, "a label has 200 characters"),
        ("x,y\n1,0\n2\n3,1\n", {}, "row 3 has 1 cells, but row 1 has 2"),
        ("x,y\n1,0\n,\n3,1\n", {}, "row 3 is blank"),
        ("x,y\n", {}, "a heading but no samples"),
        ("", {}, "it is empty"),
        ("y\n1\n0\n1\n0\n", {}, "no column to learn from besides the target"),
        ("x,y\n" + "1,0\n2,1\n" * 6 + "2O,1\n", {}, r"row 14, column 1 \(x\) is '2O', not a finite number like"),
        ("x,y\n" + "1,0\n2,1\n" * 6 + "inf,1\n", {}, "is 'inf', not a finite number"),
        ("x,y\n" + "1,0\n2,1\n" * 6 + "1_000,1\n", {}, "is '1_000', not a finite number"),
        ("x,y\n" + "1,0\n2,1\n" * 6 + "٣,1\n", {}, "is '٣', not a finite number"),
        ("1,0\n2,1\n" * 6 + "1,2,3\n", {"target": 2}, "row 13 has 3 cells, but row 1 has 2"),
        ("1,0\nx,1\n" + "2,1\n" * 20, {"target": 2}, "row 2, column 1 is 'x', not a finite number"),
        ("x,y\n" + "1,0\n2,1\n" * 6 + "1,one\n", {}, r"column 2 \(y\) is 'one', not a finite number"),
        ("x,y\n" + "1e200,0\n-1e200,1\n" * 6, {}, "'x' are too large to scale"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"target": "z"}, "has no column 'z'; it has columns x, y"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"target": 3}, "has no column '3'"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"drop": ["z"]}, "has no column 'z'"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"drop": ["y"]}, "the target 'y' is among the columns to drop"),
        ("x,x,y\n1,2,0\n2,2,1\n1,0,0\n2,3,1\n", {"drop": ["x"]}, "2 columns 'x': give the number of one"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"labels": "b.csv"}, "labels goes with .npy and IDX files, not with a table"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"sheet": "b"}, "sheet goes with an .xlsx file, not with a.csv"),
        ("x,y\n1,0\n2,1\n1,0\n2,1\n", {"test_fraction": 0.1}, "test_fraction 0.1 of 4 samples takes none"),
    ],
)
def test_a_table_that_nothing_can_be_learned_from_is_one_sentence(
    tmp_path: Path, content: str, keys: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    refused(sentence, **{"data": tmp_path / "a.csv", "target": "y", **keys})


@pytest.mark.parametrize("name", ["a.pkl", "a.npy", "a.npz", "a.csv", "a.xlsx", "a-images-idx3-ubyte", "a.dat"])
def test_a_pickle_is_never_run(tmp_path: Path, name: str) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    (tmp_path / name).write_bytes(pickle.dumps(Harm()))
    np.save(tmp_path / "y.npy", Y)
    with pytest.raises(SheetsimError) as caught:
        parts(
            data=tmp_path / name, **({"labels": tmp_path / "y.npy"} if name in ("a.npy", "a-images-idx3-ubyte") else {})
        )
    assert not (tmp_path / "harm").exists()
    assert ("can run code" in str(caught.value)) == (name == "a.pkl")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"data": "digit"}, "there is no file digit, and no set of that name: the sets are digits, breast_cancer"),
        ({"data": "a.csv"}, "there is no file a.csv"),
        ({"data": "."}, "is a folder"),
        ({"data": 3}, "data must be text or a pathlib.Path, not int"),
        (
            {"data": "iris", "target": "species", "sheet": "a"},
            "target and sheet go with a file, not with the set iris",
        ),
        ({"data": "diabetes", "task": "classification"}, "different labels in 442 samples"),
        ({"target": 1.5}, "target must be a column's name, or its number counted from 1, not 1.5"),
        ({"drop": "Name"}, "drop must be a list of columns, not 'Name'"),
        ({"scale": "minmax"}, "scale must be one of standard, unit, none, not 'minmax'"),
        ({"test_fraction": 0.6, "validation_fraction": 0.4}, "leave samples for training"),
        ({"test_fraction": float("nan")}, "leave samples for training"),
        ({"test_fraction": -0.1}, "at least 0 and below 1"),
        ({"limit": 0}, "limit must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_a_wrong_key_is_one_sentence(keys: dict[str, Any], sentence: str) -> None:
    refused(sentence, **keys)
