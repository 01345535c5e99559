"""Prints the lowest versions that pyproject.toml allows of what the tests need: for pip install -r."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
requirements = project["dependencies"] + [one for extra in project["optional-dependencies"].values() for one in extra]
for requirement in requirements:
    # An extra of this package names other extras, and the site is built with the newest tools.
    if not requirement.startswith(("sheetsim", "mkdocs")):
        print(re.sub(r">=([^,]+).*", r"==\1", requirement))
