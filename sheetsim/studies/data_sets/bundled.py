"""The data sets that scikit-learn's wheel holds: real data that need no download."""

import hashlib
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.studies.data_sets.records import Records, classes_or_numbers

SETS = ("digits", "breast_cancer", "wine", "iris", "diabetes")

# Pixels of a picture of digits.
DIGIT = (8, 8)


def bundled_records(name: str, task: str | None) -> Records:
    """The set of that name, one of SETS; diabetes is a regression, its features as scikit-learn has scaled them.

    Raises SheetsimError where scikit-learn is not installed, and for a task that the set is not for.
    """
    try:
        # Here, as it takes more than a second.
        from sklearn import datasets
    except ImportError:
        raise SheetsimError(f"data {name!r} comes with scikit-learn: pip install 'sheetsim[data]'") from None
    bunch: Any = getattr(datasets, f"load_{name}")()
    features = np.ascontiguousarray(bunch.data, dtype=np.float64)
    target, class_names = classes_or_numbers(bunch.target, task, len(bunch.get("target_names", ())))
    if class_names:
        class_names = tuple(map(str, bunch.target_names))
    digest = hashlib.sha256(features.tobytes() + np.asarray(bunch.target, dtype=np.float64).tobytes()).hexdigest()
    return Records(
        features,
        target,
        class_names,
        tuple(map(str, bunch.feature_names)),
        image_shape=DIGIT if name == "digits" else None,
        sha256=((name, digest),),
    )
