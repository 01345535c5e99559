"""Trials of a model in blocks: its outputs for more trials than fit into memory, or than the model was made with.

Each block is drawn, computed and counted, and nothing of it is kept but the outputs, where they are few enough.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from sheetsim import arguments
from sheetsim.engine.binned import Binned
from sheetsim.engine.blas import one_thread
from sheetsim.engine.evaluate import Program
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Data, Draw, Matrix, Stack
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array, Op
from sheetsim.model.op_table import CONSTANT
from sheetsim.model.traversal import topological
from sheetsim.summary.outputs import COLUMNS, PERCENTS, QUANTILES

if TYPE_CHECKING:
    import pandas as pd

# Trials of one block: a few hundred kilobytes a column stay in the processor's caches.
ROWS = 1 << 16

# Ops that give each row from the same row of their arguments, beside those that go element by element.
BY_ROW = ("column", "row_sum", "matmul", "column_count")

StreamProgress = Callable[[int, int], None]


class Streamed:
    """What is known of outputs whose trials were not kept: moments and ends exactly, quantiles from fine bins.

    A quantile is off by less than its bin: 1/16,384 of its distance from the median, or of a tenth of the quartiles'
    distance where that is more (median and quartiles of the first block). A bin whose numbers are equal is exact.
    """

    def __init__(self, binned: Mapping[str, Binned]) -> None:
        self._binned = dict(binned)

    def summary(self) -> "pd.DataFrame":
        """A row per quantity, with the columns of `ModelRun.summary`."""
        import pandas as pd

        rows = {label: _statistics(of) for label, of in self._binned.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS)).rename_axis("output")

    def percentiles(self) -> "pd.DataFrame":
        """Percentiles, a row each, with a column per quantity."""
        import pandas as pd

        index = pd.Index([f"{percent:g} %" for percent in PERCENTS], name="percent")
        shares = np.array(PERCENTS) / 100
        return pd.DataFrame({label: of.quantiles(shares) for label, of in self._binned.items()}, index=index)

    def probability(self, output: str, at_most: float) -> float:
        """P(output ≤ at_most), the share of trials, linear within a bin."""
        if output not in self._binned:
            names = ", ".join(self._binned)
            raise SheetsimError(f"no output {arguments.said(output)}: the model has {names}")
        return self._binned[output].at_most(arguments.number("at_most", at_most))

    def __repr__(self) -> str:
        return f"<Streamed {', '.join(self._binned)}: {next(iter(self._binned.values())).n:,} trials>"


@one_thread()
def stream_trials(model: Graph, trials: int | None = None, progress: StreamProgress | None = None) -> Streamed:
    """Runs so many trials of a model in blocks (as many as it was made with if None).

    Every output must be computed trial by trial: no mean over all trials, no product of them. Plain draws come block by
    block, the first ones those of `model.run()`; designs and correlated inputs are drawn whole. progress: called with
    the trials done and all. Raises SheetsimError for a model that has no such outputs.
    """
    outputs = [output.matrix for output in model.outputs.values()]
    if not outputs:
        raise SheetsimError(
            "the model has no output: name a matrix with one row per trial by model.output(name, expression)"
        )
    made_with = outputs[0].shape[0]
    if any(output.shape[0] != made_with for output in outputs):
        raise SheetsimError("the outputs have different numbers of trials, so they cannot be streamed together")
    count = made_with if trials is None else arguments.whole("trials", trials, 2)
    arguments.function("progress", progress)
    leaves = _leaves_by_trial(outputs, made_with)
    given = next((leaf for leaf in leaves if isinstance(leaf.source, Data)), None)
    if given is not None and count != made_with:
        raise SheetsimError(f"{given.name} has {made_with:,} given trials, not {count:,}")
    program = Program(outputs, given=leaves)
    labels = [_labels(model, output) for output in outputs]
    binned = {label: Binned() for names in labels for label in names}
    done = 0
    for blocks in zip(*(_blocks(leaf, count) for leaf in leaves), strict=True):
        values = program(dict(zip(leaves, blocks, strict=True)))
        rows = len(blocks[0])
        for output, names in zip(outputs, labels, strict=True):
            numbers = np.broadcast_to(values[output], (rows, len(names)))
            for k, label in enumerate(names):
                binned[label].add(numbers[:, k])
        done += rows
        if progress is not None:
            progress(done, count)
    return Streamed(binned)


def _labels(model: Graph, output: Matrix) -> list[str]:
    from sheetsim.summary.outputs import quantities

    return [quantity.label for quantity in quantities(model) if quantity.output.matrix is output]


def _blocks(leaf: Matrix, trials: int) -> Iterator[Array]:
    if isinstance(leaf.source, Draw):
        yield from leaf.source.pieces((trials, leaf.shape[1]), ROWS)
    else:
        assert isinstance(leaf.source, Data)
        yield from (leaf.source.values[first : first + ROWS] for first in range(0, trials, ROWS))


def _leaves_by_trial(outputs: list[Matrix], trials: int) -> list[Matrix]:
    """The leaves that have a row per trial. Raises SheetsimError where an output is not computed trial by trial."""
    by_trial: set[Matrix] = set()
    leaves: list[Matrix] = []
    for node in topological(outputs):
        if isinstance(node.source, Draw | Data):
            if node.shape[0] == trials:
                by_trial.add(node)
                leaves.append(node)
        elif isinstance(node.source, Op) and any(arg in by_trial for arg in node.args):
            _check_row_by_row(node, node.source, by_trial)
            by_trial.add(node)
        elif isinstance(node.source, Stack) and any(arg in by_trial for arg in node.args):
            raise SheetsimError(f"{node.name}: a series as a whole is not a matrix with one row per trial")
    missing = next((output for output in outputs if output not in by_trial), None)
    if missing is not None:
        raise SheetsimError(f"{missing.name} does not depend on draws with one row per trial")
    return leaves


def _check_row_by_row(node: Matrix, op: Op, by_trial: set[Matrix]) -> None:
    """Refuses an op that looks at several trials at once."""
    first, *others = node.args
    elementwise = op.is_elementwise and all(arg in by_trial or arg.shape[0] == 1 for arg in node.args)
    if not elementwise and not (op.name in BY_ROW and first in by_trial and not any(o in by_trial for o in others)):
        name = f" of {first.name}" if first.name else ""
        raise SheetsimError(
            f"{op.name}{name} needs all trials at once and cannot be computed in blocks: use run() instead"
        )


def _statistics(of: Binned) -> list[float]:
    """The columns of COLUMNS."""
    if of.moments is None:
        return [0, of.errors, *[np.nan] * (len(COLUMNS) - 2)]
    moments, n = of.moments, of.n
    # Squares that overflow have no deviation, as in `Quantity.statistics`.
    with np.errstate(all="ignore"):
        variance = moments.m2 / n
        std = np.sqrt(moments.m2 / (n - 1)) if n > 1 else np.nan
        varies = np.sqrt(variance) > CONSTANT * abs(moments.mean)
        skew = moments.m3 / n / variance**1.5 if varies else np.nan
        kurtosis = moments.m4 / n / variance**2 - 3 if varies else np.nan
    values = {
        "n": n,
        "errors": of.errors,
        "mean": moments.mean,
        "std": std,
        "se": std / np.sqrt(n),
        "skew": skew,
        "kurtosis": kurtosis,
        "min": of.low,
        **dict(zip(QUANTILES, of.quantiles(np.array(list(QUANTILES.values()))), strict=True)),
        "max": of.high,
    }
    return [values[name] if np.isfinite(values[name]) else np.nan for name in COLUMNS]
