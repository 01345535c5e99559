"""What is made of docs/api.md: the table of names at its top, and the studies at its end. It writes nothing."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec

import sheetsim
from sheetsim.studies.registry import STUDIES
from sheetsim.studies.study import Experiment
from sheetsim.studies.training.keys import TrainingKeys

BEGIN, END = "<!-- names: made by docs/generate.py -->\n", "<!-- end of names -->\n"
STUDIES_BEGIN = "<!-- studies: made by docs/generate.py -->\n"

STUDY = """
::: {module}.{name}
    options:
      members: false
      show_root_heading: true
      show_root_toc_entry: true
      show_root_full_path: false
      show_bases: false
"""


def names_page(page: str) -> str:
    """The page with its table between the two marks made again, and its studies after the third."""
    before, _, rest = page.partition(BEGIN)
    sections = rest.partition(END)[2].partition(STUDIES_BEGIN)[0]
    after = sections + STUDIES_BEGIN + "".join(studies())
    return before + BEGIN + "\n".join(["", *table(after), ""]) + "\n" + END + after


def training_last(item: tuple[str, type[Experiment]]) -> tuple[bool, bool]:
    """The order of studies in reference pages, where all of training have the keys of `training`."""
    return issubclass(item[1], TrainingKeys), item[0] != "training"


def studies() -> Iterator[str]:
    """A class with its keys a study, and before those of training what they share."""
    kinds: list[type] = [kind for _, kind in sorted(STUDIES.items(), key=training_last)]
    kinds.insert(kinds.index(STUDIES["training"]), TrainingKeys)
    yield from (STUDY.format(module=kind.__module__, name=kind.__name__) for kind in kinds)


def table(page: str) -> Iterator[str]:
    """A line a name, in the order of the page's sections, which name modules."""
    left = {name: getattr(sheetsim, name) for name in sheetsim.__all__}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        homes = re.findall(r"^::: (\S+)$", section, re.MULTILINE)
        names = [name for home in homes for name, known in left.items() if is_home(home, known, name)]
        if names:
            yield from (f"**{title}**", "", "| name | |", "|---|---|")
            yield from (f"| {called(name, left[name])} | {said(left[name])} |" for name in names)
            yield ""
        left = {name: known for name, known in left.items() if name not in names}
    if left:
        raise SystemExit(f"docs/api.md has no module of these names: {', '.join(left)}")


def is_home(home: str, known: Any, name: str) -> bool:
    if inspect.ismodule(known):
        return home == "sheetsim.audit.simulated"
    return home in (known.__module__, f"{known.__module__}.{name}")


def called(name: str, known: Any) -> str:
    if inspect.isclass(known) or inspect.ismodule(known):
        return f"`{name}`"
    arguments = []
    for one in inspect.signature(known).parameters.values():
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        given = "" if stars or one.default is one.empty else "=…"
        arguments.append(f"{stars}{one.name}{given}")
    return f"`{name}({', '.join(arguments)})`"


def said(known: Any) -> str:
    """The first sentence of the docstring; of a class its methods too."""
    what = sheetsim.workbook.__call__ if inspect.ismodule(known) else known
    text = " ".join((inspect.getdoc(what) or "").partition("\n\n")[0].split()).replace("|", "\\|")
    if not inspect.isclass(known) or issubclass(known, msgspec.Struct | Exception):
        return text
    methods = [
        f"`{name}`"
        for kind in reversed(known.__mro__)
        if kind.__module__.startswith("sheetsim")
        for name, method in vars(kind).items()
        if is_public(name) and (inspect.isfunction(method) or isinstance(method, property | classmethod))
    ]
    return f"{text} Has {', '.join(dict.fromkeys(methods))}." if methods else text


def is_public(name: str) -> bool:
    """Whether a person uses it: what makes the sheets is for the package."""
    return not name.startswith("_") and name not in ("book", "manifest")
