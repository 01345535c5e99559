"""The table of the sheet functions that are computed, by name."""

from sheetsim.sheets.arithmetic_functions import ARITHMETIC
from sheetsim.sheets.conditional_functions import CONDITIONAL
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
    "conditions": CONDITIONAL,
    "look-up": LOOKUP,
    "finance": FINANCE,
    "dates": DATES,
    "text": TEXTS,
    "distributions": DISTRIBUTION_FUNCTIONS,
}

_SECOND = (
    *("LARGE", "SMALL", "PERCENTILE", "PERCENTILE.INC", "PERCENTILE.EXC", "QUARTILE", "QUARTILE.INC"),
    "TRIMMEAN",
)

# Of functions of ranges, the arguments that are single values: of a range what is in the formula's row or column, and
# of an array one result each.
SINGLE_ARGUMENTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("COUNTIF", "SUMIF", "AVERAGEIF", "IRR", *_SECOND), (1,)),
    "COUNTIFS": tuple(range(1, 256, 2)),
    **dict.fromkeys(("SUMIFS", "AVERAGEIFS", "MAXIFS", "MINIFS"), tuple(range(2, 256, 2))),
    **dict.fromkeys(("RANK", "RANK.EQ", "RANK.AVG", "MATCH"), (0, 2)),
    **dict.fromkeys(("VLOOKUP", "HLOOKUP"), (0, 2, 3)),
    **dict.fromkeys(("XLOOKUP", "XMATCH", "LOOKUP", "NPV", "XNPV", "FORECAST", "FORECAST.LINEAR", "SUBTOTAL"), (0,)),
    **dict.fromkeys(("INDEX", "MIRR"), (1, 2)),
    "XIRR": (2,),
    **dict.fromkeys(("NETWORKDAYS", "WORKDAY", "TEXTJOIN"), (0, 1)),
}

FUNCTIONS: dict[str, Function] = {function.name: function for part in PARTS.values() for function in part}
