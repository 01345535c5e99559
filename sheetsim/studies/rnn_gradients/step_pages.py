"""The sheets by step: the states forward, the gradients back, and the way to the weights' spectrum."""

from collections.abc import Iterator, Mapping, Sequence

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.rnn_gradients.spectrum import Radius
from sheetsim.studies.sections import StepPage, Steps
from sheetsim.workbook.layout import Page, SeriesSheet, Sheet

HEAD = 7  # rows above a page's first step

GRADIENTS = ("d_a", "d_h", "d_a_clipped", "d_h_before", "d_h_clipped")

FORWARD = (
    "The sums a = h W of the state before, and the states h = f(a). Step 0 is h_0, standard normal draws.",
    "d_start is the gradient with respect to the last state, with which the backward pass begins.",
)
BIASED = "The sums a = h W + b of the state before, and the states h = f(a). Step 0 is h_0, standard normal draws."
BACKWARD = (
    "Row k of d_h and d_h_clipped: the gradient with respect to the state k steps before the last; step 0 is d_start.",
    "d_a is the gradient of the step before times f′(a), and d_h = d_a Wᵀ.",
    "Clipped: d_h_before = d_a_clipped Wᵀ, and d_h_clipped that times the rate (sheet Norms) where it is < 1. "
    "With Clip “once” d_a_clipped is d_a, and d_h_before d_h.",
)
SPECTRUM = (
    "ρ = lim ‖Wᵐ‖^(1/m) (Gelfand). Each step divides the power before by its scale, the largest magnitude, "
    "squares it, and multiplies the radius by scale^(1/m).",
    "Norms swing as eigenvalues turn. X ← B X Bᵀ + X over the last powers B evens that out (sheets Averages): "
    "ρ = radius · (|B X Bᵀ|/|X|)^(1/2m).",
    "|·| is the largest magnitude, m = 2^step. σ² is the same of WᵀW, W over its largest magnitude first.",
)


def step_pages(graph: Graph, series: Mapping[str, Series]) -> Iterator[Page]:
    """Forward and Backward: series side by side, so many rows a step, and at the right of the states input cells."""
    side = [graph["h_0"], graph["d_start"]]
    biases = [graph[name] for name in ("b_h", "e_b_h") if name in graph]
    notes = (BIASED, *FORWARD[1:]) if biases else FORWARD
    side += biases
    yield _page("Forward", "States by step", notes, [series["a"], series["h"]], side)
    yield _page("Backward", "Gradients by step back", BACKWARD, [series[name] for name in GRADIENTS])


def _page(
    title: str, heading: str, notes: Sequence[str], series: Sequence[Series], side: Sequence[Matrix] = ()
) -> Page:
    shown = [Steps(one, str(one.name)) for one in series]
    return StepPage(title, heading, notes, shown, HEAD, side=side).page()


def spectrum_sheets(of_weights: Radius, squared: Radius) -> Iterator[Sheet]:
    """Spectrum: the radii of W and of WᵀW by step; and their powers and averages."""
    shown: list[Steps] = []
    for heading, radius in (("W", of_weights), ("WᵀW, scaled", squared)):
        shown += [Steps(radius.scale, heading, over=2), Steps(radius.radius)]
    yield StepPage("Spectrum", "Spectral radius and largest singular value", SPECTRUM, shown, HEAD, wide=13).page()
    for name, of, radius in (("W", "W", of_weights), ("WtW", "WᵀW", squared)):
        yield SeriesSheet(f"Powers of {name}", radius.powers, tab="sums", words=f"powers of {of}")
        words = f"averages over powers of {of}"
        yield SeriesSheet(f"Averages of {name}", radius.averages, tab="sums", words=words)
