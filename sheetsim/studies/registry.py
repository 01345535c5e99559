"""The studies, a line each: what the key `study` can say, the package's names, `--help` and the tests follow."""

from sheetsim.studies.bayesian_search.study import BayesianSearch as BayesianSearch
from sheetsim.studies.correlation.study import Correlation as Correlation
from sheetsim.studies.finite_width.study import FiniteWidth as FiniteWidth
from sheetsim.studies.forward.study import Forward as Forward
from sheetsim.studies.gradient_flow.study import GradientFlow as GradientFlow
from sheetsim.studies.jacobian.study import Jacobian as Jacobian
from sheetsim.studies.optimizers.study import Optimizers as Optimizers
from sheetsim.studies.phase_diagram.study import PhaseDiagram as PhaseDiagram
from sheetsim.studies.propagation.study import Propagation as Propagation
from sheetsim.studies.rnn_gradients.study import RnnGradients as RnnGradients
from sheetsim.studies.study import Experiment as _Experiment
from sheetsim.studies.symmetry.study import Symmetry as Symmetry
from sheetsim.studies.training.distributions import TrainingDistributions as TrainingDistributions
from sheetsim.studies.training.glorot_figures import GlorotFigures as GlorotFigures
from sheetsim.studies.training.gradients import TrainingGradients as TrainingGradients
from sheetsim.studies.training.regularised import Dropout as Dropout
from sheetsim.studies.training.regularised import WeightDecay as WeightDecay
from sheetsim.studies.training.scales import BatchNormScales as BatchNormScales
from sheetsim.studies.training.study import Training as Training
from sheetsim.studies.training.study import TrainingStarts as TrainingStarts
from sheetsim.studies.training_in_cells.study import TrainingInCells as TrainingInCells


def _is_study(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, _Experiment) and hasattr(kind, "STUDY")


# What the key `study` can say.
STUDIES: dict[str, type[_Experiment]] = {kind.STUDY: kind for kind in list(globals().values()) if _is_study(kind)}
