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
NO_COMMAND = "made from weights of one's own by sheetsim.diagnose: no template makes it again"


class DiagnosedRun(Run):
    """A run over given weights. notes: how these were read, in sentences."""

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
    command: str = NO_COMMAND,
) -> "DiagnosedRun":
    """A run over given weights: `summary()`, `verdicts()`, `table("variance")`, `to_excel(path)` as of any run.

    weights: a file (.npz, .safetensors), a list of .npy files or of arrays in which biases stand behind their weights,
    or a mapping of names to arrays; data: the inputs, samples × inputs, as an array or a file (.csv, .xlsx, .npy), by
    default `samples` standard normal ones; activation: of all layers, a name of ACTIVATIONS; layout: whether the rows
    of weights are inputs ("in-out") or units ("out-in", PyTorch's); layers: names of the weights to take, in their
    order; output_layer: whether the last of several weights make a linear output, which is left out; report: "full", or
    "summary" for a book without the matrices; command: what About says that makes the book again.
    Raises SheetsimError for what is no chain of layers, or no data for it.
    """
    source: Any = {"file": os.fspath(data)} if isinstance(data, str | Path) or hasattr(data, "__fspath__") else data
    inputs = None
    if data is not None:
        if samples is not None:
            raise SheetsimError("samples are for drawn inputs: the data have their own")
        inputs = Diagnosed(input=source, layers=[1], weights=[]).input_width()
    given = given_layers(weights, layout, layers, inputs)
    kept = given.layers[:-1] if output_layer and len(given.layers) > 1 else given.layers
    notes = [*given.notes]
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
        description=" ".join(notes),
        weights=[one for one in given.source if one] or ["arrays of Python"],
        given=kept,
    )
    study.check_book()
    return DiagnosedRun(study, command, tuple(notes))
