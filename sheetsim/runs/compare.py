"""Networks side by side: runs or books compared by layer, and over replicates with common draws.

Histograms of networks with the same activation and sizes count over the same edges. Replicate k of every network has
the same seed, and so the same draws: the interval is that of the mean of the paired differences.
"""

import os
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs
from msgspec.structs import replace

from sheetsim import arguments
from sheetsim.engine.evaluate import Values, evaluate
from sheetsim.errors import SheetsimError
from sheetsim.language import Language, check_language, language
from sheetsim.model.draws import LIVE
from sheetsim.model.op import Array
from sheetsim.runs import templates
from sheetsim.runs.compare_book import CompareBook, Member
from sheetsim.runs.manifest import Manifest, manifest
from sheetsim.runs.replicates import CONFIDENCE, plan_of, run_replicates
from sheetsim.runs.run import Book, Results, read, run_scenario, shared_scales
from sheetsim.runs.written import Written
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.pages import CHANGED
from sheetsim.studies.study import toml_value
from sheetsim.workbook.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


TITLE = "Comparison of networks"

# Columns of the first table that are shown, the histogram that is drawn, and the columns of which replicates give
# differences, by study.
SHOWN = {
    "forward": ("std", "mean", "saturated", "dead_units", "effective_units", "over_samples"),
    "gradient-flow": ("d_a_norm", "d_z_norm", "d_W_norm", "slope_square", "d_a_zeros"),
}
DRAWN = {"forward": "histograms", "gradient-flow": "histograms-d_a"}
DIFFERENCES = {
    "forward": ("std", "mean", "effective_units", "over_samples"),
    "gradient-flow": ("d_a_norm", "d_z_norm", "d_W_norm"),
}

MOST_MEMBERS = 20

# Of a book: rows of a sheet, and numbers of replicates.
MOST_REPLICATES, MOST_CELLS = 1_000_000, 1_000_000

CompareProgress = Callable[[str], None]


class Compared(NamedTuple):
    """What is compared: its name, how it was given, its numbers, and what was run, where it is no book."""

    name: str
    given: str
    results: Results
    scenario: templates.Scenario | None


class Comparison(Written):
    """Compared networks: a row per network and layer, differences over replicates, and the workbook."""

    title = TITLE

    def __init__(
        self,
        members: Sequence[Compared],
        study: str,
        command: str,
        replicates: Sequence[Mapping[str, Array]] = (),
        lang: str | None = None,
    ) -> None:
        """replicates: of each network by statistic an array, replicates × layers; lang: of the workbook."""
        self._lang = lang
        self.names = [member.name for member in members]
        self._members, self._study, self._command, self._replicates = list(members), study, command, replicates

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns that the workbook shows in colors and as lines."""
        return SHOWN[self._study]

    def frame(self) -> "pd.DataFrame":
        """A row per network and layer: its verdict, and the columns of the study's first table."""
        import pandas as pd

        frames = []
        for member in self._members:
            frame = member.results.summary()
            frame.insert(0, "verdict", member.results.verdicts())
            frames.append(frame)
        return pd.concat(frames, keys=self.names, names=["network"])

    def differences(self) -> "pd.DataFrame":
        """Mean differences from the first network over replicates: a row per network, layer and statistic.

        Returns
        -------
        pandas.DataFrame
            difference, and low and high, the ends of its 95 % interval: Student's, of the differences between
            replicates with the same draws.

        Raises
        ------
        SheetsimError
            There are no replicates.
        """
        import pandas as pd

        if not self._replicates:
            raise SheetsimError("there are no replicates: compare with replicates=N")
        paired = self._book.differences
        values = evaluate(cell for one in paired for cells in one[2:] for cell in cells)
        index, rows = [], []
        for name, statistic, *columns in paired:
            for layer, cells in enumerate(zip(*columns, strict=True), start=1):
                index.append((name, layer, statistic))
                rows.append([values[cell].item() for cell in cells])
        named = pd.MultiIndex.from_tuples(index, names=["network", "layer", "statistic"])
        return pd.DataFrame(rows, index=named, columns=["difference", "low", "high"])

    def manifest(self, layout: Layout, values_only: bool) -> Manifest:
        """What the book of that layout says of itself."""
        return manifest(layout, TITLE, parameters={}, values_only=values_only)

    def book(self, values_only: bool = False, lang: str | None = None) -> tuple[Layout, Values]:
        """What stands where in the workbook, and its numbers."""
        command = templates.writing(self._command, values_only)
        parameters = {member.name: member.given for member in self._members}
        spoken = self._spoken(lang)
        layout = Layout(self._book.sheets(command, parameters), live=not values_only, spoken=spoken)
        return layout, evaluate(layout.places)

    def _spoken(self, lang: str | None = None) -> Language:
        return language(lang or self._lang, self._study)

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        frame = self.frame()[["verdict", *self.shown]]
        return f"<p><b>{TITLE}</b></p>{frame.to_html(float_format='{:.4g}'.format)}{self._picture_html()}"

    @cached_property
    def _book(self) -> CompareBook:
        # A network of one layer says what the columns and the words mean.
        kind = templates.STUDIES[self._study]
        assert issubclass(kind, Forward)
        findings = kind(samples=2, inputs=1, layers=[1]).build().findings
        members = [
            Member(
                member.name,
                member.results.title,
                member.results.summary(),
                member.results.verdicts(),
                member.results.layer_counts(DRAWN[self._study]),
            )
            for member in self._members
        ]
        return CompareBook(
            TITLE,
            members,
            self.shown,
            findings.tables[0].glossary,
            findings.words,
            self._replicates,
            CONFIDENCE,
        )


def compare(
    *what: "str | os.PathLike[str] | Forward | Book",
    replicates: int = 0,
    workers: int = 1,
    lang: str | None = None,
    progress: CompareProgress | None = None,
    **overrides: Any,
) -> Comparison:
    """Compare networks layer by layer.

    Parameters
    ----------
    *what
        2 to 20 templates' names, TOML files, books or studies, all of `forward` or all of `gradient-flow`; the
        article's five if none is given.
    replicates
        Replicates of each network with common draws, for differences from the first; 0 for none.
    workers
        Processes for them.
    lang
        The language of the workbook, `en` or `ja` (Japanese); that of the first template with one if None.
    progress
        Called with the name of what is computed.
    **overrides
        Keys of the templates with other values.

    Returns
    -------
    Comparison
        The networks side by side.

    Raises
    ------
    SheetsimError
        Something cannot be compared; the message names it.

    Examples
    --------
    >>> import sheetsim
    >>> compared = sheetsim.compare("relu-he", "relu-xavier", samples=50, inputs=20, layers=[20, 20])
    >>> compared.names, len(compared.frame())
    (['relu-he', 'relu-xavier'], 4)
    """
    arguments.whole("replicates", replicates, 0, MOST_REPLICATES)
    if replicates == 1:
        raise SheetsimError("replicates must be 0 or at least 2, which an interval needs")
    check_language(lang)
    told = arguments.function("progress", progress) or (lambda name: None)
    given = what or templates.ARTICLE
    if not 2 <= len(given) <= MOST_MEMBERS:
        raise SheetsimError(f"a comparison takes 2 to {MOST_MEMBERS} networks, not {len(given)}")
    loaded = [_loaded(one, overrides) for one in given]
    study = _study(loaded)
    members = _computed(_named_apart(loaded), told)
    command = _command(members, replicates, overrides, lang)
    numbers = _replicated(members, study, replicates, workers, told) if replicates else ()
    of_templates = (member.scenario.experiment.lang for member in members if member.scenario)
    return Comparison(members, study, command, numbers, lang or next(filter(None, of_templates), None))


class _Loaded(NamedTuple):
    """What is to be compared; scenario: of a template, which is to be run; book: one that was."""

    name: str
    given: str
    study: str
    scenario: templates.Scenario | None
    book: Book | None


def _loaded(what: Any, overrides: Mapping[str, Any]) -> _Loaded:
    book = what if isinstance(what, Book) else None
    if isinstance(what, str | os.PathLike) and os.fspath(what).lower().endswith(".xlsx"):
        book = read(what)
    if book is None:
        scenario = templates.scenario(what, overrides)
        if getattr(scenario.experiment, "draws", None) == LIVE:
            why = "a comparison's book holds counts but no draws, so nothing can be redrawn in it"
            raise SheetsimError(f"draws = {LIVE!r}: {why}: run {scenario.template} with --draws live")
        return _Loaded(scenario.name, scenario.template, scenario.experiment.study, scenario, None)
    if overrides:
        raise SheetsimError(f"{book.path} is a workbook: {', '.join(overrides)} can be set for templates only")
    said = book.manifest
    if said.replicates is not None or said.sweep is not None:
        raise SheetsimError(f"{book.path} holds many runs: only books of a single run can be compared")
    return _Loaded(book.path.stem, str(book.path), str(said.parameters.get("study", "a model")), None, book)


def _study(loaded: Sequence[_Loaded]) -> str:
    """The study of all."""
    for one in loaded:
        if one.study not in SHOWN:
            raise SheetsimError(
                f"{one.given} is of {one.study}, but only networks of {' or '.join(SHOWN)} can be compared"
            )
        if one.study != loaded[0].study:
            said = f"{one.given} is of {one.study} and {loaded[0].given} of {loaded[0].study}"
            raise SheetsimError(f"{said}: compare networks of the same study")
    return loaded[0].study


def _named_apart(loaded: Sequence[_Loaded]) -> list[_Loaded]:
    """With a number behind a name that several have."""
    of_all, so_far = Counter(one.name for one in loaded), Counter[str]()
    named = []
    for one in loaded:
        so_far[one.name] += 1
        name = one.name if of_all[one.name] == 1 else f"{one.name} ({so_far[one.name]})"
        named.append(one._replace(name=name))
    return named


def _computed(loaded: Sequence[_Loaded], progress: CompareProgress) -> list[Compared]:
    scales = iter(shared_scales([one.scenario.experiment for one in loaded if one.scenario is not None]))
    members = []
    for one in loaded:
        if one.scenario is None:
            assert one.book is not None
            members.append(Compared(one.name, one.given, one.book, None))
            continue
        progress(one.name)
        experiment = one.scenario.experiment
        assert isinstance(experiment, Forward)
        bins = experiment.histogram
        wide = structs.replace(bins, reach=next(scales).get("histogram.reach", bins.reach))
        run = run_scenario(replace(one.scenario, experiment=structs.replace(experiment, histogram=wide)))
        members.append(Compared(one.name, one.given, run, one.scenario))
    return members


def _command(members: Sequence[Compared], replicates: int, overrides: Mapping[str, Any], lang: str | None) -> str:
    given = [member.scenario.experiment.given_in_python for member in members if member.scenario]
    if any(given):
        return f"made in Python with {next(filter(None, given))}: no command makes it again"
    words = ["sheetsim compare", *(shlex.quote(member.given) for member in members)]
    for key, value in overrides.items():
        words.append(f"--seed {value}" if key == "seed" else f"--set {shlex.quote(f'{key}={toml_value(value)}')}")
    words += [f"--lang {lang}"] if lang else []
    return " ".join(words + [f"--replicates {replicates}"] * bool(replicates))


def _replicated(
    members: Sequence[Compared], study: str, replicates: int, workers: int, progress: CompareProgress
) -> list[dict[str, Array]]:
    """Of each network by statistic an array, replicates × layers."""
    scenarios = [_scenario(member) for member in members]
    seeds = {getattr(scenario.experiment, "seed", 0) for scenario in scenarios}
    if len(seeds) > 1:
        raise SheetsimError(
            f"common draws need the same seed for all networks; these have {', '.join(map(str, sorted(seeds)))}"
        )
    names = DIFFERENCES[study]
    cells = replicates * len(names) * sum(len(member.results.summary()) for member in members)
    if cells > MOST_CELLS:
        raise SheetsimError(
            f"the replicates have {cells:,} numbers; a comparison's book holds at most {MOST_CELLS:,}: ask for fewer "
            "replicates"
        )
    measured = []
    for scenario in scenarios:
        progress(f"{scenario.name}, {replicates} replicates")
        frame = run_replicates(plan_of(scenario, replicates), workers).frame()
        measured.append({name: frame[name].to_numpy().reshape(replicates, -1) for name in names})
    return measured


def _scenario(member: Compared) -> templates.Scenario:
    """What its replicates run."""
    if member.scenario is not None:
        return member.scenario
    assert isinstance(member.results, Book)
    if member.results.title.startswith(CHANGED):
        raise SheetsimError(f"{member.given} was edited after it was made: replicates would not show the edits")
    try:
        return templates.given(templates.convert(member.results.manifest.parameters))
    except SheetsimError as error:
        raise SheetsimError(f"{member.given}: what it was made from cannot be run again: {error}") from None
