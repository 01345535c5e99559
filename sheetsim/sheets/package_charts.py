"""A chart's part with every setting said, so that it looks the same in a workbook of any program.

XlsxWriter leaves out settings that are off, as Excel 2007 does, and its books say that they are of that version. In a
workbook of another version LibreOffice takes what is left out for the default of the schema (ISO/IEC 29500-1, 21.2),
which is on: each bar is labeled with its series, category and key, and lines are smooth.
"""

import re

_LABELS = ("LegendKey", "Val", "CatName", "SerName", "Percent", "BubbleSize")
_LABEL = re.compile(rb'<c:show(\w+) val="(\d)"/>')
_SHOWN = re.compile(rb'(?:<c:show(?:%b) val="\d"/>)+' % "|".join(_LABELS).encode())
_LINES = re.compile(rb"<c:(lineChart|scatterChart)>.*?</c:\1>", re.DOTALL)
_SERIES = re.compile(rb"<c:ser>.*?</c:ser>", re.DOTALL)
_KIND = re.compile(rb'(<c:(?:grouping|scatterStyle) val="\w+"/>)(?!<c:varyColors)')
_TITLE_OR_LEGEND = re.compile(rb"<c:(title|legend)>.*?</c:\1>", re.DOTALL)
_LAYOUT = re.compile(rb"<c:layout/>|</c:layout>")
_AXIS = re.compile(rb"(</c:scaling>)(?!<c:delete)")


def with_settings_said(chart: bytes) -> bytes:
    """The chart's XML, as XlsxWriter writes it, with the settings that it leaves out said to be off."""
    chart = _SHOWN.sub(_all_labels, chart)
    chart = _LINES.sub(lambda lines: _SERIES.sub(_not_smooth, lines[0]), chart)
    chart = _KIND.sub(rb'\1<c:varyColors val="0"/>', chart)
    chart = _TITLE_OR_LEGEND.sub(_beside_the_plot, chart)
    if b"<c:autoTitleDeleted" not in chart:
        chart = chart.replace(b"<c:plotArea>", b'<c:autoTitleDeleted val="0"/><c:plotArea>', 1)
    return _AXIS.sub(rb'\1<c:delete val="0"/>', chart)


def _all_labels(labels: re.Match[bytes]) -> bytes:
    said = dict(_LABEL.findall(labels[0]))
    return b"".join(b'<c:show%b val="%b"/>' % (name, said.get(name, b"0")) for name in map(str.encode, _LABELS))


def _not_smooth(series: re.Match[bytes]) -> bytes:
    if b"<c:smooth" in series[0]:
        return series[0]
    return series[0].removesuffix(b"</c:ser>") + b'<c:smooth val="0"/></c:ser>'


def _beside_the_plot(element: re.Match[bytes]) -> bytes:
    if b"<c:overlay" in element[0]:
        return element[0]
    return _LAYOUT.sub(lambda layout: layout[0] + b'<c:overlay val="0"/>', element[0], count=1)
