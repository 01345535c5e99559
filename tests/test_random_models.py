"""Two engines, any model: random graphs over the whole op table give in spreadsheets what they give in NumPy."""

from pathlib import Path

import numpy as np
import pytest
from engines import SOFFICE, cells_of, poison
from lint import lint

import sheetsim
from sheetsim.audit.recalculate import recalculated
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, apply, matrix
from sheetsim.model.op import OPS
from sheetsim.model.op_table import TABLE
from sheetsim.runs.run import Run
from sheetsim.workbook.formulas import formula

# Each program draws RAND on its own.
OPS_OF_NUMBERS = [op for op in TABLE if op.name != "random_like"]

SHAPES = [(1, 1), (1, 3), (4, 1), (4, 3), (3, 3), (3, 4)]


class Writer:
    """A random model, and the Python that builds it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = sheetsim.Model(seed=seed)
        self.lines = [f"model = sheetsim.Model(seed={seed})"]
        self.nodes: list[tuple[str, Matrix]] = []
        self.fresh = 0

    def leaf(self) -> None:
        shape = SHAPES[self.rng.integers(len(SHAPES))]
        values = np.round(self.rng.uniform(-2, 2, shape), 3)
        name = f"in_{len(self.nodes)}"
        self.lines.append(f"{name} = model.input({name!r}, {values.tolist()})")
        self.nodes.append((name, self.model.input(name, values)))

    def operand(self) -> tuple[str, Matrix]:
        kind = self.rng.integers(6)
        if kind == 0:
            number = float(np.round(self.rng.uniform(-3, 3), 2))
            return repr(number), matrix(number)
        if kind == 1 and self.fresh < 3:
            # An unnamed part: it is inlined, and brackets must stand where Excel needs them.
            self.fresh += 1
            made = self.applied()
            self.fresh -= 1
            if made is not None:
                return made
        return self.nodes[self.rng.integers(len(self.nodes))]

    def applied(self) -> tuple[str, Matrix] | None:
        op = OPS_OF_NUMBERS[self.rng.integers(len(OPS_OF_NUMBERS))]
        arity = op.arity or int(self.rng.integers(1, 4))
        operands = [self.operand() for _ in range(arity)]
        try:
            fitting = self.looked_up if op.name in ("entry", "pick", "inverse") else self.fitting
            operands = fitting(op.name, operands)
            node = apply(op.name, *(node for _, node in operands))
        except SheetsimError:
            return None
        return f"apply({op.name!r}, {', '.join(text for text, _ in operands)})", node

    def fitting(self, op: str, operands: list[tuple[str, Matrix]]) -> list[tuple[str, Matrix]]:
        """The operands, or for an op that does not take any, ones of the kind that it does."""
        name, node = self.nodes[self.rng.integers(len(self.nodes))]
        number = float(self.rng.integers(0, 5)) / 4
        if op == "quantile":
            return [(name, node), (repr(number), matrix(number))]
        if op == "row":
            return [(name, node), ("1.0", matrix(1.0))]
        if op == "column":
            wide = [known for known in self.nodes if known[1].shape[1] > 1]
            if not wide:
                raise SheetsimError("IronCalc takes no column of a block that has one column only")
            return [wide[0], ("2.0", matrix(2.0))]
        if op in ("normal_quantile", "t_quantile", "beta_quantile"):
            numbers = (number / 2 + 0.01, 7.0, 3.0)[: OPS[op].arity]
            return [(repr(one), matrix(one)) for one in numbers]
        if op == "where" and operands[0][1].shape == (1, 1) and (1, 1) not in [node.shape for _, node in operands[1:]]:
            # IronCalc does not spread the row or column that an IF of a single condition hands on.
            return [operands[0], operands[1], operands[1]]
        if op == "if_error":
            return [operands[0], (repr(number), matrix(number))]
        if op == "frequency":
            return [(name, node), self.nodes[0]]
        if op == "largest":
            return [(text, node) for text, node in operands if node.shape == (1, 1)] or [(repr(number), matrix(number))]
        return operands

    def looked_up(self, op: str, operands: list[tuple[str, Matrix]]) -> list[tuple[str, Matrix]]:
        """Operands of what looks up a number, or inverts one: a block may have no inverse."""
        number = float(self.rng.integers(0, 5)) / 4
        first = ("1.0", matrix(1.0))
        if op == "entry":
            # IronCalc looks up in blocks alone.
            blocks = [one for one in self.nodes if min(one[1].shape) > 1]
            if not blocks:
                raise SheetsimError("there is no block to look up in")
            return [blocks[self.rng.integers(len(blocks))], first, first]
        if op == "pick":
            singles = [one for one in operands if one[1].shape == (1, 1)]
            return [first, *(singles or [(repr(number), matrix(number))])]
        return [(repr(number + 1), matrix(number + 1))]

    def define(self) -> None:
        made = self.applied()
        if made is None or not made[1].is_op:
            return
        text, node = made
        try:
            formula(node, lambda part: part.name)
        except SheetsimError:
            return  # says that a part must be named
        name = f"m_{len(self.nodes)}"
        self.lines.append(f"{name} = model.define({name!r}, {text})")
        self.nodes.append((name, self.model.define(name, node)))


def random_model(seed: int) -> Writer:
    writer = Writer(seed)
    writer.lines.append('edges = model.input("edges", [[-1.0], [0.0], [1.5]])')
    writer.nodes.append(("edges", writer.model.input("edges", [[-1.0], [0.0], [1.5]])))
    for _ in range(4):
        writer.leaf()
    wanted = 4 + int(writer.rng.integers(10, 31))
    while len(writer.nodes) < wanted:
        writer.define()
    return writer


def mismatches(run: Run, cells: object) -> list[str]:
    """Matrices that differ by more than 1e-9 of their largest number.

    Left out is what comes from a part that is undefined or overflows, inlined parts included: there NumPy's infinities
    can lead back to a number, and a sheet's errors cannot.
    """
    found = []
    nodes = list(run._study.graph)
    parts = {node: [node, *_ancestors(node)] for node in nodes}
    values = evaluate([part for node in nodes for part in parts[node]])
    for node in nodes:
        if any(_left_out(part, values) for part in parts[node]):
            continue
        actual = np.array(
            [[v if isinstance(v, int | float) else np.nan for v in row] for row in cells(*run._layout.places[node])],  # type: ignore[operator]
            dtype=float,
        )
        scale = max(np.abs(values[node]).max(), 1e-300)
        if node.source.name in ("std", "variance") if node.is_op else False:
            # Of numbers that are alike, engines find a spread of the square root of their rounding.
            scale = max(scale, 100 * np.abs(values[node.args[0]]).max())
        if np.isnan(actual).any() or np.abs(actual - values[node]).max() > 1e-9 * scale:
            found.append(str(node.name))
    return found


def _left_out(part: Matrix, values: dict[Matrix, np.ndarray]) -> bool:
    if not np.isfinite(values[part]).all() or np.abs(values[part]).max() > 1e100:
        return True
    name = part.source.name if part.is_op else ""
    if name == "power":
        # 0^0 is 1 to NumPy and LibreOffice, an error to Excel and IronCalc.
        base, exponent = np.broadcast_arrays(values[part.args[0]], values[part.args[1]])
        return bool(np.any((base == 0) & (exponent == 0)))
    # IronCalc: IF with a single condition does not take a matrix product that stands inside it.
    inside = [arg for arg in part.args[1:] if name == "where" and arg.name is None]
    return bool(inside) and part.args[0].shape == (1, 1) and any(_has_product(arg) for arg in inside)


def _has_product(node: Matrix) -> bool:
    here = node.is_op and "MMULT(" in node.source.excel
    return here or any(_has_product(arg) for arg in node.args if arg.name is None)


def _ancestors(node: Matrix) -> set[Matrix]:
    seen: set[Matrix] = set()
    stack = list(node.args)
    while stack:
        part = stack.pop()
        if part not in seen:
            seen.add(part)
            stack.extend(part.args)
    return seen


def fails(writer: Writer, run: Run, cells: object) -> str:
    wrong = mismatches(run, cells)
    if not wrong:
        return ""
    formulas = {node.name: run._layout.formulas.get(node) for node in run._layout.places}
    return "\n".join([*writer.lines, f"# differs: {wrong[0]} = {formulas[wrong[0]]}"])


def assert_agreement(writers: list[Writer], engine: str, folder: Path) -> None:
    """All books in one start of the engine; of those that differ the shortest is shown."""
    runs = [writer.model.run() for writer in writers]
    books = []
    for k, run in enumerate(runs):
        books.append(folder / f"poisoned-{k}.xlsx")
        book = run.to_excel(folder / "book.xlsx")
        assert lint(book) == []
        poison(book, books[-1])
    failures = [
        failure
        for writer, run, read in zip(writers, runs, recalculated(books, engine), strict=True)
        if (failure := fails(writer, run, cells_of(read)))
    ]
    assert not failures, min(failures, key=len)


@pytest.mark.parametrize("batch", [*range(2), *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 10))])
def test_ironcalc_computes_any_model_as_numpy_does(batch: int, tmp_path: Path) -> None:
    writers = [random_model(seed) for seed in range(batch * 30, batch * 30 + 30)]
    assert_agreement(writers, "ironcalc", tmp_path)


@pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("count", [60])
def test_libreoffice_computes_a_batch_of_models_as_numpy_does(count: int, tmp_path: Path) -> None:
    assert_agreement([random_model(seed) for seed in range(1000, 1000 + count)], "libreoffice", tmp_path)
