"""The table of the sheet functions that are computed, by name."""

from sheetsim.sheets.arithmetic_functions import ARITHMETIC
from sheetsim.sheets.date_functions import DATES
from sheetsim.sheets.distribution_functions import DISTRIBUTION_FUNCTIONS
from sheetsim.sheets.finance_functions import FINANCE
from sheetsim.sheets.function import Function
from sheetsim.sheets.logic_functions import LOGIC
from sheetsim.sheets.lookup_functions import LOOKUP
from sheetsim.sheets.statistic_functions import STATISTICS
from sheetsim.sheets.text_functions import TEXTS

# By part of the table, as `simulate --functions` prints it.
PARTS: dict[str, tuple[Function, ...]] = {
    "arithmetic": ARITHMETIC,
    "logic": LOGIC,
    "statistics": STATISTICS,
    "look-up": LOOKUP,
    "finance": FINANCE,
    "dates": DATES,
    "text": TEXTS,
    "distributions": DISTRIBUTION_FUNCTIONS,
}

FUNCTIONS: dict[str, Function] = {function.name: function for part in PARTS.values() for function in part}
