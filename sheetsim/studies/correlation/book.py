"""How the study of correlation looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.language import counted
from sheetsim.model.expr import Matrix, absolute, if_error, log, where
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import INITIALIZER_NAMES
from sheetsim.model.series import Series
from sheetsim.studies.about import StudyBook
from sheetsim.studies.correlation.layers import VERDICTS, Layer
from sheetsim.studies.correlation.matrix_sheets import pass_sheets, slopes_page, theory_sheets
from sheetsim.studies.correlation.mean_field import DEGREES, FURTHER, HEADINGS
from sheetsim.studies.network_sheets import CHOOSE, CUSTOM_COUNTS, bias_page, network_controls
from sheetsim.studies.pages import LABEL_WIDTH
from sheetsim.studies.sections import (
    Control,
    Overview,
    Row,
    Section,
    StepPage,
    Steps,
    by_layer,
    charts,
    controls,
    lead,
    meaning,
    numbers,
    table_page,
)
from sheetsim.summary.table import Table
from sheetsim.summary.theory import EDGE
from sheetsim.workbook.layout import Block, Line, Lines, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.correlation.study import Correlation

ACROSS = 8  # layers side by side on Overview
CHART = (520, 300)
HEAD = 7

NOTES = (
    "Step 0 is the input, step l layer l: q the variance of its sums, c the correlation of two inputs' sums, χ the "
    "growth of a small difference, map_slope what the next layer's c changes by with this one's.",
    f"After the network's last layer {FURTHER} further ones follow, of the same width: towards the fixed point c*.",
    "The next c is E[f(u) f(v)]/E[f²] = Σ a_k² c^k/Σ a_k², a_k = E[f(√q s) h_k(s)] with normalized Hermite polynomials "
    f"(sheet Hermite, to degree {DEGREES}; what is left of E[f²] as one degree more). Good to 0.001; where c is over "
    "0.98 and weights are so large that f is a step, to 0.04.",
)


class CorrelationBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out."""

    study: "Correlation"
    graph: Graph
    layers: Sequence[Layer]
    theory: Mapping[str, Series]
    tables: Sequence[Table]
    verdicts: Sequence[Matrix]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        graph, theory = self.graph, self.theory
        shown = [Steps(theory[name], heading) for name, heading in HEADINGS.items()]
        most = max(len(table.columns) for table in self.tables)
        widths = {0: 8} | dict.fromkeys(range(1, most + 1), 12)
        sheets: list[Sheet] = [
            self._overview(live),
            *(table_page(table, widths) for table in self.tables),
            StepPage("Mean field", "Mean-field theory by layer", NOTES, shown, HEAD, wide=13).page(),
            *pass_sheets(graph, self.layers),
            slopes_page(graph, self.layers),
            *bias_page(self.layers),
            *self._angles(),
            *theory_sheets(graph, theory),
        ]
        return StudyBook(self.study, graph, sheets, command, live, tables=self.tables)

    def _overview(self, live: bool) -> Page:
        graph, table, count = self.graph, self.tables[0], len(self.layers)
        wide = ACROSS + 1
        told = (
            f"{counted(self.study.pairs, 'pair')} of inputs, of correlation c, through {counted(count, 'layer')} of "
            f"{self.study.units:,} units with the same weights, drawn again for each layer.",
            "In wide networks c goes through one map, layer by layer, to its fixed point c* (Poole et al. 2016). Its "
            "slope at c = 1 is χ: below 1 inputs become alike (ordered), above 1 they part however near they are "
            "(chaotic), and differences change e-fold over the depth scale ξ = 1/|ln χ| (Schoenholz et al. 2017).",
            "relu and leaky relu multiply sizes as well as differences: c goes to 1 whatever χ is, the more slowly the "
            "nearer it is (of the identity it stays). So it does of softplus, gelu and selu where sizes grow without "
            "end.",
            "What two inputs differ by is lost after a few ξ_c layers: networks trained to a depth of about 6 ξ_c, and "
            "no deeper. ξ_q is mostly shorter: sizes settle first, and the way of c decides.",
        )
        cells = [*network_controls(graph), Control("Correlation c of the inputs", graph["c_0"])]
        rows = [
            Row("Verdict", self.verdicts, "verdict"),
            Row("Correlation c", table["c"]),
            Row("    its 95 % interval: low", table["c_low"]),
            Row("    high", table["c_high"]),
            Row("    mean field", table["c_theory"]),
            Row("χ", table["chi"]),
            Row("    mean field", table["chi_theory"]),
            Row("Rate: mean χ up to here", table["rate"]),
            Row("    its 95 % interval: low", table["rate_low"]),
            Row("    high", table["rate_high"]),
            Row("Mean square of the sums", table["q"]),
            Row("    mean field", table["q_theory"]),
        ]
        chi, slope = self.theory["chi_theory"][-1], self.theory["map_slope"][-1]
        limits = [
            Row("n·sd²", [graph["weight_scale"]], hint="inputs of a unit times the variance of its weights"),
            Row(f"c {FURTHER} layers further", [self.theory["c_theory"][-1]], hint="mean field, towards c*"),
            Row("χ there", [chi], hint="the slope of the map at c = 1, where q has settled"),
            Row(
                "Depth scale ξ there", [_depth(chi)], hint="1/|ln χ|, in layers; #N/A at the edge, where it has no end"
            ),
            Row("    ξ_c, of correlations", [_depth(slope)], hint="1/|ln of the map's slope at that c|"),
            Row("Slope of q's map there", [graph["q_slope"]], hint="what the next q changes by with this one"),
            Row("    ξ_q, of variances", [_depth(graph["q_slope"])], hint="1/|ln of it|"),
        ]
        ends = [Line(name, table[f"c_{name}"], "faint") for name in ("low", "high")]
        near = Line("measured", table["c"]), *ends, Line("mean field", table["c_theory"], "dashed")
        grown = Line("measured", table["chi"]), Line("mean field", table["chi_theory"], "dashed")
        by_number = (
            Lines(0, 0, "Correlation c by layer", near, CHART, "layer"),
            Lines(0, 5, "χ by layer", grown, CHART, "layer"),
        )
        sections: list[Section] = [
            lead(told, wide, (17, 32, 32, 32)),
            controls(cells, (CHOOSE, CUSTOM_COUNTS, INITIALIZER_NAMES) if live else (), wide - 2),
            *by_layer("By layer", count, ACROSS, rows),
            numbers(limits, hint_column=2),
            charts(by_number, CHART[1]),
            *self._angle_charts(),
            meaning(VERDICTS, wide - 1),
        ]
        widths = {0: LABEL_WIDTH} | dict.fromkeys(range(1, wide), 14)
        return Overview(self.study.title, self.study.TITLE, wide, sections, widths, VERDICTS).page()

    def _angle_charts(self) -> list[Section]:
        """The correlations of pairs at other angles by layer, measured and by the map."""
        if len(self.tables) == 1:
            return []
        columns = self.tables[1].columns
        lines = [Line(f"{column.name[2:].replace('_', '.')}°", column.cells) for column in columns[::2]]
        theory = [Line(f"{column.name[2:-7].replace('_', '.')}°", column.cells) for column in columns[1::2]]
        said = "Pairs of inputs at other angles through the same layers, by NumPy: #N/A where a yellow cell was changed"
        beside = (
            Lines(0, 0, "Correlation c by angle, measured", tuple(lines), CHART, "layer"),
            Lines(0, 5, "The same by the map of theory", tuple(theory), CHART, "layer"),
        )
        return [charts(beside, CHART[1], heading=("Other angles", said))]

    def _angles(self) -> list[Page]:
        """NumPy's numbers of the other angles."""
        if len(self.tables) == 1:
            return []
        items = (Text(0, 0, "Correlations at other angles by layer, theory’s, and that of x and y", "section"),)
        words = "what NumPy gave for other angles, constants"
        return [Page("Angles by NumPy", (*items, Block(1, 0, self.graph["angles"])), words=words)]


def _depth(slope: Matrix) -> Matrix:
    return if_error(where(absolute(slope - 1) > EDGE, 1 / absolute(log(slope)), float("nan")), float("nan"))
