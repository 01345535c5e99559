"""The house: imports go down and never up, formula text is made in one place, and a name has one meaning."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import sheetsim
from sheetsim.studies.registry import STUDIES

ROOT = Path(__file__).parent.parent

# Names that say nothing of what they hold.
EMPTY_NAMES = {"found", "own", "known"}


MODULES = {path.relative_to(ROOT / "sheetsim"): path for path in sorted((ROOT / "sheetsim").rglob("*.py"))}


def test_imports_keep_the_contract() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_xlsxwriter_has_one_importer() -> None:
    importers = [
        p.name
        for p in (ROOT / "sheetsim").rglob("*.py")
        if "xlsxwriter" in p.read_text()
        and "import" in p.read_text()
        and any(line.startswith(("from xlsxwriter", "import xlsxwriter")) for line in p.read_text().splitlines())
    ]
    assert importers == ["xlsxwriter_parts.py"]


def test_list_and_help_load_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['sheetsim', 'list']\n"
        "from sheetsim.cli.commands import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'scipy', 'xlsxwriter', 'openpyxl', 'contourpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_run_of_normal_inputs_does_without_scipy_and_its_records_without_pandas(tmp_path: Path) -> None:
    code = (
        "import sys, sheetsim\n"
        "assert sheetsim.__file__.startswith(sys.argv[1]), sheetsim.__file__\n"
        "run = sheetsim.run('relu-he', samples=20, layers=[5])\n"
        "run.to_excel(sys.argv[2])\n"
        "records = run.records()\n"
        "assert not {'scipy', 'contourpy', 'pandas'} & set(sys.modules)\n"
        "assert records == run.summary().assign(verdict=run.verdicts()).reset_index().to_dict('records'), records\n"
        "sheetsim.run('relu-he', samples=20, layers=[5], sampling='lhs')\n"
        "assert 'scipy' in sys.modules"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(tmp_path / "book.xlsx")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


def test_every_benchmark_finds_what_it_imports() -> None:
    names = [path.stem for path in (ROOT / "benchmarks").glob("*.py")]
    assert len(names) > 5
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_public_function_or_class_has_its_name_to_itself() -> None:
    modules: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not (
                _is_overload(node) or node.name.startswith("_")
            ):
                modules.setdefault(node.name, []).append(str(module))
    assert len(modules) > 300
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}


def _is_overload(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether this only says a type of a function that stands below."""
    return any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)


def _bound(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that the code gives to something, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno


def test_variables_are_named_by_what_they_hold() -> None:
    bound = ((module, *name) for module, path in MODULES.items() for name in _bound(ast.parse(path.read_text())))
    assert [f"{module}:{line}: {name}" for module, name, line in bound if name in EMPTY_NAMES] == []


def test_a_study_has_its_own_name_in_the_registry_and_one_for_type_checkers() -> None:
    """The registry loads a study when it is asked for, so that neither is looked at before."""
    assert {study: kind.STUDY for study, kind in STUDIES.items()} == {study: study for study in STUDIES}
    text = Path(sheetsim.__file__).read_text(encoding="utf-8")
    imports = [f"    from {kind.__module__} import {kind.__name__} as {kind.__name__}\n" for kind in STUDIES.values()]
    assert [line for line in imports if line not in text] == [], "lines that sheetsim/__init__.py lacks"
    for kind in STUDIES.values():
        assert getattr(sheetsim, kind.__name__) is kind
