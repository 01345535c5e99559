"""Excel's own histograms and box plots: what their parts say.

No program here draws them: the ordinary charts that stand in their place are drawn.
"""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pytest
from conftest import small_run

import sheetsim
from sheetsim.errors import SheetsimError

CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def charts_of(book: Path) -> list[ElementTree.Element]:
    with zipfile.ZipFile(book) as archive:
        names = [name for name in archive.namelist() if name.startswith("xl/charts/chartEx")]
        return [ElementTree.fromstring(archive.read(name)) for name in names]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_native_histogram_counts_the_outputs_in_the_bins_of_the_column_chart(activation: str, tmp_path: Path) -> None:
    run = small_run("relu-he", charts="native", activation=activation)
    book = run.to_excel(tmp_path / "book.xlsx")
    counts = run.histograms()["count"]
    names = {name.name: name for name in openpyxl.load_workbook(book).defined_names.values()}
    histograms = [chart for chart in charts_of(book) if chart.find(f".//{CX}binning") is not None]
    assert len(histograms) == 3
    for layer, chart in enumerate(histograms, start=1):
        reference = names[chart.findtext(f".//{CX}f")]
        assert reference.hidden
        assert reference.attr_text == names[f"z_{layer}"].attr_text
        binning = chart.find(f".//{CX}binning")
        low, high = (float(binning.attrib[end]) for end in ("underflow", "overflow"))
        width = float(binning.find(f"{CX}binSize").attrib["val"])
        bins = round((high - low) / width)
        # As Excel's dialog says it: a bin holds its upper edge, and the first one all up to the underflow, as ReLU's
        # zeros, which the column chart counts in the next.
        edges = low + width * np.arange(bins + 1)
        z = run[f"z_{layer}"].ravel()
        native = np.bincount(np.searchsorted(edges, z - 1e-12 * abs(z)), minlength=bins + 2).tolist()
        column = counts.loc[layer].tolist()
        assert (sum(native[:2]), native[2:]) == (sum(column[:2]), column[2:])


def test_every_native_chart_has_an_ordinary_one_in_its_place_and_both_keeps_the_columns(tmp_path: Path) -> None:
    ordinary = small_run().to_excel(tmp_path / "column.xlsx")
    for charts, drawings in {"native": 1, "both": 1}.items():
        book = small_run(charts=charts).to_excel(tmp_path / f"{charts}.xlsx")
        with zipfile.ZipFile(book) as archive:
            texts = [archive.read(name).decode() for name in archive.namelist() if "drawings/drawing" in name]
            known = archive.read("[Content_Types].xml").decode()
        with_native = [text for text in texts if "AlternateContent" in text and "_rels" not in text]
        assert len([text for text in with_native if text.startswith("<?xml") and "Choice" in text]) == drawings
        tree = ElementTree.fromstring(next(text for text in with_native if "Choice" in text))
        alternatives = list(tree.iter(f"{MC}AlternateContent"))
        assert len(alternatives) == 4
        for each in alternatives:
            assert "graphicFrame" in each.find(f"{MC}Fallback")[0].tag
        assert known.count("chartex+xml") == 4
        shown = [len(sheet._charts) for sheet in openpyxl.load_workbook(book)]
        expected = [len(sheet._charts) for sheet in openpyxl.load_workbook(ordinary)]
        # openpyxl does not look into alternatives.
        assert sum(expected) - sum(shown) == (4 if charts == "native" else 0)
        assert sheetsim.verify(book).ok


def test_charts_of_excel_need_matrices_and_the_forward_study() -> None:
    for keys, said in {
        ("relu-he", "native", "summary"): 'report must be "full"',
        ("relu-he", "pie", "full"): "charts must be one of column, native, both, not 'pie'",
        ("gradient-flow", "both", "full"): "for the study forward",
    }.items():
        with pytest.raises(SheetsimError, match=said):
            sheetsim.run(keys[0], charts=keys[1], report=keys[2])
