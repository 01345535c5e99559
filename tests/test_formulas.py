"""Expressions as Excel text: precedence is Excel's, and a line here is a line a person can read and extend."""

import pytest

import sheetsim
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, equal, exp, mean, relu, sigmoid, total, where
from sheetsim.workbook.formulas import (
    address,
    column_letters,
    formula,
    literal,
    lowered,
    quoted,
    renamed,
    same_formula,
)


@pytest.fixture
def xy() -> tuple[Matrix, Matrix]:
    model = sheetsim.Model()
    return model.input("x", [[1.0, 2.0]]), model.input("y", [[3.0, 4.0]])


def by_name(node: Matrix) -> str | None:
    return node.name


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x, y: x + y + 1, "x+y+1"),
        (lambda x, y: x + (y + 1), "x+(y+1)"),
        (lambda x, y: x - (y - 1), "x-(y-1)"),
        (lambda x, y: (x + y) * 2, "(x+y)*2"),
        (lambda x, y: x / (y * 2), "x/(y*2)"),
        (lambda x, y: x / y * 2, "x/y*2"),
        # Excel's unary minus binds tighter than its power, and its power is left-associative.
        (lambda x, y: -(x**2), "-(x^2)"),
        (lambda x, y: (-x) ** 2, "-x^2"),
        (lambda x, y: 0 - x**2, "0-x^2"),
        (lambda x, y: x ** (y**2), "x^(y^2)"),
        (lambda x, y: (x**y) ** 2, "x^y^2"),
        (lambda x, y: x**-2, "x^-2"),
        (lambda x, y: 2**-x, "2^-x"),
        (lambda x, y: exp(-(x**2)), "EXP(-(x^2))"),
        (lambda x, y: -x * y, "-x*y"),
        (lambda x, y: -(x * y), "-(x*y)"),
        (lambda x, y: x * -y, "x*-y"),
        (lambda x, y: sigmoid(x + y), "0.5*(1+TANH((x+y)/2))"),
        (lambda x, y: 1 / sigmoid(x), "1/(0.5*(1+TANH(x/2)))"),
        (lambda x, y: relu(x - y), "IF(x-y>0,x-y,0)"),
        (lambda x, y: where(x > y, x, 0), "IF(x>y,x,0)"),
        (lambda x, y: (x > y) * 2, "IF(x>y,1,0)*2"),
        (lambda x, y: (x > y) > 0, "IF(IF(x>y,1,0)>0,1,0)"),
        (lambda x, y: where(equal(x, 'it\'s "5"'), 1, 0), 'IF(x="it\'s ""5""",1,0)'),
        (lambda x, y: x * 1e-5 + 0.1, "x*1E-05+0.1"),
        (lambda x, y: where(x > 0, x, float("nan")), "IF(x>0,x,NA())"),
    ],
)
def test_brackets_stand_where_excel_needs_them(xy: tuple[Matrix, Matrix], build: object, text: str) -> None:
    assert formula(build(*xy), by_name) == text  # type: ignore[operator]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-2.0, "-2"), (0.1, "0.1"), (1e300, "1E+300"), (2.5e-7, "2.5E-07"), ("a", '"a"'), (0.0, "0")],
)
def test_literals_are_the_shortest_text_of_the_number(value: float | str, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [1e-310, float("inf"), float("-inf")])
def test_a_number_that_no_formula_can_hold_is_refused(value: float) -> None:
    with pytest.raises(SheetsimError, match="cannot be written in a formula"):
        literal(value)


def test_only_what_passes_through_many_numbers_is_an_array_formula(xy: tuple[Matrix, Matrix]) -> None:
    x, _ = xy
    assert not lowered(mean(x), by_name).is_array
    assert not lowered(mean(x) * 2 + 1, by_name).is_array
    assert lowered(mean(x * 2), by_name).is_array
    assert lowered(x * 2, by_name).is_array


def test_addresses() -> None:
    assert address("Weights 1", 1, 1, (100, 100)) == "'Weights 1'!$B$2:$CW$101"
    assert address("Summary", 0, 27, (1, 1)) == "Summary!$AB$1"
    assert column_letters(16_383) == "XFD"


@pytest.mark.parametrize(("title", "text"), [("Summary", "Summary"), ("W1", "'W1'"), ("R", "'R'"), ("It's", "'It''s'")])
def test_sheet_titles_are_quoted_when_they_could_be_cells(title: str, text: str) -> None:
    assert quoted(title) == text


def test_an_expression_too_deep_for_excel_says_what_to_do(xy: tuple[Matrix, Matrix]) -> None:
    node = xy[0]
    for _ in range(70):
        node = exp(node)
    with pytest.raises(SheetsimError, match="name a part of it"):
        formula(node, by_name)


def test_a_choice_between_sizes_inside_a_formula_must_be_named(xy: tuple[Matrix, Matrix]) -> None:
    """SUM(IF(c,1,x)) would add one 1 where NumPy adds one an element."""
    x, _ = xy
    inside = where(mean(x) > 0, 1, x)
    assert formula(inside, by_name) == "IF(AVERAGE(x)>0,1,x)"
    with pytest.raises(SheetsimError, match="name it with define"):
        formula(total(inside), by_name)
    assert formula(total(where(mean(x) > 0, x + 1, x)), by_name) == "SUM(IF(AVERAGE(x)>0,x+1,x))"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("'SGD'!$B$4*1E-09", "SGD!$B$4*0.000000001", True),
        ("IF(a>0.6000000000000001,1,0)", "IF(a>0.6,1,0)", True),
        ("IF(a>0.6001,1,0)", "IF(a>0.6,1,0)", False),
        ("$B$4+1", "$B$5+1", False),
        ('IF(a=1,"1E-09","")', 'IF(a=1,"0.000000001","")', False),
        ("sd_1*e_1", "sd_2*e_1", False),
        ("-2^2", "-(2^2)", False),
    ],
)
def test_two_spellings_are_one_formula(one: str, two: str, same: bool) -> None:
    assert same_formula(one, two) is same


def test_names_are_replaced_and_neither_texts_nor_titles() -> None:
    text = """IF(größe>1,"größe",'größe'!$B$2+Größe_2+GRÖßE+größe!A1)"""
    assert renamed(text, {"größe".casefold(): "n"}) == """IF(n>1,"größe",'größe'!$B$2+Größe_2+n+größe!A1)"""
