"""Excel's own histogram and box plot (its charts of 2016), which XlsxWriter has not.

Parts of the package, and the drawings that refer to them. Programs that do not know these charts draw the ordinary ones
that stand in their place.

The order of elements is that in which Excel 16 writes them (ECMA-376 knows none of them: Microsoft's [MS-ODRAWXML]).
"""

import re
from collections.abc import Mapping
from html import escape
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZipFile

from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array
from sheetsim.workbook.formulas import address
from sheetsim.workbook.layout import Area, Bars, Lines
from sheetsim.workbook.writing.styles import Look

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_CHARTEX = "http://schemas.microsoft.com/office/drawing/2014/chartex"
_CHARTEX_RELATION = "http://schemas.microsoft.com/office/2014/relationships/chartEx"
_STYLE_RELATIONS = "http://schemas.microsoft.com/office/2011/relationships"
_STYLES = "http://schemas.microsoft.com/office/drawing/2012/chartStyle"

# Of the parts, by the beginning of their names.
_CONTENT_TYPES = {
    "chartEx": "application/vnd.ms-office.chartex+xml",
    "style": "application/vnd.ms-office.chartstyle+xml",
    "colors": "application/vnd.ms-office.chartcolorstyle+xml",
}

# What a style of charts tells of, in the order of its schema; Excel 16 drops a chart that has none.
_STYLED = [
    "axisTitle",
    "categoryAxis",
    "chartArea",
    "dataLabel",
    "dataLabelCallout",
    "dataPoint",
    "dataPoint3D",
    "dataPointLine",
    "dataPointMarker",
    "dataPointMarkerLayout",
    "dataPointWireframe",
    "dataTable",
    "downBar",
    "dropLine",
    "errorBar",
    "floor",
    "gridlineMajor",
    "gridlineMinor",
    "hiLoLine",
    "leaderLine",
    "legend",
    "plotArea",
    "plotArea3D",
    "seriesAxis",
    "seriesLine",
    "title",
    "trendline",
    "trendlineLabel",
    "upBar",
    "valueAxis",
    "wall",
]

_FRAME = re.compile(r"<xdr:graphicFrame\b(?:(?!</xdr:graphicFrame>).)*</xdr:graphicFrame>", re.DOTALL)
_NAMED = re.compile(r'<xdr:cNvPr id="(\d+)" name="Native chart (\d+)"([^>]*?)/?>')


class _Series(NamedTuple):
    """name: what its legend says; cells: its numbers, a block; color: of its bars or boxes."""

    name: str
    cells: Area
    color: str


class _Chart(NamedTuple):
    """kind: the layout of its series; binning: how a histogram counts, a piece of XML."""

    kind: str
    title: str
    series: tuple[_Series, ...]
    binning: str = ""


class NativeCharts:
    """The native charts of a book, in their order."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._charts: list[_Chart] = []

    def add(self, item: Bars | Lines, places: Mapping[Matrix, Area], values: Mapping[Matrix, Array]) -> str:
        """Takes the native form of an item; what the ordinary chart in its place is to be called."""
        colors = [self._look.theme.colors.bar] if isinstance(item, Bars) else self._look.line_colors(len(item.native))
        series = tuple(
            _Series(line.name, places[line.cells[0]], color) for line, color in zip(item.native, colors, strict=True)
        )
        if isinstance(item, Bars):
            self._charts.append(_Chart("clusteredColumn", item.title, series, _binning(values[item.labels])))
        else:
            self._charts.append(_Chart("boxWhisker", item.title, series))
        return f"Native chart {len(self._charts)}"

    def names(self) -> dict[str, str]:
        """The hidden names by which the charts refer to cells, and these."""
        cells = [series.cells for chart in self._charts for series in chart.series]
        return {_name(k): address(*area) for k, area in enumerate(cells)}

    def parts(self, archive: ZipFile) -> dict[str, bytes]:
        """By name the parts that the charts add to XlsxWriter's package, and those of it that refer to them."""
        parts: dict[str, str] = {}
        first = 0
        for number, chart in enumerate(self._charts, start=1):
            parts[f"xl/charts/chartEx{number}.xml"] = _chart_xml(self._look, chart, number, first)
            parts[f"xl/charts/_rels/chartEx{number}.xml.rels"] = _relations(
                {
                    f"style{number}.xml": f"{_STYLE_RELATIONS}/chartStyle",
                    f"colors{number}.xml": f"{_STYLE_RELATIONS}/chartColorStyle",
                }
            )
            parts[f"xl/charts/style{number}.xml"] = _style_xml()
            parts[f"xl/charts/colors{number}.xml"] = _colors_xml()
            first += len(chart.series)
        if self._charts:
            parts |= _drawings(archive)
            overrides = "".join(
                f'<Override PartName="/xl/charts/{kind}{number}.xml" ContentType="{content}"/>'
                for number in range(1, len(self._charts) + 1)
                for kind, content in _CONTENT_TYPES.items()
            )
            types = archive.read("[Content_Types].xml").decode()
            parts["[Content_Types].xml"] = types.replace("</Types>", f"{overrides}</Types>")
        return {name: text.encode() for name, text in parts.items()}


def _name(number: int) -> str:
    return f"_xlchart.v1.{number}"


def _drawings(archive: ZipFile) -> dict[str, str]:
    """The drawings with native charts, and their relations."""
    parts: dict[str, str] = {}
    for name in archive.namelist():
        if not name.startswith("xl/drawings/drawing"):
            continue
        drawing = archive.read(name).decode()
        if "Native chart" not in drawing:
            continue
        relations_name = f"xl/drawings/_rels/{name.rpartition('/')[2]}.rels"
        relations = archive.read(relations_name).decode()
        count = relations.count("<Relationship ")
        added: list[str] = []

        def chosen(match: re.Match[str], count: int = count, added: list[str] = added) -> str:
            named = _NAMED.search(match[0])
            if named is None:
                return match[0]
            number, relation = named[2], f"rId{count + len(added) + 1}"
            added.append(
                f'<Relationship Id="{relation}" Type="{_CHARTEX_RELATION}" Target="../charts/chartEx{number}.xml"/>'
            )
            return _alternative(match[0], named, relation)

        parts[name] = _FRAME.sub(chosen, drawing)
        parts[relations_name] = relations.replace("</Relationships>", f"{''.join(added)}</Relationships>")
    return parts


def _alternative(ordinary: str, named: re.Match[str], relation: str) -> str:
    """The native chart for programs that know it, and the ordinary one for those that do not."""
    return (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        '<mc:Choice xmlns:cx1="http://schemas.microsoft.com/office/drawing/2015/9/8/chartex" Requires="cx1">'
        f'<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="{named[1]}" name="Native chart {named[2]}"'
        f"{named[3]}/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr>"
        '<xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm>'
        f'<a:graphic><a:graphicData uri="{_CHARTEX}">'
        f'<cx:chart xmlns:cx="{_CHARTEX}" xmlns:r="{_OFFICE}" r:id="{relation}"/>'
        "</a:graphicData></a:graphic></xdr:graphicFrame></mc:Choice>"
        f"<mc:Fallback>{ordinary}</mc:Fallback></mc:AlternateContent>"
    )


def _binning(labels: Array) -> str:
    """Bins of equal width between the first and the last edge, each with its upper one, and what lies outside."""
    edges = labels[:, 0]
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    return (
        f'<cx:binning intervalClosed="r" underflow="{float(edges[0])!r}" overflow="{float(edges[-1])!r}">'
        f'<cx:binSize val="{float(width)!r}"/></cx:binning>'
    )


def _chart_xml(look: Look, chart: _Chart, number: int, first: int) -> str:
    data = "".join(
        f'<cx:data id="{k}"><cx:numDim type="val"><cx:f>{_name(first + k)}</cx:f></cx:numDim></cx:data>'
        for k in range(len(chart.series))
    )
    title = _title(look, chart.title) if chart.title else ""
    series = "".join(_series_xml(chart, k, number) for k in range(len(chart.series)))
    gap = "0" if chart.binning else "1"
    legend = "" if chart.binning else f'<cx:legend pos="b" align="ctr" overlay="0">{_small(look)}</cx:legend>'
    return (
        f'{_XML}<cx:chartSpace xmlns:a="{_MAIN}" xmlns:r="{_OFFICE}" xmlns:cx="{_CHARTEX}">'
        f"<cx:chartData>{data}</cx:chartData>"
        f"<cx:chart>{title}<cx:plotArea><cx:plotAreaRegion>{series}</cx:plotAreaRegion>"
        f'<cx:axis id="0"><cx:catScaling gapWidth="{gap}"/><cx:tickLabels/>{_small(look)}</cx:axis>'
        f'<cx:axis id="1"><cx:valScaling/><cx:majorGridlines/><cx:tickLabels/>{_small(look)}</cx:axis>'
        f"</cx:plotArea>{legend}</cx:chart></cx:chartSpace>"
    )


def _series_xml(chart: _Chart, place: int, number: int) -> str:
    series = chart.series[place]
    how = chart.binning or (
        '<cx:visibility meanLine="0" meanMarker="1" nonoutliers="0" outliers="1"/>'
        '<cx:statistics quartileMethod="exclusive"/>'
    )
    unique = str(uuid5(NAMESPACE_URL, f"sheetsim chart {number} series {place}")).upper()
    return (
        f'<cx:series layoutId="{chart.kind}" uniqueId="{{{unique}}}" formatIdx="{place}">'
        f"<cx:tx><cx:txData><cx:v>{escape(series.name)}</cx:v></cx:txData></cx:tx>"
        f'<cx:spPr><a:solidFill><a:srgbClr val="{series.color.removeprefix("#")}"/></a:solidFill></cx:spPr>'
        f'<cx:dataId val="{place}"/><cx:layoutPr>{how}</cx:layoutPr></cx:series>'
    )


def _title(look: Look, text: str) -> str:
    ink = look.theme.colors.ink.removeprefix("#")
    run = f'lang="en-US" sz="1000" b="1"><a:solidFill><a:srgbClr val="{ink}"/></a:solidFill>'
    font = f'<a:latin typeface="{escape(look.font_name)}"/></a:rPr>'
    return (
        '<cx:title pos="t" align="ctr" overlay="0">'
        f"<cx:tx><cx:txData><cx:v>{escape(text)}</cx:v></cx:txData></cx:tx>"
        '<cx:txPr><a:bodyPr/><a:lstStyle/><a:p><a:pPr algn="ctr"><a:defRPr/></a:pPr>'
        f"<a:r><a:rPr {run}{font}<a:t>{escape(text)}</a:t></a:r></a:p></cx:txPr></cx:title>"
    )


def _small(look: Look) -> str:
    color = f'<a:solidFill><a:srgbClr val="{look.theme.colors.muted.removeprefix("#")}"/></a:solidFill>'
    return (
        "<cx:txPr><a:bodyPr/><a:lstStyle/><a:p>"
        f'<a:pPr><a:defRPr sz="800">{color}</a:defRPr></a:pPr>'
        f'<a:endParaRPr lang="en-US" sz="800">{color}</a:endParaRPr>'
        "</a:p></cx:txPr>"
    )


def _relations(targets: Mapping[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{k}" Type="{kind}" Target="{target}"/>'
        for k, (target, kind) in enumerate(targets.items(), start=1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}">{rows}</Relationships>'


def _style_xml() -> str:
    """A style that changes nothing."""
    plain = (
        '<cs:lnRef idx="0"/><cs:fillRef idx="0"/><cs:effectRef idx="0"/>'
        '<cs:fontRef idx="minor"><a:schemeClr val="tx1"/></cs:fontRef>'
    )
    parts = "".join(
        f'<cs:{name} symbol="circle" size="5"/>'
        if name == "dataPointMarkerLayout"
        else f"<cs:{name}>{plain}</cs:{name}>"
        for name in _STYLED
    )
    return f'{_XML}<cs:chartStyle xmlns:cs="{_STYLES}" xmlns:a="{_MAIN}" id="366">{parts}</cs:chartStyle>'


def _colors_xml() -> str:
    accents = "".join(f'<a:schemeClr val="accent{k}"/>' for k in range(1, 7))
    return f'{_XML}<cs:colorStyle xmlns:cs="{_STYLES}" xmlns:a="{_MAIN}" meth="cycle" id="10">{accents}</cs:colorStyle>'
