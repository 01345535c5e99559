"""Which earlier inputs a new one is correlated with, and whether it can be. It draws nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sheetsim.arguments import number, said
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array, Shape
from sheetsim.model.rank_correlation import SINGULAR
from sheetsim.model.sampling import Draw, Partner
from sheetsim.model.traversal import topological

# An eigenvalue of a correlation matrix that is singular comes out a little below 0.
ROUNDING = 1e-9


def partners_of(matrices: Mapping[str, Matrix], correlation: Mapping[Any, Any], shape: Shape) -> tuple[Partner, ...]:
    """The earlier inputs of a model that a new one of this shape has rank correlations with.

    correlation: by the name of an input, or the matrix itself, a number from -1 to 1. An input whose parameters are in
    cells stands for its draws, whose ranks are its own.
    Raises SheetsimError for what is not a drawn input, for another shape than n×1 or another number of rows, and for
    correlations that no numbers can have.
    """
    rows, columns = shape
    if columns != 1:
        raise SheetsimError(f"an input that is correlated with others must have one column, not {rows}×{columns}")
    partners: list[Partner] = []
    for key, value in correlation.items():
        name = key.name if isinstance(key, Matrix) else key
        node = matrices.get(name) if isinstance(name, str) else None
        if node is None or (isinstance(key, Matrix) and node is not key):
            raise SheetsimError(f"correlation: no input {said(key)}; the model has {', '.join(matrices) or 'none'}")
        draw = _draw_of(matrices, node)
        if node.shape != shape:
            raise SheetsimError(f"correlation: {name} is {node.shape[0]}×{node.shape[1]}, but must be {rows}×1")
        if any(draw is partner.draw for partner in partners):
            raise SheetsimError(f"correlation: {name} is given twice")
        r = number(f"correlation with {name}", value)
        if not -1 <= r <= 1:
            raise SheetsimError(f"correlation with {name} must lie between -1 and 1, not {r:g}")
        partners.append(Partner(draw, str(name), r, 0.0))
    if rows < len(partners) + 2:
        raise SheetsimError(f"correlation with {len(partners)} inputs needs {len(partners) + 2} rows, not {rows}")
    return tuple(_weighted(partners)) if partners else ()


def _draw_of(matrices: Mapping[str, Matrix], node: Matrix) -> Draw:
    if isinstance(node.source, Draw):
        return node.source
    for prefix in ("e_", "u_"):
        leaf = matrices.get(f"{prefix}{node.name}")
        if node.is_op and leaf is not None and isinstance(leaf.source, Draw) and leaf in topological([node]):
            return leaf.source
    raise SheetsimError(f"correlation: {node.name} is not an input that is drawn")


def _weighted(partners: list[Partner]) -> list[Partner]:
    """The partners with their weights.

    Raises SheetsimError when the correlations and those that the partners have among themselves are no matrix of
    correlations.
    """
    among = _among([partner.draw for partner in partners])
    asked = np.array([[partner.correlation for partner in partners]])
    least = np.linalg.eigvalsh(np.block([[among, asked.T], [asked, np.ones((1, 1))]]))[0]
    if least < -ROUNDING:
        names = ", ".join(f"{partner.name} {partner.correlation:g}" for partner in partners)
        raise SheetsimError(
            f"correlation must be positive semi-definite: with {names} and the correlations among them, "
            f"its smallest eigenvalue is {least:.3g}"
        )
    weights = np.linalg.pinv(among, rcond=SINGULAR, hermitian=True) @ asked[0]
    return [partner._replace(weight=float(weight)) for partner, weight in zip(partners, weights, strict=True)]


def _among(draws: list[Draw]) -> Array:
    """The correlations that draws have among themselves: those that were asked for, and what follows from them.

    A draw is a weighted sum of its partners' scores and a part that no earlier draw has: its correlation with any
    earlier one is the same sum of its partners' correlations.
    """
    order = list(dict.fromkeys(one for draw in draws for one in (*draw.ancestors, draw)))
    places = {draw: k for k, draw in enumerate(order)}
    matrix = np.eye(len(order))
    for k, draw in enumerate(order):
        if draw.partners:
            at = [places[partner.draw] for partner in draw.partners]
            matrix[k, :k] = matrix[:k, k] = matrix[:k, at] @ [partner.weight for partner in draw.partners]
    at = [places[draw] for draw in draws]
    return matrix[np.ix_(at, at)]
