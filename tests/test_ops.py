"""Every op of the table: its Excel text to the letter, its value against plain NumPy, and both engines agreeing."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from engines import ironcalc_cells, poison
from scipy import stats

import sheetsim
from sheetsim.model import expr
from sheetsim.model.expr import Matrix, apply
from sheetsim.model.op import OPS
from sheetsim.model.op_table import TABLE
from sheetsim.workbook.layout import Layout

RNG = np.random.default_rng(7)
X = RNG.normal(size=(5, 3))
Y = RNG.normal(size=(5, 3))
POSITIVE = np.abs(X) + 0.1
SQUARE = RNG.normal(size=(3, 4))
EDGES = np.array([[-1.0], [0.0], [0.5], [2.0]])

# op: arguments by name, Excel text, and the value by functions other than the table's.
CASES: dict[str, tuple[tuple[str, ...], str, Callable[..., Any]]] = {
    "add": (("x", "y"), "x+y", lambda x, y: x + y),
    "subtract": (("x", "y"), "x-y", lambda x, y: x - y),
    "multiply": (("x", "y"), "x*y", lambda x, y: x * y),
    "divide": (("x", "y"), "x/y", lambda x, y: x / y),
    "power": (("positive", "y"), "positive^y", lambda x, y: np.exp(y * np.log(x))),
    "negative": (("x",), "-x", lambda x: 0 - x),
    "matmul": (("x", "square"), "MMULT(x,square)", lambda x, s: np.einsum("ij,jk->ik", x, s)),
    "transpose": (("x",), "TRANSPOSE(x)", lambda x: np.array(list(zip(*x, strict=True)))),
    "exp": (("x",), "EXP(x)", np.vectorize(math.exp)),
    "sin": (("x",), "SIN(x)", np.vectorize(math.sin)),
    "cos": (("x",), "COS(x)", np.vectorize(math.cos)),
    "log": (("positive",), "LN(positive)", np.vectorize(math.log)),
    "log10": (("positive",), "LOG10(positive)", np.vectorize(math.log10)),
    "sqrt": (("positive",), "SQRT(positive)", np.vectorize(math.sqrt)),
    "absolute": (("x",), "ABS(x)", np.vectorize(abs)),
    "floor": (("x",), "INT(x)", np.vectorize(math.floor)),
    "sigmoid": (("x",), "0.5*(1+TANH(x/2))", np.vectorize(lambda v: 1 / (1 + math.exp(-v)))),
    "tanh": (("x",), "TANH(x)", np.vectorize(math.tanh)),
    "relu": (("x",), "IF(x>0,x,0)", np.vectorize(lambda v: v if v > 0 else 0.0)),
    "greater": (("x", "y"), "IF(x>y,1,0)", lambda x, y: (x > y) * 1.0),
    "greater_equal": (("x", "y"), "IF(x>=y,1,0)", lambda x, y: (x >= y) * 1.0),
    "less": (("x", "y"), "IF(x<y,1,0)", lambda x, y: (x < y) * 1.0),
    "less_equal": (("x", "y"), "IF(x<=y,1,0)", lambda x, y: (x <= y) * 1.0),
    "equal": (("x", "x"), "IF(x=x,1,0)", lambda x, y: np.ones_like(x)),
    "not_equal": (("x", "y"), "IF(x<>y,1,0)", lambda x, y: np.ones_like(x)),
    "where": (("x", "x", "y"), "IF(x,x,y)", lambda c, x, y: x),
    "if_error": (("x", "two"), "IFERROR(x,two)", lambda x, k: x),
    "row": (("x", "two"), "INDEX(x,two,0)", lambda x, k: x[1:2]),
    "column": (("x", "two"), "INDEX(x,0,two)", lambda x, k: x[:, 1:2]),
    "entry": (("x", "two", "two"), "INDEX(x,two,two)", lambda x, r, c: [[x[1, 1]]]),
    "pick": (("two", "third", "two"), "CHOOSE(two,third,two)", lambda k, a, b: [[2.0]]),
    "row_numbers": (("x",), "ROW($1:$5)", lambda x: [[1], [2], [3], [4], [5]]),
    "row_count": (("x",), "ROWS(x)", lambda x: [[5.0]]),
    "column_count": (("x",), "COLUMNS(x)", lambda x: [[3.0]]),
    "column_sum": (("x",), "MMULT(TRANSPOSE(ROW(x)^0),x)", lambda x: [[math.fsum(c) for c in x.T]]),
    "row_sum": (("x",), "MMULT(x,ROW($1:$3)^0)", lambda x: [[math.fsum(row)] for row in x]),
    "row_log_sum_exp": (
        ("x",),
        "LN(MMULT(EXP(x-MMULT(x,ROW($1:$3)^0)/COLUMNS(x)),ROW($1:$3)^0))+MMULT(x,ROW($1:$3)^0)/COLUMNS(x)",
        lambda x: [[math.log(math.fsum(math.exp(v) for v in row))] for row in x],
    ),
    "total": (("x",), "SUM(x)", lambda x: [[math.fsum(x.ravel())]]),
    "sum_squares": (("x",), "SUMSQ(x)", lambda x: [[math.fsum(x.ravel() ** 2)]]),
    "mean": (("x",), "AVERAGE(x)", lambda x: [[math.fsum(x.ravel()) / 15]]),
    "variance": (("x",), "_xlfn.VAR.P(x)", lambda x: [[stats.moment(x.ravel(), 2)]]),
    "std": (("x",), "_xlfn.STDEV.P(x)", lambda x: [[stats.moment(x.ravel(), 2) ** 0.5]]),
    "sample_std": (("x",), "_xlfn.STDEV.S(x)", lambda x: [[math.sqrt(stats.moment(x.ravel(), 2) * 15 / 14)]]),
    "t_quantile": (("third", "two"), "TINV(third,two)", lambda p, df: [[stats.t.ppf(1 - 1 / 6, 2)]]),
    "normal_quantile": (("third",), "_xlfn.NORM.S.INV(third)", lambda p: [[stats.norm.ppf(1 / 3)]]),
    "normal_probability": (
        ("third",),
        "IF(third>0,1-_xlfn.CHISQ.DIST.RT(third^2,1)/2,_xlfn.CHISQ.DIST.RT(third^2,1)/2)",
        lambda x: [[stats.norm.cdf(1 / 3)]],
    ),
    "beta_quantile": (
        ("third", "two", "two"),
        "_xlfn.BETA.INV(third,two,two)",
        lambda p, a, b: [[stats.beta.ppf(1 / 3, 2, 2)]],
    ),
    "skew": (
        ("x",),
        "IF(_xlfn.STDEV.P(x)>1E-12*ABS(AVERAGE(x)),AVERAGE((x-AVERAGE(x))^3)/AVERAGE((x-AVERAGE(x))^2)^1.5,NA())",
        lambda x: [[stats.skew(x.ravel())]],
    ),
    "kurtosis": (
        ("x",),
        "IF(_xlfn.STDEV.P(x)>1E-12*ABS(AVERAGE(x)),AVERAGE((x-AVERAGE(x))^4)/AVERAGE((x-AVERAGE(x))^2)^2-3,NA())",
        lambda x: [[stats.kurtosis(x.ravel())]],
    ),
    "minimum": (("x",), "MIN(x)", lambda x: [[sorted(x.ravel())[0]]]),
    "maximum": (("x",), "MAX(x)", lambda x: [[sorted(x.ravel())[-1]]]),
    "quantile": (("x", "third"), "PERCENTILE(x,third)", lambda x, p: [[np.percentile(x, 100 / 3)]]),
    "largest": (("two", "third"), "MAX(two,third)", lambda a, b: [[2.0]]),
    "inverse": (("full",), "MINVERSE(full)", lambda a: np.linalg.solve(a, np.eye(3))),
    "frequency": (
        ("x", "edges"),
        "FREQUENCY(x,edges)",
        lambda x, e: [[((x > a) & (x <= b)).sum()] for a, b in zip([-9, *e[:, 0]], [*e[:, 0], 9], strict=True)],
    ),
}

INPUTS = {
    "x": X,
    "y": Y,
    "positive": POSITIVE,
    "square": SQUARE,
    "edges": EDGES,
    "full": SQUARE[:, :3] + 3 * np.eye(3),
    "two": [[2.0]],
    "third": [[1 / 3]],
}


def every_op() -> tuple[sheetsim.Model, dict[str, Matrix]]:
    model = sheetsim.Model("Every op")
    leaves = {name: model.input(name, values) for name, values in INPUTS.items()}
    made = {op: model.define(f"op_{op}", apply(op, *(leaves[a] for a in case[0]))) for op, case in CASES.items()}
    return model, made


def test_the_table_has_a_case_for_every_op_and_no_op_twice() -> None:
    # Each program draws RAND on its own: see test_redraw.
    assert set(CASES) == set(OPS) - {"random_like"}
    assert len(OPS) == len(TABLE)


def test_excel_text_is_exact() -> None:
    model, made = every_op()
    formulas = Layout(model.run()._layout.sheets).formulas
    assert {op: formulas[node] for op, node in made.items()} == {op: case[1] for op, case in CASES.items()}


@pytest.mark.parametrize("op", CASES)
def test_value_equals_plain_functions(op: str) -> None:
    model, _ = every_op()
    arguments = [np.array(INPUTS[name], dtype=float) for name in CASES[op][0]]
    expected = np.array(CASES[op][2](*arguments), dtype=float)
    value = np.atleast_2d(model.run()[f"op_{op}"])
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-13)


def test_ironcalc_gives_the_same_from_poisoned_caches(tmp_path: Any) -> None:
    model, made = every_op()
    run = model.run()
    poison(run.to_excel(tmp_path / "ops.xlsx"), tmp_path / "poisoned.xlsx")
    cells = ironcalc_cells(tmp_path / "poisoned.xlsx")
    for op, node in made.items():
        place = run._layout.places[node]
        actual = np.array(cells(place.sheet, place.row, place.column, place.shape), dtype=float)
        np.testing.assert_allclose(actual, np.atleast_2d(run[f"op_{op}"]), rtol=1e-13, atol=1e-13, err_msg=op)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda x, y: x @ y, "5×3 times 5×3 does not fit"),
        (lambda x, y: x + y.T, "shapes 5×3 and 3×5 do not fit together"),
        (lambda x, y: expr.row(x, 6), "6 is not between 1 and 5"),
        (lambda x, y: expr.frequency(x, y), "edges must be one column"),
        (lambda x, y: expr.largest(x, 1), "single numbers"),
        (lambda x, y: x + np.ones(3), "give arrays to the model"),
        (lambda x, y: bool(x > 0), "use where"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_built(build: Any, sentence: str) -> None:
    model = sheetsim.Model()
    with pytest.raises(sheetsim.SheetsimError, match=sentence):
        build(model.input("x", X), model.input("y", Y))


def test_sigmoid_never_overflows() -> None:
    model = sheetsim.Model()
    z = model.define("z", expr.sigmoid(model.input("a", [[-1e4, -710.0, 0.0, 710.0, 1e4]])))
    assert model.run()[str(z.name)].tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]


def test_skew_and_kurtosis_of_constants_are_nan_not_noise() -> None:
    model = sheetsim.Model()
    x = model.input("x", np.full((1000, 7), 0.1))
    model.define("s", expr.skew(x))
    model.define("k", expr.kurtosis(x))
    run = model.run()
    assert math.isnan(run["s"])
    assert math.isnan(run["k"])


@pytest.mark.parametrize("op", [op for op in TABLE if op.never_overflows], ids=lambda op: op.name)
def test_a_bounded_op_makes_no_infinity(op: Any) -> None:
    ends = [-np.finfo(float).max, np.finfo(float).max, np.finfo(float).smallest_subnormal, -0.0]
    if op.name in ("entry", "pick"):
        pytest.skip("it takes single numbers, and hands one on as it is")
    arguments = np.array(np.meshgrid(*[ends] * op.arity)).reshape(op.arity, 1, -1)
    with np.errstate(all="ignore"):
        assert not np.isinf(op.numpy(*arguments)).any()


@pytest.mark.parametrize("shapes", list(itertools.product([(3, 4), (1, 4), (3, 1), (1, 1)], repeat=3)), ids=str)
def test_where_gives_the_very_bits_that_it_chose(shapes: Any) -> None:
    rng = np.random.default_rng(5)
    awkward = np.array([0.0, -0.0, np.nan, 1e308, 5e-324, -1.5])
    condition, yes, no = (rng.choice(awkward, shape) for shape in shapes)
    condition = np.nan_to_num(condition, nan=0.0)
    for other in (no, np.zeros((1, 1)), np.full((1, 1), -0.0), np.asfortranarray(no)):
        found = OPS["where"].numpy(condition, yes, other)
        expected = np.where(condition != 0, yes, other)
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
