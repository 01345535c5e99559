"""The command line in process: what it prints, its exit status, and a sentence for every mistake."""

import io
import json
import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import quick_run, small_run

from sheetsim.cli import commands as cli
from sheetsim.cli import paths, terminal
from sheetsim.runs import templates
from sheetsim.runs.run import read, run

QUICK = ["--set", "samples=30", "--set", "inputs=4", "--set", "layers=[5, 3]"]


def test_run_with_no_name_does_the_articles_five(sheetsim, tmp_path: Path) -> None:
    status, out, _ = sheetsim("run", *QUICK)
    assert status == 0
    assert {path.name for path in (tmp_path / "outputs").iterdir()} == {f"{name}.xlsx" for name in templates.ARTICLE}
    assert out.count("layer") == 5


def test_run_prints_a_row_a_layer_as_table_and_as_records(sheetsim) -> None:
    status, out, _ = sheetsim("run", "relu-he", "--json", *QUICK)
    records = json.loads(out)
    assert status == 0
    assert [record["layer"] for record in records] == [1, 2]
    assert {"mean", "std", "verdict", "file"} <= set(records[0])


@pytest.mark.parametrize(
    ("output", "made"), [("a.xlsx", "a.xlsx"), ("folder", "folder/relu-he.xlsx"), ("x/y.xlsx", "x/y.xlsx")]
)
def test_output_is_a_file_or_a_folder(sheetsim, tmp_path: Path, output: str, made: str) -> None:
    assert sheetsim("run", "relu-he", "--output", output, *QUICK)[0] == 0
    assert (tmp_path / made).is_file()


def test_list_has_a_line_a_template(sheetsim) -> None:
    status, out, err = sheetsim("list")
    assert status == 0
    assert "--set size=small" in err
    assert [line.split()[0] for line in out.splitlines()] == templates.names()
    assert len(templates.names()) == len(list(templates.folder().glob("*.toml")))


def test_what_show_prints_runs_as_a_persons_own_file(sheetsim, tmp_path: Path) -> None:
    status, toml, _ = sheetsim("show", "tanh-he")
    assert status == 0
    Path("mine.toml").write_text(toml.replace("samples = 1000", "samples = 20"))
    assert sheetsim("run", "mine.toml", "--set", "layers=[3]")[0] == 0
    assert (tmp_path / "outputs" / "mine.xlsx").is_file()


@pytest.mark.parametrize("table", ["layers", "variance", "claims", "histograms"])
def test_summary_of_a_template_and_of_its_book_are_the_same(sheetsim, table: str) -> None:
    sheetsim("run", "relu-he", "--output", "book.xlsx", *QUICK)
    of_template = sheetsim("summary", "relu-he", "--table", table, "--format", "json", *QUICK)
    of_book = sheetsim("summary", "book.xlsx", "--table", table, "--json")
    assert of_template == of_book
    assert isinstance(json.loads(of_book[1]), list)


@pytest.mark.every(4)
@pytest.mark.parametrize("study", templates.STUDIES)
def test_a_tables_name_stands_in_the_help_and_in_the_book(sheetsim, tmp_path: Path, study: str) -> None:
    told = " ".join(sheetsim("summary", "--help")[1].replace("│", " ").split()).replace("- ", "-")
    made = quick_run("relu-he" if study == "forward" else study)
    listed = told.partition(f" {study}: ")[2].partition(";")[0]
    for table in made.tables():
        assert table in listed
    book = read(made.to_excel(tmp_path / f"{study}.xlsx"))
    for table in made.tables():
        pd.testing.assert_frame_equal(book.table(table), made.table(table))
    assert book.verdicts() == made.verdicts()
    assert list(templates.STUDIES[study].TABLES) == made.tables()


def test_a_table_that_there_is_not_is_refused_by_the_templates_name(sheetsim) -> None:
    status, _, error = sheetsim("summary", "relu-he", "--table", "histogram", *QUICK)
    assert (status, error) == (
        2,
        "sheetsim: relu-he has no table 'histogram'; it has layers, variance, claims, histograms\n",
    )


def test_every_command_that_prints_a_table_has_format_and_its_short_json() -> None:
    commands = cli.app.commands
    options = {name: {text for one in command.params for text in one.opts} for name, command in commands.items()}
    assert {name for name, has in options.items() if {"--format", "--json"} <= has} == set(commands) - {"show", "plot"}


def test_replicate_in_json_has_the_statistics_asked_for_the_reason_and_the_book(sheetsim, tmp_path: Path) -> None:
    words = ("replicate", "relu-he", *QUICK, "--replicates", "3", "--statistics", "var", "--json")
    status, out, err = sheetsim(*words)
    records = json.loads(out)
    assert status == 0
    assert {(row["statistic"], row["replicates"], row["reason"], row["file"]) for row in records} == {
        ("var", 3, "3 were asked for", "outputs/relu-he-replicates.xlsx")
    }
    assert "outputs/relu-he-replicates.xlsx" in err
    assert "give one of them" in sheetsim(*words, "--format", "csv")[2]


def test_summary_prints_csv_and_parquet(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    _, csv, _ = sheetsim("summary", "relu-he", "--format", "csv", *QUICK)
    from_csv = pd.read_csv(io.StringIO(csv), index_col=0)
    written = io.BytesIO()
    stream = io.TextIOWrapper(written)
    monkeypatch.setattr(sys, "stdout", stream)
    assert sheetsim("summary", "relu-he", "--format", "parquet", *QUICK)[0] == 0
    stream.flush()
    run = small_run(samples=30, inputs=4, layers=[5, 3], histogram={})
    expected = run.summary()
    expected.insert(0, "verdict", run.verdicts())
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(written.getvalue())), expected)
    pd.testing.assert_frame_equal(from_csv, expected)


def test_seed_changes_the_draws(sheetsim) -> None:
    first, second, again = (sheetsim("summary", "relu-he", "--seed", s, *QUICK)[1] for s in ("1", "2", "1"))
    assert first == again != second


def test_runs_of_one_command_share_their_axes_and_each_can_be_made_alone(sheetsim, tmp_path: Path) -> None:
    names = ("relu-xavier", "relu-he", "sigmoid-std1")
    assert sheetsim("run", *names, "--output", "together", *QUICK)[0] == 0
    alone = {name: run(name, samples=30, inputs=4, layers=[5, 3]) for name in names}
    books = {name: read(tmp_path / "together" / f"{name}.xlsx") for name in names}
    for cell in ("range_high", "chart_height"):
        assert books["relu-he"][cell] == books["relu-xavier"][cell] >= max(alone[n][cell] for n in names[:2]), cell
        assert books["sigmoid-std1"][cell] == alone["sigmoid-std1"][cell]
    assert alone["relu-he"]["range_high"] > alone["relu-xavier"]["range_high"]
    np.testing.assert_array_equal(books["relu-he"]["edges"], books["relu-xavier"]["edges"])
    for name in names:
        about = openpyxl.load_workbook(tmp_path / "together" / f"{name}.xlsx")["About"]
        command = next(row[1].value for row in about.iter_rows() if row[0].value == "command")
        assert sheetsim(*shlex.split(command)[1:], "--output", "again.xlsx")[0] == 0
        assert Path("again.xlsx").read_bytes() == Path("together", f"{name}.xlsx").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("run relu-hee", "unknown template 'relu-hee' (did you mean 'relu-he'?)"),
        ("show sigmoid", "unknown template 'sigmoid' (did you mean 'sigmoid-std1'?)"),
        ("run relu-he --set sampels=5", "unknown key 'sampels' (did you mean 'samples'?)"),
        ("run relu-he --set histogram.bin=5", "unknown key 'histogram.bin' (did you mean 'bins'?)"),
        ("run relu-he --set samples=1.5", "samples: must be a whole number, not a number"),
        ("run relu-he --set samples=many", "samples: must be a whole number, not text"),
        ("run relu-he --set samples=0", "samples must be at least 1, not 0"),
        ("run relu-he --set samples=[1", "[1 is not a TOML value"),
        ("run relu-he --set samples", "write key=value"),
        ("run relu-he --set layers=[]", "layers must be a list of widths"),
        ("run relu-he --set layers=[5,0]", "layers must be a list of widths"),
        ("run relu-he --set activation=rleu", "activation must be one of sigmoid, tanh, relu, identity"),
        ("run relu-he --set initializer=hee", "initializer must be one of"),
        ("run relu-he --set initializer=-1", "standard deviation of at least 0"),
        ("run relu-he --set initializer=nan", "standard deviation of at least 0"),
        ('run relu-he --set initializer=["he"]', "lists 1 schemes for 5 layers"),
        ("run relu-he --set initializer={konstant=1}", "must be {constant = value}"),
        ("run relu-he --set input=gauss", "unknown distribution 'gauss'"),
        ("run relu-he --set input=gama", "or of scipy.stats (did you mean 'gamma'?)"),
        ("run relu-he --set input=gamma", "gamma needs the parameter 'a' (its parameters: a, loc, scale)"),
        ("run relu-he --set input={distribution='gamma',a=1,b=2}", "gamma has no parameter 'b'"),
        ("run relu-he --set input={distribution='gamma',a=-1}", "outside of what scipy.stats.gamma allows"),
        ("run relu-he --set input={distribution='lognormal',std=1000}", "x: lognormal(mean 0, std 1000) gives numbers"),
        ("run relu-he --set input=multivariate_normal", "multivariate_normal is multivariate"),
        ("run relu-he --set input={distribution='normal',correlation=2}", "input.correlation of 100 inputs must lie"),
        ("run relu-he --set input={distribution='normal',correlation=[[1]]}", "input.correlation is 1×1, but must be"),
        ("run relu-he --set input={distribution='normal',correlation='a'}", "input.correlation must be a number or"),
        ("run relu-he --set sampling=latin", "sampling must be one of random, antithetic, lhs, sobol, not 'latin'"),
        ("run relu-he --set sampling=1", "sampling: must be text, not a whole number"),
        (
            "run relu-he --set sampling=antithetic --set samples=5",
            "samples must be even for antithetic sampling, not 5",
        ),
        (
            "run relu-he --set sampling=sobol",
            "samples must be a power of two for sobol sampling: 512 or 1024, not 1000",
        ),
        ("run relu-he --set sampling=sobol --set samples=8 --set inputs=21202", "has at most 21,201 inputs, not 21202"),
        ("run relu-he --set sampling=sobol --set samples=2147483648", "sobol sampling has at most 2^30 samples"),
        (
            "run relu-he --set sampling=lhs --set input={file='a.csv'}",
            "sampling must be random when the input is not drawn",
        ),
        ("run relu-he --set input={file='no.csv'}", "there is no file no.csv"),
        ("run relu-he --set input={file='no.pdf'}", "is not one of .csv, .xlsx, .npy"),
        ("run relu-he --set input={sheet='a'}", "needs a distribution or a file"),
        ("run relu-he --set input={distribution='normal',std='a'}", "input.std must be a number"),
        ("run relu-he --set histogram.range=[1,0]", "the lower first"),
        ("run relu-he --set histogram.bins=0", "bins must be 1 to 1000"),
        ("run relu-he --set histogram.reach=-1", "reach must be a number from 0 to 1e+100, not -1"),
        ("run relu-he --set histogram.tallest=nan", "tallest must be a number from 0 to 1e+100, not nan"),
        (
            "run relu-he --set histogram={range=[0,1],reach=1}",
            "range and reach set the same thing: give only one of them",
        ),
        ("run gradient-flow --set histogram.tallest=1", "histogram.tallest is only for the study forward"),
        ("run relu-he --set samples=2000000 --set inputs=1 --set layers=[1]", "needs 2,000,001 rows"),
        ("run relu-he --seed -1", "seed must be a whole number of at least 0"),
        ("run relu-he --seed one", "--seed"),
        ("run relu-he --nonsense", "nonsense"),
        ("run relu-he sigmoid-std1 --output one.xlsx", "is one file for 2 workbooks"),
        ("run relu-he relu-he", "two of the runs would write"),
        ("run missing.toml", "cannot read missing.toml"),
        ("run broken.toml", "is not TOML"),
        ("run binary.toml", "is not text in UTF-8"),
        ("run relu-he --output file/book.xlsx", "cannot make the folder file"),
        ("summary missing.xlsx", "cannot read missing.xlsx"),
        ("summary broken.xlsx", "broken.xlsx"),
        ("summary broken.xlsx --seed 1", "go with templates"),
        ("summary relu-he --table layer", "has no table 'layer'; it has layers, variance, claims, histogram"),
        ("frobnicate", "frobnicate"),
        ("run relu-he --set input=5", "input must be text or a table of keys"),
        ("run relu-he --set input=[1,2]", "input must be text or a table of keys"),
        ("run relu-he --set input={file='a.csv',scale=true}", "input.scale cannot be used with a file"),
        ("run relu-he --seed 1 --set seed=2", "--seed and --set seed=… set the same thing"),
        ("run relu-he --set report=short", "report must be full or summary, not 'short'"),
        ("run relu-he --set histogram.range=[0]", "must be a list of 2 numbers"),
        ("run relu-he --set histogram.range=[1,1.0000000000000002]", "cannot be cut into 30 bins"),
        ("run relu-he --set histogram.range=[-1e308,1e308]", "cannot be cut"),
        ("run relu-he --output book.csv", "neither an .xlsx file nor an existing folder"),
        (f"run relu-he --output {'a' * 300}.xlsx", "name too long"),
        (f"run relu-he --set input={{file='{'a' * 300}.csv'}}", "name too long"),
        ("run relu-he missing.toml --output new", "cannot read missing.toml"),
        ("run relu-he --set samples=2000000 --output new", "rows"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(sheetsim, tmp_path: Path, arguments: str, sentence: str) -> None:
    Path("broken.toml").write_text("samples = = 3")
    Path("binary.toml").write_bytes(b"\xff\xfe\x00")
    Path("broken.xlsx").write_bytes(b"PK\x03\x04 nothing")
    Path("file").write_text("")
    before = sorted(tmp_path.iterdir())
    status, out, err = sheetsim(*arguments.split())
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "outputs"] == before


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "digits.toml"], "a whole number has more than 4,300 digits"),
        (["run", "relu-he", "--set", f"seed={DIGITS}"], "a whole number has more than 4,300 digits"),
        (["run", "relu-he", "--set", "samples=1" + "0" * 400], "samples is too large a whole number"),
        (["run", "relu-he", "--set", "layers=" + "[" * 3000], "nested too deeply"),
        (["run", "relu-he", "--set", "layers=" + "[" * 90 + "]" * 90], "nested more than 8 deep"),
        (["run", "deep.toml"], "nested too deeply"),
        (["run", "relu-he", "--set", "title=\udcff"], "title is not Unicode text"),
        (["run", "relu-he", "--set", "\udcff=1"], "is not Unicode text"),
        (["run", "\udcff.toml"], "is not Unicode text"),
        (["run", "relu-he", "--set", "input={file='\udcff.csv'}"], "is not Unicode text"),
        (["run", "relu-he", "--output", "loop.xlsx", *QUICK], "too many levels of symbolic links"),
        (["run", "relu-he", "--output", "pipe.xlsx", *QUICK], "is a pipe, a socket or a device"),
        (["run", "pipe.toml"], "is a pipe, a socket or a device"),
        (["run", "zero.toml"], "is a pipe, a socket or a device, not a regular file"),
        (["sweep", "pipe.toml"], "is a pipe, a socket or a device"),
        (["summary", "pipe.xlsx"], "is a pipe, a socket or a device"),
        (["verify", "pipe.xlsx"], "is a pipe, a socket or a device"),
        (["run", "relu-he", "--set", "input={file='pipe.csv'}"], "is a pipe, a socket or a device"),
        (["run", "large.toml"], "a template may have at most 1,048,576"),
        (
            ["run", "relu-he", "--set", "depth=100000", "--set", "width=1"],
            "depth must be a whole number from 1 to 1,000",
        ),
        (
            ["run", "relu-he", "--set", f"layers=[{'1,' * 20000}]"],
            "layers lists 20,000 widths; at most 1,000 are allowed",
        ),
        (["run", "relu-he", "--set", "depth=600", "--set", "width=1"], "600 layers need 2,400 sheets"),
        (["run", "gradient-flow", "--set", "depth=300", "--set", "width=1"], "300 layers need 2,100 sheets"),
        (
            ["replicate", "relu-he", "--set", "depth=600", "--set", "width=1"],
            "a book of replicates has at most 6,000 rows",
        ),
        (["replicate", "relu-he", "--replicates", "1000000000000"], ",000 GB on disk, but "),
        (["replicate", "relu-he", "--scheduler", "ucx://a:1", *QUICK], "cannot reach a Dask scheduler at 'ucx://a:1'"),
        (["run", "relu-he", "--set", "samples=5\nseed=3"], "a value has no line break"),
        (["run", "relu-he", "--set", "samples=5\n[histogram]\nbins=3"], "a value has no line break"),
    ],
)
def test_what_is_made_to_do_harm_is_one_line_at_once(
    sheetsim, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    Path("digits.toml").write_text(f"seed = {DIGITS}")
    Path("deep.toml").write_text("layers = " + "[" * 3000)
    Path("large.toml").write_text("#" * 2_000_000)
    for name in ("pipe.toml", "pipe.xlsx", "pipe.csv"):
        os.mkfifo(name)
    Path("loop.xlsx").symlink_to("loop.xlsx")
    # Only read, and never named as a file to write.
    Path("zero.toml").symlink_to("/dev/zero")
    start = time.monotonic()
    status, out, err = sheetsim(*arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert len(err) < 500
    assert time.monotonic() - start < 20
    assert Path("pipe.xlsx").is_fifo()


def test_long_work_off_a_terminal_says_how_long(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(terminal, "monotonic", lambda: now)
    show = terminal.ProgressLine(1).replicate(1000)
    for done in range(1, 41):
        now = float(done)
        show(done, 0.1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "4 of 1,000 replicates in 4 s, 17 min left at most" in lines[0]


def test_a_folder_that_cannot_be_written_is_one_line(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked for, as root may write anywhere.
    monkeypatch.setattr(paths, "_writable", lambda folder: False)
    status, _, err = sheetsim("run", "relu-he", *QUICK)
    assert status == 2
    assert "cannot write in the folder outputs" in err


def test_a_bug_keeps_its_traceback(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "names", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        monkeypatch.setattr(sys, "argv", ["sheetsim", "list"]) or cli.main()


def test_interrupting_ends_with_130(sheetsim, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(templates, "names", interrupt)
    assert sheetsim("list")[0] == 130


@pytest.mark.parametrize("word", ["list", "--help"])
def test_a_pipe_whose_reader_is_gone_ends_with_141(sheetsim, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb", 0), write_through=True) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert sheetsim(word) == (141, "", "")


def test_a_later_mistake_leaves_nothing_of_the_earlier_runs(sheetsim, tmp_path: Path) -> None:
    Path("bad.toml").write_text('input = {file = "none.csv"}')
    status, out, _ = sheetsim("run", "relu-he", "bad.toml", "--output", "new")
    assert (status, out) == (2, "")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("sheetsim rep", "plain,replicate"),
        ("sheetsim run --va", "plain,--values-only"),
        ("sheetsim list --format js", "plain,json"),
        ("sheetsim verify boo", "file,boo"),
    ],
)
def test_a_shell_completes_commands_options_choices_and_files(
    sheetsim, monkeypatch: pytest.MonkeyPatch, words: str, completed: str
) -> None:
    monkeypatch.setenv("_SHEETSIM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert sheetsim() == (0, f"{completed}\n", "")


def test_a_bare_call_shows_the_help_and_version_the_version(sheetsim) -> None:
    status, out, err = sheetsim()
    assert (status, err) == (0, "")
    assert "Commands:" in out
    assert sheetsim("--version")[1].startswith("sheetsim 0.")


SWEEP = """template = "relu-he"
replicates = 2
[set]
samples = 8
inputs = 3
layers = [3]
[grid]
initializer = [0.1, 1.0]
"""


@pytest.mark.parametrize(
    ("command", "book"),
    [
        (["run", "relu-he", *QUICK], "outputs/relu-he.xlsx"),
        (["replicate", "relu-he", "--replicates", "3", *QUICK], "outputs/relu-he-replicates.xlsx"),
        (["sweep", "grid.toml"], "outputs/grid/grid.xlsx"),
    ],
    ids=["run", "replicate", "sweep"],
)
def test_a_book_that_a_person_edited_is_overwritten_only_by_force(sheetsim, command: list[str], book: str) -> None:
    """Also what is no book at all; a book as it was written is overwritten as it always was."""
    import openpyxl

    Path("grid.toml").write_text(SWEEP)
    assert sheetsim(*command)[0] == 0
    written = Path(book).read_bytes()
    assert sheetsim(*command)[0] == 0
    assert Path(book).read_bytes() == written
    edited = openpyxl.load_workbook(book)
    edited["About"]["A1"] = "my notes"
    edited.save(book)
    for there in (Path(book).read_bytes(), b"no book"):
        Path(book).write_bytes(there)
        status, out, err = sheetsim(*command)
        assert (status, out) == (2, "")
        assert err == (
            f"sheetsim: {book} exists and was not written by sheetsim, or was changed since: move it away, or "
            "overwrite it with --force\n"
        )
        assert Path(book).read_bytes() == there
    assert sheetsim(*command, "--force")[0] == 0
    assert Path(book).read_bytes() == written


def test_nothing_is_written_where_one_of_several_books_was_edited(sheetsim) -> None:
    Path("outputs").mkdir()
    Path("outputs/tanh-he.xlsx").write_bytes(b"mine")
    assert sheetsim("run", "relu-he", "tanh-he", *QUICK)[0] == 2
    assert [path.name for path in Path("outputs").iterdir()] == ["tanh-he.xlsx"]


def test_a_workbook_in_place_of_a_template_is_told_where_its_name_belongs(sheetsim) -> None:
    assert sheetsim("run", "relu-he", "my.xlsx") == (
        2,
        "",
        "sheetsim: expected a template, not a workbook: to name the file to write, give --output my.xlsx\n",
    )
    assert not Path("my.xlsx").exists()
