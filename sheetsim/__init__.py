"""A spreadsheet-style Monte Carlo engine with Excel export: matrix models computed by NumPy, written as live workbooks.

run = sheetsim.run("relu-he", seed=0)
run.summary()
run.to_excel("relu-he.xlsx")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sheetsim.version import __version__ as __version__

# Where each public name lives; it is imported when first asked for, so that `sheetsim --help` loads none of them.
_HOMES = {
    "SheetsimError": "sheetsim.errors",
    "Forward": "sheetsim.experiments.forward",
    "GradientFlow": "sheetsim.experiments.gradient_flow",
    "RnnGradients": "sheetsim.experiments.rnn_gradients",
    "Optimizers": "sheetsim.experiments.optimizers",
    "Symmetry": "sheetsim.experiments.symmetry",
    "Book": "sheetsim.report",
    "Model": "sheetsim.report",
    "Run": "sheetsim.report",
    "run": "sheetsim.report",
    "read": "sheetsim.report",
    "Replicates": "sheetsim.replication",
    "replicate": "sheetsim.replication",
    "Sweep": "sheetsim.sweeps",
    "sweep": "sheetsim.sweeps",
    "grad": "sheetsim.model.grad",
    **dict.fromkeys(("InputMoments", "correlation_map", "fixed_point", "mean_field"), "sheetsim.summary.theory"),
    **dict.fromkeys(("constant", "glorot", "he", "std", "xavier", "zeros"), "sheetsim.model.initializers"),
    **dict.fromkeys(("distribution", "normal", "uniform"), "sheetsim.model.draws"),
    **dict.fromkeys(
        ("choose", "exp", "log", "mean", "relu", "sigmoid", "sqrt", "tanh", "where"), "sheetsim.model.expr"
    ),
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sheetsim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]


if TYPE_CHECKING:
    from sheetsim.errors import SheetsimError as SheetsimError
    from sheetsim.experiments.forward import Forward as Forward
    from sheetsim.experiments.gradient_flow import GradientFlow as GradientFlow
    from sheetsim.experiments.optimizers import Optimizers as Optimizers
    from sheetsim.experiments.rnn_gradients import RnnGradients as RnnGradients
    from sheetsim.experiments.symmetry import Symmetry as Symmetry
    from sheetsim.model.draws import distribution as distribution
    from sheetsim.model.draws import normal as normal
    from sheetsim.model.draws import uniform as uniform
    from sheetsim.model.expr import choose as choose
    from sheetsim.model.expr import exp as exp
    from sheetsim.model.expr import log as log
    from sheetsim.model.expr import mean as mean
    from sheetsim.model.expr import relu as relu
    from sheetsim.model.expr import sigmoid as sigmoid
    from sheetsim.model.expr import sqrt as sqrt
    from sheetsim.model.expr import tanh as tanh
    from sheetsim.model.expr import where as where
    from sheetsim.model.grad import grad as grad
    from sheetsim.model.initializers import constant as constant
    from sheetsim.model.initializers import glorot as glorot
    from sheetsim.model.initializers import he as he
    from sheetsim.model.initializers import std as std
    from sheetsim.model.initializers import xavier as xavier
    from sheetsim.model.initializers import zeros as zeros
    from sheetsim.replication import Replicates as Replicates
    from sheetsim.replication import replicate as replicate
    from sheetsim.report import Book as Book
    from sheetsim.report import Model as Model
    from sheetsim.report import Run as Run
    from sheetsim.report import read as read
    from sheetsim.report import run as run
    from sheetsim.summary.theory import InputMoments as InputMoments
    from sheetsim.summary.theory import correlation_map as correlation_map
    from sheetsim.summary.theory import fixed_point as fixed_point
    from sheetsim.summary.theory import mean_field as mean_field
    from sheetsim.sweeps import Sweep as Sweep
    from sheetsim.sweeps import sweep as sweep
