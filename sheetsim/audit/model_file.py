"""A person's own model from the Python file that makes it, to check its book: the owner asks for the file to be run."""

import os
import runpy

from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.model.graph import Graph
from sheetsim.runs.outputs import title_of


def model_of(source: str | os.PathLike[str] | Graph, title: str) -> Graph:
    """The model: as it is, or the one of that title among the variables that running a Python file leaves.

    The file is run under another name than `__main__`, so that what stands under that is not. Raises SheetsimError
    for a file that cannot be read or fails, and where it has no model, or none of the title among several.
    """
    if isinstance(source, Graph):
        return source
    path = path_of(source, "a model's file")
    if path.suffix != ".py" or not path.is_file():
        raise SheetsimError(f"{path} is not a Python file that makes a model")
    try:
        names = runpy.run_path(str(path), run_name="sheetsim_model")
    except SheetsimError as error:
        raise SheetsimError(f"{path}: {error}") from None
    except (Exception, SystemExit) as error:
        raise SheetsimError(f"{path} cannot be run: {type(error).__name__}: {error}") from None
    models = {id(value): value for value in names.values() if isinstance(value, Graph)}
    fitting = [model for model in models.values() if title_of(model) == title]
    if len(models) == 1:
        fitting = list(models.values())
    if len(fitting) != 1:
        titles = (
            ", ".join(repr(title_of(model)) for model in models.values()) or "no model as a variable at its top level"
        )
        raise SheetsimError(
            f"{path} must define exactly one model with the book's title {title!r}; it defines {titles}"
        )
    return fitting[0]
