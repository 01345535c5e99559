"""The studies, a line each: what the key `study` can say, the package's names, `--help` and the tests follow."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from sheetsim.studies.study import Experiment

# Where the class of each study lives: it is loaded when it is asked for, as a command needs one of them.
HOMES: dict[str, str] = {
    "batch-norm-scales": "training.scales.BatchNormScales",
    "bayesian-search": "bayesian_search.study.BayesianSearch",
    "correlation": "correlation.study.Correlation",
    "dropout": "training.regularized.Dropout",
    "finite-width": "finite_width.study.FiniteWidth",
    "forward": "forward.study.Forward",
    "glorot-figures": "training.glorot_figures.GlorotFigures",
    "gradient-flow": "gradient_flow.study.GradientFlow",
    "jacobian": "jacobian.study.Jacobian",
    "optimizers": "optimizers.study.Optimizers",
    "phase-diagram": "phase_diagram.study.PhaseDiagram",
    "propagation": "propagation.study.Propagation",
    "rnn-gradients": "rnn_gradients.study.RnnGradients",
    "symmetry": "symmetry.study.Symmetry",
    "training": "training.study.Training",
    "training-distributions": "training.distributions.TrainingDistributions",
    "training-gradients": "training.gradients.TrainingGradients",
    "training-in-cells": "training_in_cells.study.TrainingInCells",
    "training-starts": "training.study.TrainingStarts",
    "weight-decay": "training.regularized.WeightDecay",
}

# The studies' names by those of their classes.
CLASSES: dict[str, str] = {home.rpartition(".")[2]: study for study, home in HOMES.items()}


class _Studies(Mapping[str, type[Experiment]]):
    """The class of each study by its name."""

    def __getitem__(self, study: str) -> type[Experiment]:
        module, _, name = HOMES[study].rpartition(".")
        kind: type[Experiment] = getattr(import_module(f"sheetsim.studies.{module}"), name)
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(HOMES)

    def __len__(self) -> int:
        return len(HOMES)


# What the key `study` can say.
STUDIES: Mapping[str, type[Experiment]] = _Studies()
