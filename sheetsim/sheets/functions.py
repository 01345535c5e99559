"""The table of the sheet functions that are computed, by name."""

from sheetsim.sheets.arithmetic_functions import ARITHMETIC
from sheetsim.sheets.function import Function
from sheetsim.sheets.logic_functions import LOGIC
from sheetsim.sheets.statistic_functions import STATISTICS

# By part of the table, as `simulate --functions` prints it.
PARTS: dict[str, tuple[Function, ...]] = {
    "arithmetic": ARITHMETIC,
    "logic": LOGIC,
    "statistics": STATISTICS,
}

FUNCTIONS: dict[str, Function] = {function.name: function for part in PARTS.values() for function in part}
