"""Excel: rules, formulas, layout, reading and writing. Called, it is `sheetsim.workbook("book.xlsx")`.

The package and the public function have one name: the module itself is what `sheetsim.workbook` gives.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, path: Any) -> Any:
        """A person's workbook, to be simulated (sheetsim.audit.simulated.Workbook)."""
        return import_module("sheetsim.audit.simulated").workbook(path)


sys.modules[__name__].__class__ = _CallablePackage
