"""Diagnoses a person's own network: its layers by the tables and verdicts of the study forward, and the workbook."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sheetsim.errors import SheetsimError
from sheetsim.runs.run import Run
from sheetsim.studies.diagnose.study import Diagnosed
from sheetsim.studies.diagnose.weights_files import AUTO, given_layers

# What About says in place of a command.
NO_COMMAND = "made from your own weights by sheetsim.diagnose: no template makes it again"


class DiagnosedRun(Run):
    """A run over given weights.

    Attributes
    ----------
    notes
        How the weights were read, in sentences.
    """

    def __init__(self, study: Diagnosed, command: str, notes: tuple[str, ...]) -> None:
        super().__init__(study.build(), "diagnose", command)
        self.notes = notes


def diagnose(
    weights: Any,
    *,
    data: Any = None,
    activation: str = "relu",
    samples: int | None = None,
    seed: int = 0,
    layout: str = AUTO,
    layers: Sequence[str] = (),
    output_layer: bool = True,
    report: str = "full",
    title: str = "",
    lang: str | None = None,
    command: str = NO_COMMAND,
) -> "DiagnosedRun":
    """Run inputs through given weights: `summary()`, `verdicts()`, `to_excel(path)` and so on, as of any run.

    Parameters
    ----------
    weights
        A file (.npz, .safetensors), a list of .npy files or of arrays in which biases follow their weights, or a
        mapping of names to arrays, a state dict say. Biases are added to the sums of their layers.
    data
        Inputs, samples × inputs: an array or a file (.csv, .xlsx, .npy); `samples` standard normal ones if None.
    activation
        Activation of all layers.
    samples
        Number of inputs to draw.
    seed
        Seed of the drawn inputs.
    layout
        "in-out" where rows of weights are inputs, "out-in" where they are units (PyTorch), or "auto": units for names
        that end in `weight` and in .safetensors files, inputs for names that end in `kernel`, unless only the other
        one fits the shapes; else what fits, and inputs where both do. `notes` and the book say which.
    layers
        Names of the weights to take, in their order.
    output_layer
        Whether the last of several weights is a linear output layer, which is left out.
    report
        "full", or "summary" for a book without the matrices.
    title
        Title of the book.
    lang
        The language of the book, `en` or `ja` (Japanese); English if None.
    command
        Command that the sheet About shows for making the book again.

    Returns
    -------
    DiagnosedRun
        The run; its `notes` say how the weights were read.

    Raises
    ------
    SheetsimError
        The weights are no chain of layers, or there are no data for them.

    Examples
    --------
    >>> import numpy as np
    >>> import sheetsim
    >>> rng = np.random.default_rng(0)
    >>> weights = [rng.normal(0, 0.01, (30, 30)) for _ in range(4)]
    >>> run = sheetsim.diagnose(weights, samples=100, layout="in-out", output_layer=False)
    >>> len(run.verdicts())
    4
    """
    source: Any = {"file": os.fspath(data)} if isinstance(data, str | Path) or hasattr(data, "__fspath__") else data
    inputs = None
    if data is not None:
        if samples is not None:
            raise SheetsimError("samples sets the number of drawn inputs: leave it out when data is given")
        inputs = Diagnosed(input=source, layers=[1], weights=[]).input_width()
    given = given_layers(weights, layout, layers, inputs)
    kept = given.layers[:-1] if output_layer and len(given.layers) > 1 else given.layers
    notes = [*given.notes]
    biased = [layer.name for layer in kept if layer.b is not None]
    if biased:
        of = "all layers" if len(biased) == len(kept) else f"{len(biased)} of {len(kept)} layers"
        notes.append(f"Biases of {of} are added to their sums.")
    if len(kept) < len(given.layers):
        notes.append(f"{given.layers[-1].name} is taken for the linear output layer and left out.")
    study = Diagnosed(
        seed=seed,
        samples=samples if data is None else None,
        inputs=kept[0].W.shape[0] if data is None else None,
        layers=[layer.W.shape[1] for layer in kept],
        activation=activation,
        input="normal" if data is None else source,
        report=report,
        title=title or "Diagnosis of given weights",
        lang=lang,
        description=" ".join(notes),
        weights=[one for one in given.source if one] or ["arrays of Python"],
        given=kept,
    )
    study.check_book()
    return DiagnosedRun(study, command, tuple(notes))
