"""NumPy's linear algebra: held to one thread, and named. It computes nothing."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """The block, or the function that this decorates, on one thread of the BLAS, LAPACK's included.

    Several threads add in another order, so that the last digits would depend on the machine's cores. The setting is
    one for the whole process: of the Python threads that are in here together, the last to leave takes it back.
    """
    global _inside, _limit
    with _lock:
        if not _inside:
            _limit = _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.restore_original_limits()


@cache
def _controller(scipy: bool) -> Any:
    """Of the libraries that are loaded, NumPy's and SciPy's own: to look for them takes longer than a small product."""
    return ThreadpoolController()


@cache
def kernels() -> str:
    """What the last digits depend on: the BLAS with its kernels, and the instructions that NumPy's functions use.

    Both are chosen by the processor when they are loaded.
    """
    config = np.show_config(mode="dicts")
    libraries = [library for library in _controller(False).info() if library["user_api"] == "blas"]
    # SciPy brings one of its own, and may be loaded or not.
    libraries.sort(key=lambda library: "scipy.libs" in library["filepath"])
    if libraries:
        # threadpoolctl gives no name of kernels for some libraries.
        names = [libraries[0]["internal_api"], libraries[0]["version"], libraries[0].get("architecture")]
        blas = " ".join(str(name) for name in names if name)
    else:
        blas = str(config["Build Dependencies"]["blas"]["name"])
    simd = config["SIMD Extensions"]
    return f"BLAS {blas}, SIMD {[*simd['baseline'], *simd.get('found', [])][-1]}"
