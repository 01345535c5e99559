"""A spreadsheet-style Monte Carlo engine with Excel export: models are matrices that NumPy computes.

Examples
--------
>>> import sheetsim
>>> run = sheetsim.run("relu-he", seed=0)
>>> run.summary()["over_samples"].round(2).tolist()
[1.0, 0.76, 0.67, 0.57, 0.57]
>>> run.to_excel("relu-he.xlsx").name
'relu-he.xlsx'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sheetsim.version import __version__ as __version__

# The functions of the model language: of matrices, they give matrices. A name means nothing else.
FUNCTIONS = (
    "absolute",
    "beta_quantile",
    "ceiling",
    "choose",
    "column",
    "column_count",
    "column_mean",
    "column_sum",
    "column_variance",
    "cos",
    "entry",
    "equal",
    "exp",
    "floor",
    "frequency",
    "if_error",
    "inverse",
    "kurtosis",
    "largest",
    "log",
    "log10",
    "maximum",
    "mean",
    "minimum",
    "normal_probability",
    "normal_quantile",
    "not_equal",
    "pick",
    "quantile",
    "relu",
    "row",
    "row_count",
    "row_log_sum_exp",
    "row_numbers",
    "row_sum",
    "sample_std",
    "sigmoid",
    "sin",
    "skew",
    "softmax",
    "sqrt",
    "std",
    "sum_squares",
    "t_quantile",
    "tanh",
    "total",
    "variance",
    "where",
)

DISTRIBUTIONS = (
    *("discrete", "distribution", "lognormal", "metalog", "normal", "pert", "triangular", "truncated", "uniform"),
)

INITIALIZERS = (
    *("constant", "glorot", "glorot_uniform", "he", "he_uniform", "lecun", "lecun_normal", "orthogonal"),
    *("scaled", "xavier", "zeros"),
)

# Where each public name lives; it is imported when first asked for, so that `sheetsim --help` loads none of them.
_HOMES = {
    "SheetsimError": "sheetsim.errors",
    "Book": "sheetsim.runs.run",
    "Model": "sheetsim.runs.model",
    "Run": "sheetsim.runs.run",
    "run": "sheetsim.runs.run",
    "read": "sheetsim.runs.run",
    "Replicates": "sheetsim.runs.replicates",
    "replicate": "sheetsim.runs.replicates",
    "Comparison": "sheetsim.runs.compare",
    "compare": "sheetsim.runs.compare",
    "Sensitivity": "sheetsim.runs.study_sensitivity",
    "sensitivity": "sheetsim.runs.study_sensitivity",
    "Sweep": "sheetsim.runs.sweep",
    "sweep": "sheetsim.runs.sweep",
    "diagnose": "sheetsim.runs.diagnose",
    "Search": "sheetsim.runs.search",
    "search": "sheetsim.runs.search",
    "verify": "sheetsim.audit.verify",
    "diff": "sheetsim.audit.verify",
    "grad": "sheetsim.model.grad",
    "Optimizer": "sheetsim.model.update_rules",
    # The package itself, which can be called.
    "workbook": "sheetsim.workbook",
    "Workbook": "sheetsim.audit.simulated",
    "sip": "sheetsim.runs.workbook_model",
    **dict.fromkeys(("InputMoments", "correlation_map", "fixed_point", "mean_field"), "sheetsim.summary.theory"),
    **dict.fromkeys(INITIALIZERS, "sheetsim.model.initializers"),
    **dict.fromkeys(DISTRIBUTIONS, "sheetsim.model.distributions"),
    "empirical": "sheetsim.studies.data_column",
    "Fit": "sheetsim.runs.fit",
    "fit": "sheetsim.runs.fit",
    **dict.fromkeys(FUNCTIONS, "sheetsim.model.expr"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home = import_module(_HOMES[name])
        return home if name == "workbook" else getattr(home, name)
    if name == "__all__":
        return sorted([*_HOMES, *_studies()])
    # Asked for by a program that looks around, a name of Python's own loads no study.
    if not name.startswith("_") and name in _studies():
        return import_module("sheetsim.studies.registry").STUDIES[_studies()[name]]
    raise AttributeError(f"module 'sheetsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]


def _studies() -> dict[str, str]:
    """The studies' names by those of their classes."""
    classes: dict[str, str] = import_module("sheetsim.studies.registry").CLASSES
    return classes


if TYPE_CHECKING:
    from sheetsim.audit.simulated import Workbook as Workbook
    from sheetsim.audit.simulated import workbook as workbook
    from sheetsim.audit.verify import diff as diff
    from sheetsim.audit.verify import verify as verify
    from sheetsim.errors import SheetsimError as SheetsimError
    from sheetsim.model.distributions import discrete as discrete
    from sheetsim.model.distributions import distribution as distribution
    from sheetsim.model.distributions import lognormal as lognormal
    from sheetsim.model.distributions import metalog as metalog
    from sheetsim.model.distributions import normal as normal
    from sheetsim.model.distributions import pert as pert
    from sheetsim.model.distributions import triangular as triangular
    from sheetsim.model.distributions import truncated as truncated
    from sheetsim.model.distributions import uniform as uniform
    from sheetsim.model.expr import absolute as absolute
    from sheetsim.model.expr import beta_quantile as beta_quantile
    from sheetsim.model.expr import ceiling as ceiling
    from sheetsim.model.expr import choose as choose
    from sheetsim.model.expr import column as column
    from sheetsim.model.expr import column_count as column_count
    from sheetsim.model.expr import column_mean as column_mean
    from sheetsim.model.expr import column_sum as column_sum
    from sheetsim.model.expr import column_variance as column_variance
    from sheetsim.model.expr import cos as cos
    from sheetsim.model.expr import entry as entry
    from sheetsim.model.expr import equal as equal
    from sheetsim.model.expr import exp as exp
    from sheetsim.model.expr import floor as floor
    from sheetsim.model.expr import frequency as frequency
    from sheetsim.model.expr import if_error as if_error
    from sheetsim.model.expr import inverse as inverse
    from sheetsim.model.expr import kurtosis as kurtosis
    from sheetsim.model.expr import largest as largest
    from sheetsim.model.expr import log as log
    from sheetsim.model.expr import log10 as log10
    from sheetsim.model.expr import maximum as maximum
    from sheetsim.model.expr import mean as mean
    from sheetsim.model.expr import minimum as minimum
    from sheetsim.model.expr import normal_probability as normal_probability
    from sheetsim.model.expr import normal_quantile as normal_quantile
    from sheetsim.model.expr import not_equal as not_equal
    from sheetsim.model.expr import pick as pick
    from sheetsim.model.expr import quantile as quantile
    from sheetsim.model.expr import relu as relu
    from sheetsim.model.expr import row as row
    from sheetsim.model.expr import row_count as row_count
    from sheetsim.model.expr import row_numbers as row_numbers
    from sheetsim.model.expr import row_sum as row_sum
    from sheetsim.model.expr import sample_std as sample_std
    from sheetsim.model.expr import sigmoid as sigmoid
    from sheetsim.model.expr import sin as sin
    from sheetsim.model.expr import skew as skew
    from sheetsim.model.expr import sqrt as sqrt
    from sheetsim.model.expr import std as std
    from sheetsim.model.expr import sum_squares as sum_squares
    from sheetsim.model.expr import t_quantile as t_quantile
    from sheetsim.model.expr import tanh as tanh
    from sheetsim.model.expr import total as total
    from sheetsim.model.expr import variance as variance
    from sheetsim.model.expr import where as where
    from sheetsim.model.grad import grad as grad
    from sheetsim.model.initializers import constant as constant
    from sheetsim.model.initializers import glorot as glorot
    from sheetsim.model.initializers import glorot_uniform as glorot_uniform
    from sheetsim.model.initializers import he as he
    from sheetsim.model.initializers import he_uniform as he_uniform
    from sheetsim.model.initializers import lecun as lecun
    from sheetsim.model.initializers import lecun_normal as lecun_normal
    from sheetsim.model.initializers import orthogonal as orthogonal
    from sheetsim.model.initializers import scaled as scaled
    from sheetsim.model.initializers import xavier as xavier
    from sheetsim.model.initializers import zeros as zeros
    from sheetsim.runs.compare import Comparison as Comparison
    from sheetsim.runs.compare import compare as compare
    from sheetsim.runs.diagnose import diagnose as diagnose
    from sheetsim.runs.fit import Fit as Fit
    from sheetsim.runs.fit import fit as fit
    from sheetsim.runs.model import Model as Model
    from sheetsim.runs.replicates import Replicates as Replicates
    from sheetsim.runs.replicates import replicate as replicate
    from sheetsim.runs.run import Book as Book
    from sheetsim.runs.run import Run as Run
    from sheetsim.runs.run import read as read
    from sheetsim.runs.run import run as run
    from sheetsim.runs.search import Search as Search
    from sheetsim.runs.search import search as search
    from sheetsim.runs.study_sensitivity import Sensitivity as Sensitivity
    from sheetsim.runs.study_sensitivity import sensitivity as sensitivity
    from sheetsim.runs.sweep import Sweep as Sweep
    from sheetsim.runs.sweep import sweep as sweep
    from sheetsim.runs.workbook_model import sip as sip
    from sheetsim.studies.bayesian_search.study import BayesianSearch as BayesianSearch
    from sheetsim.studies.correlation.study import Correlation as Correlation
    from sheetsim.studies.data_column import empirical as empirical
    from sheetsim.studies.finite_width.study import FiniteWidth as FiniteWidth
    from sheetsim.studies.forward.study import Forward as Forward
    from sheetsim.studies.gradient_flow.study import GradientFlow as GradientFlow
    from sheetsim.studies.jacobian.study import Jacobian as Jacobian
    from sheetsim.studies.optimizers.study import Optimizers as Optimizers
    from sheetsim.studies.phase_diagram.study import PhaseDiagram as PhaseDiagram
    from sheetsim.studies.propagation.study import Propagation as Propagation
    from sheetsim.studies.rnn_gradients.study import RnnGradients as RnnGradients
    from sheetsim.studies.symmetry.study import Symmetry as Symmetry
    from sheetsim.studies.training.distributions import TrainingDistributions as TrainingDistributions
    from sheetsim.studies.training.glorot_figures import GlorotFigures as GlorotFigures
    from sheetsim.studies.training.gradients import TrainingGradients as TrainingGradients
    from sheetsim.studies.training.regularized import Dropout as Dropout
    from sheetsim.studies.training.regularized import WeightDecay as WeightDecay
    from sheetsim.studies.training.scales import BatchNormScales as BatchNormScales
    from sheetsim.studies.training.study import Training as Training
    from sheetsim.studies.training.study import TrainingStarts as TrainingStarts
    from sheetsim.studies.training_in_cells.study import TrainingInCells as TrainingInCells
    from sheetsim.summary.theory import InputMoments as InputMoments
    from sheetsim.summary.theory import correlation_map as correlation_map
    from sheetsim.summary.theory import fixed_point as fixed_point
    from sheetsim.summary.theory import mean_field as mean_field
