"""Where a training study's data come from, and how they are split: the keys, checked, and the way to each reader."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import force_setattr

from sheetsim.arguments import LONGEST_SAID, number, one_of, said, text, whole
from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular, check_text, path_of
from sheetsim.studies.data_sets.arrays import npy_records, npz_records
from sheetsim.studies.data_sets.bundled import SETS, bundled_records
from sheetsim.studies.data_sets.idx import idx_records, is_idx
from sheetsim.studies.data_sets.records import TASKS, Records
from sheetsim.studies.data_sets.tables import table_records

# What unpickling may run anything: Python's own, and those of joblib and PyTorch.
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")

KINDS = "a .csv, .xlsx, .npz or .npy, or an IDX file (its name ends in -idx3-ubyte, or in -idx3-ubyte.gz)"

SCALES = ("standard", "unit", "none")


class DataSource(Struct, frozen=True):
    """A data set and how it is split.

    Parameters
    ----------
    data
        Name of a set of scikit-learn (digits, breast_cancer, wine, iris, diabetes) or a path: a table (.csv, .xlsx),
        Keras' .npz (x_train, y_train, x_test, y_test), an .npy of samples, or IDX pictures, raw or gzip.
    target
        Column of a table to learn, by name or by number from 1.
    drop
        Columns to leave out, by name or number.
    labels
        File of labels beside an .npy or IDX file; without it the one that is named alike: X_train.npy and y_train.npy,
        train-images-idx3-ubyte and train-labels-idx1-ubyte.
    sheet
        Sheet of an .xlsx file (None: the first).
    task
        "classification", "regression", or None: by what the target holds.
    scale
        "standard", each feature less its mean and over its population standard deviation; "unit", all features over the
        largest absolute value of any (16 for digits, 255 for MNIST); "none". Means, deviations and the largest value
        are those of the training part alone. The target is never scaled.
    test_fraction
        Share of all samples for the test; where the source has a test part, that is used.
    validation_fraction
        Share of all samples for validation; where the source has a test part, share of the others.
    limit
        Training samples kept at most, in the classes' proportions.

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it.
    """

    data: str | Path = "digits"
    target: str | int | None = None
    drop: tuple[str | int, ...] = ()
    labels: str | Path | None = None
    sheet: str | None = None
    task: str | None = None
    scale: str = "standard"
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    limit: int | None = None

    def __post_init__(self) -> None:
        check_text("data", str(path_of(self.data, "data")))
        if isinstance(self.drop, str) or not isinstance(self.drop, tuple | list):
            raise SheetsimError(f"drop must be a list of columns, not {said(self.drop)}")
        force_setattr(self, "drop", tuple(self.drop))
        columns = [("target", self.target)] * (self.target is not None) + [("drop", column) for column in self.drop]
        for key, column in columns:
            if isinstance(column, bool) or not isinstance(column, str | int):
                raise SheetsimError(f"{key} must be a column's name, or its number counted from 1, not {said(column)}")
            if isinstance(column, str) and not column.strip():
                raise SheetsimError(f"{key} must name a column, but is empty")
        if self.labels is not None:
            check_text("labels", str(path_of(self.labels, "labels")))
        if self.sheet is not None:
            text("sheet", self.sheet)
        if self.task is not None:
            one_of("task", self.task, TASKS)
        one_of("scale", self.scale, SCALES)
        fractions = [
            number(key, value)
            for key, value in (("test_fraction", self.test_fraction), ("validation_fraction", self.validation_fraction))
        ]
        # Written so that NaN is refused.
        if not (all(0 <= fraction < 1 for fraction in fractions) and sum(fractions) < 1):
            raise SheetsimError(
                "test_fraction and validation_fraction must be at least 0 and below 1, and leave samples for training"
            )
        if self.limit is not None:
            whole("limit", self.limit, 1)


def load_records(source: DataSource) -> Records:
    """Every sample of the source. Raises SheetsimError for whatever is no data set to learn from, in one sentence.

    Nothing that a file holds is run: pickles are refused, and so are arrays of objects.
    """
    if source.data in SETS:
        _refuse(source, f"a file, not with the set {source.data}", "target", "drop", "labels", "sheet")
        return bundled_records(str(source.data), source.task)
    path = Path(source.data)
    try:
        return _of_file(source, path)
    except SheetsimError as error:
        raise SheetsimError(f"data: {error}") from None
    except OSError as error:
        where = error.filename or path
        raise SheetsimError(f"data: cannot read {where}: {(error.strerror or str(error)).lower()}") from None
    except MemoryError:
        raise SheetsimError(f"data: there is not enough memory for {path}") from None


def _of_file(source: DataSource, path: Path) -> Records:
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise SheetsimError(
            f"{path} is a pickle, which can run code: save the arrays with numpy.savez and give the .npz"
        )
    if not path.exists():
        sets = "" if suffix else f", and no set of that name: the sets are {', '.join(SETS)}"
        raise SheetsimError(f"there is no file {str(path)[:LONGEST_SAID]}{sets}")
    if path.is_dir():
        raise SheetsimError(f"{path} is a folder: give the file of the pictures or of the table")
    check_regular(path)
    if suffix in (".csv", ".xlsx"):
        _refuse(source, ".npy and IDX files, not with a table", "labels")
        if suffix == ".csv":
            _refuse(source, f"an .xlsx file, not with {path.name}", "sheet")
        return table_records(path, source.target, source.drop, source.sheet, source.task)
    _refuse(source, f"a table, not with {path.name}", "target", "drop", "sheet")
    if suffix == ".npz":
        _refuse(source, ".npy and IDX files: an .npz has its own", "labels")
        return npz_records(path, source.task)
    labels = None if source.labels is None else Path(source.labels)
    if suffix == ".npy":
        return npy_records(path, labels, source.task)
    if is_idx(path):
        return idx_records(path, labels, source.task)
    raise SheetsimError(f"{path} is not {KINDS}")


def _refuse(source: DataSource, what: str, *keys: str) -> None:
    """Refuses the keys beside this source; what: the sources that they go with."""
    given = [key for key in keys if getattr(source, key) not in (None, ())]
    if given:
        raise SheetsimError(f"{' and '.join(given)} {'goes' if len(given) == 1 else 'go'} with {what}")
