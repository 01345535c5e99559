"""A data set in its parts: training, validation and test, scaled by the training part's numbers alone."""

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import check_seed, stream
from sheetsim.model.op import Array
from sheetsim.model.op_table import CONSTANT
from sheetsim.studies.data_sets.records import Records, some_of
from sheetsim.studies.data_sets.source import DataSource

# The name of the stream that orders the samples.
STREAM = "data"


class DataSet(Struct, frozen=True, eq=False):
    """The parts, their samples in the order of the seed (a test part that the source has: in its own).

    train_x, validation_x, test_x: samples × d, float64, scaled by `scale_features` with mean and std;
    train_y, validation_y, test_y: indices into class_names (int64), or numbers (float64, not scaled) where class_names
    is empty;
    mean, std: d numbers of the training part, gaps filled, in the source's units: x = (raw − mean) / std, and 0 where
    std is 0, as it is of a feature that is constant in the training part;
    notes: sentences for a person; image_shape: (rows, columns) of a picture, its pixels row by row, or None.
    """

    train_x: Array
    train_y: NDArray[Any]
    validation_x: Array
    validation_y: NDArray[Any]
    test_x: Array
    test_y: NDArray[Any]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_name: str
    mean: Array
    std: Array
    notes: tuple[str, ...]
    image_shape: tuple[int, int] | None


def split_records(records: Records, source: DataSource, seed: int) -> DataSet:
    """The records in parts, by the source's fractions, limit and scale; the same seed gives the same parts.

    Each part has the classes in the proportions of all (largest remainders), and training has every class. A gap has
    the median of its feature in the training part.
    Raises SheetsimError where a part that is asked for would be empty, and for numbers too large to scale.
    """
    check_seed(seed)
    training, validation, test = _parts(records, source, seed)
    train_x, validation_x, test_x = (records.features[rows].astype(np.float64) for rows in (training, validation, test))
    train_y, validation_y, test_y = (records.target[rows] for rows in (training, validation, test))
    notes = [*records.notes, *_fill(records, train_x, (train_x, validation_x, test_x))]
    if records.own_test:
        notes.append(f"The test part is the source's own, {records.own_test:,} samples.")
    mean, std = _scale(records, source.scale, train_x)
    constant = [name for name, spread in zip(records.feature_names, std, strict=True) if spread == 0]
    if constant:
        notes.append(f"{some_of(constant)} constant in the training part, and 0 in every sample.")
    with np.errstate(over="ignore"):
        train_x, validation_x, test_x = (scale_features(x, mean, std) for x in (train_x, validation_x, test_x))
    for x in (train_x, validation_x, test_x):
        wrong = np.argwhere(~np.isfinite(x))
        if len(wrong):
            raise _too_large(records, wrong[0, 1])
    return DataSet(
        train_x,
        train_y,
        validation_x,
        validation_y,
        test_x,
        test_y,
        records.class_names,
        records.feature_names,
        records.target_name,
        mean,
        std,
        tuple(notes),
        records.image_shape,
    )


def scale_features(x: Array, mean: Array, std: Array) -> Array:
    """(x − mean) / std by feature, and 0 where std is 0. x: samples × d in the source's units; mean, std: d."""
    scaled_x: Array = np.divide(x - mean, std, out=np.zeros(x.shape), where=std > 0)
    return scaled_x


def _parts(records: Records, source: DataSource, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The rows of the training, validation and test parts."""
    n = len(records.target)
    free = n - records.own_test
    order = stream(seed, STREAM).permutation(free)
    # A regression has one stratum.
    strata = records.target[order] if records.class_names else np.zeros(free, dtype=np.int64)
    counts = np.bincount(strata, minlength=max(len(records.class_names), 1))
    spare = np.maximum(counts - 1, 0)
    test_fraction = 0.0 if records.own_test else source.test_fraction
    test = np.minimum(_shares(counts, round(test_fraction * free)), spare)
    validation = np.minimum(_shares(counts, round(source.validation_fraction * free)), spare - test)
    for key, fraction, part in (
        ("test_fraction", test_fraction, test),
        ("validation_fraction", source.validation_fraction, validation),
    ):
        if fraction > 0 and part.sum() == 0:
            raise SheetsimError(f"{key} {fraction:g} of {free:,} samples takes none: give more samples, or set it to 0")
    kept = _kept(counts - test - validation, source.limit)
    # The how manieth of its class each is, from 0.
    rank = np.empty(free, dtype=np.int64)
    for stratum, count in enumerate(counts):
        rank[strata == stratum] = np.arange(count)
    begin = test[strata]
    end = begin + validation[strata]
    source_test = np.arange(free, n)
    return (
        order[(rank >= end) & (rank < end + kept[strata])],
        order[(rank >= begin) & (rank < end)],
        source_test if records.own_test else order[rank < begin],
    )


def _shares(counts: NDArray[Any], total: int) -> NDArray[Any]:
    """`total` divided by the counts, by the method of largest remainders; of equal ones the first class's comes first.

    Each share is at most its count where the total is at most theirs.
    """
    whole, rest = np.divmod(counts * total, max(int(counts.sum()), 1))
    first = np.argsort(-rest, kind="stable")[: max(total - int(whole.sum()), 0)]
    shares: NDArray[Any] = whole
    shares[first] += rest[first] > 0
    return shares


def _kept(counts: NDArray[Any], limit: int | None) -> NDArray[Any]:
    """How many of each class are kept for training: one at least, the rest in proportion."""
    if limit is None or limit >= counts.sum():
        return counts
    one = np.minimum(counts, 1)
    if limit < one.sum():
        raise SheetsimError(
            f"limit is {limit}, but training needs at least one sample of each of the {one.sum()} classes"
        )
    kept: NDArray[Any] = one + _shares(counts - one, limit - int(one.sum()))
    return kept


def _fill(records: Records, train_x: Array, parts: tuple[Array, ...]) -> list[str]:
    """Puts the training part's median, or 0 where it has none, into the gaps of all parts, and says so."""
    notes = []
    gaps = np.isnan(records.features).sum(axis=0) if records.features.dtype.kind == "f" else np.zeros(0)
    for c in np.flatnonzero(gaps):
        present = train_x[~np.isnan(train_x[:, c]), c]
        median = float(np.median(present)) if len(present) else 0.0
        for x in parts:
            x[np.isnan(x[:, c]), c] = median
        missing = f"{gaps[c]:,} of {len(records.target):,} values missing"
        value = f"{median:g}, the median of the training part" if len(present) else "0, as the training part has none"
        notes.append(f"{records.feature_names[c]:.40}: {missing}, each replaced by {value}.")
    return notes


def _scale(records: Records, scale: str, x: Array) -> tuple[Array, Array]:
    """What is taken from each feature and what it is then divided by, of the training part x."""
    d = x.shape[1]
    if scale == "none":
        return np.zeros(d), np.ones(d)
    if scale == "unit":
        return np.zeros(d), np.full(d, np.abs(x).max())
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = x.mean(axis=0), x.std(axis=0)
    large = np.flatnonzero(~np.isfinite(std))
    if len(large):
        raise _too_large(records, large[0])
    std[std <= CONSTANT * np.abs(mean)] = 0
    return mean, std


def _too_large(records: Records, feature: int) -> SheetsimError:
    name = records.feature_names[feature][:40]
    return SheetsimError(f"data: the numbers of {name!r} are too large to scale: give them in another unit")
