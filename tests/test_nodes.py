"""Nodes are values: equal expressions are one node, which does not change, is computed once, and has one place."""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from msgspec.structs import replace

import sheetsim
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model import expr
from sheetsim.model.expr import Matrix, apply, mean, relu, sqrt, total
from sheetsim.model.op import OPS, Op
from sheetsim.model.traversal import topological


@pytest.fixture
def model() -> sheetsim.Model:
    return sheetsim.Model("A model", seed=1)


def test_equal_expressions_are_one_node(model: sheetsim.Model) -> None:
    x, y = model.input("x", [[1.0, 2.0]]), model.input("y", [[1.0, 2.0]])
    assert relu(x + 1) is relu(x + 1)
    assert x + y is not y + x
    assert x + 0.0 is not x + -0.0
    assert x + float("nan") is x + float("nan")
    # Given numbers are cells, which a person changes one without the other.
    assert x + 1 is not y + 1


def test_a_node_does_not_change(model: sheetsim.Model) -> None:
    x = model.input("x", [[1.0]])
    for key, value in (("source", OPS["add"]), ("name", "z"), ("args", ())):
        with pytest.raises(AttributeError, match="does not change"):
            setattr(x, key, value)
    with pytest.raises(ValueError, match="read-only"):
        x.source.values[0, 0] = 2  # type: ignore[union-attr]


def test_define_gives_another_node_with_the_name(model: sheetsim.Model) -> None:
    x = model.input("x", [[3.0]])
    square = x * x
    named = model.define("square", square)
    assert (square.name, named.name, named.expression) == (None, "square", square)
    assert model["square"] is named
    again = model.define("again", square)
    run = model.run()
    assert run["square"] == run["again"] == 9
    assert again is not named


def test_an_expression_is_computed_once_whatever_its_names(
    model: sheetsim.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def product(*arrays: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.matmul(*arrays)

    monkeypatch.setitem(OPS, "matmul", replace(OPS["matmul"], numpy=product))
    x = model.input("x", np.ones((2, 2)))
    a = x @ x
    named = model.define("a", a)
    ends = [total(a), mean(named), model.define("b", x @ x)]
    values = evaluate(ends)
    assert calls == 1
    assert [values[end].sum() for end in ends] == [8, 2, 8]


def test_formulas_refer_to_the_name_also_where_the_expression_stands(model: sheetsim.Model, tmp_path: Path) -> None:
    x = model.input("x", [[1.0, 4.0]])
    root = sqrt(x)
    model.define("twice", 2 * root)
    model.define("root", root)
    book = openpyxl.load_workbook(model.run().to_excel(tmp_path / "b.xlsx"))
    sheets = {name: defined.attr_text.partition("!")[0] for name, defined in book.defined_names.items()}
    formulas = {
        name: book[title.strip("'")]["B2"].value.text for name, title in sheets.items() if name in ("twice", "root")
    }
    assert formulas == {"twice": "=2*root", "root": "=SQRT(x)"}


def test_a_gradient_is_by_the_matrix_or_by_the_expression_that_it_names(model: sheetsim.Model) -> None:
    x = model.input("x", [[1.0, 2.0]])
    a = 3 * x
    named = model.define("a", a)
    for loss, by in ((total(a**2), named), (total(named**2), a), (total(a * named), named), (total(a * named), a)):
        (d,) = sheetsim.grad(loss, [by])
        np.testing.assert_array_equal(evaluate([d])[d], [[6.0, 12.0]])
    (d,) = sheetsim.grad(total(a * x), [x], fixed=[named])
    np.testing.assert_array_equal(evaluate([d])[d], [[3.0, 6.0]])


def test_other_values_can_take_the_place_of_a_leafs_and_of_a_drop_downs(model: sheetsim.Model) -> None:
    x = model.input("x", [[4.0]])
    kind = model.choice("kind", ["root", "square"], "root")
    z = model.define("z", sheetsim.choose(kind, {"root": sqrt(x), "square": x * x}))
    assert evaluate([z])[z].item() == 2
    assert evaluate([z], {x: np.array([[9.0]])})[z].item() == 3
    assert evaluate([z], {kind: np.array([["square"]])})[z].item() == 16
    assert evaluate([z])[z].item() == 2


def test_arguments_come_first_and_from_left_to_right(model: sheetsim.Model) -> None:
    x, y = model.input("x", [[1.0]]), model.input("y", [[1.0]])
    left, right = x + y, y * x
    whole = left / right
    assert topological([whole, x]) == [x, y, left, right, whole]
    assert topological([whole], lambda node: [] if node is right else node.args) == [x, y, left, right, whole]
    assert topological([whole], lambda node: [] if node.is_op and node is not whole else node.args) == [
        left,
        right,
        whole,
    ]


def test_fifty_thousand_nodes_in_a_row_are_made_computed_derived_and_let_go(model: sheetsim.Model) -> None:
    x = node = model.input("x", [[0.0]])
    for _ in range(50_000):
        node = node + 1
    assert evaluate([node])[node].item() == 50_000
    (d,) = sheetsim.grad(node, [x])
    assert evaluate([d])[d].item() == 1
    kept = len(expr._EXPRESSIONS)
    del node, d
    gc.collect()
    assert kept - len(expr._EXPRESSIONS) >= 50_000


@pytest.mark.parametrize("levels", [20, 60])
def test_a_text_without_end_is_refused_before_it_is_written(levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = sheetsim.Model()
    node = model.input("x", [[1.0]])
    for _ in range(levels):
        node = node + node
    model.define("last", node)
    with pytest.raises(SheetsimError, match=r"formula of last has [\d,]+ characters or more; Excel allows 8,192"):
        model.to_excel("never.xlsx")


def test_a_program_takes_a_named_matrix_as_given_for_its_expression(model: sheetsim.Model) -> None:
    x = model.input("x", [[1.0]])
    a = x + 1
    named = model.define("a", a)
    z = a * 10
    assert Program([z], given=[named])({named: np.array([[5.0]])})[z].item() == 50


def test_every_op_is_made_once_for_the_same_arguments(model: sheetsim.Model) -> None:
    x = model.input("x", np.arange(1.0, 10).reshape(3, 3))
    cell = model.input("cell", [[2.0]])
    fit = {"frequency": (x, expr.column(x, 1)), "quantile": (x, 0.5)}

    def arguments(op: Op) -> tuple[Any, ...]:
        return fit.get(op.name, (cell,) * (op.arity or 3))

    for op in OPS.values():
        found = apply(op.name, *arguments(op))
        assert isinstance(found, Matrix)
        assert apply(op.name, *arguments(op)) is found


def test_what_numbers_are_stands_on_the_matrix(model: sheetsim.Model) -> None:
    x = model.input("x", [[1.0, 2.0]])
    kinds = [model.define(name, x + k, kind=name).kind for k, name in enumerate(expr.KINDS)]
    assert kinds == list(expr.KINDS)
    assert model.stacked("steps", [x + 1, x + 2], kind="rounding").kind == "rounding"
    with pytest.raises(SheetsimError, match="z: kind must be one of number, count, rounding, not 'text'"):
        model.define("z", x - 1, kind="text")
