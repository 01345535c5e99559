"""The house: imports go down and never up, and formula text is made in one place."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


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
