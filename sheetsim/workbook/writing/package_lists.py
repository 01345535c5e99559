"""Elements added to the lists that a package's parts are: sheets, types, relations, and the formats of styles."""

import re
from collections.abc import Callable

from sheetsim.errors import SheetsimError

# The lists of styles that are appended to, in the order in which a part has them.
_LISTS = ("numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs")


def before_end(xml: bytes, element: str, added: bytes) -> bytes:
    """XML with something before the end of its last element of this name, whatever its prefix is."""
    ends = list(re.finditer(rb"</(?:\w+:)?%b\s*>" % element.encode(), xml))
    if not ends:
        raise SheetsimError(f"the workbook has no list {element!r} to which a sheet could be added")
    at = ends[-1].start()
    return xml[:at] + added + xml[at:]


def _children(xml: bytes, element: str) -> tuple[int, int, list[bytes]] | None:
    """Where the inside of a list begins and ends, and its elements; None where there is no such list."""
    match = re.search(rb"<%b(?:\s[^>]*)?(?:/>|>(.*?)</%b>)" % (element.encode(), element.encode()), xml, re.DOTALL)
    if match is None:
        return None
    inside = match[1] or b""
    kind = {"numFmts": b"numFmt", "fonts": b"font", "fills": b"fill", "borders": b"border", "dxfs": b"dxf"}
    name = kind.get(element, b"xf")
    items = re.findall(rb"<%b(?:\s[^>]*)?/>|<%b(?:\s[^>]*)?>.*?</%b>" % (name, name, name), inside, re.DOTALL)
    return match.start(), match.end(), items


def merged_styles(theirs: bytes, ours: bytes) -> tuple[bytes, tuple[int, int]]:
    """Their styles with ours appended, and by how many the numbers of our formats and of our rules' formats move."""
    if not all(re.search(rb"<styleSheet[\s>]", styles) for styles in (theirs, ours)):
        raise SheetsimError(
            "the workbook's styles use an XML prefix that is not supported: save it in Excel or LibreOffice"
        )
    added = {name: (_children(ours, name) or (0, 0, []))[2] for name in _LISTS}
    there = {name: _children(theirs, name) for name in _LISTS}
    counts = {name: len(place[2]) if place else 0 for name, place in there.items()}
    used = [int(one) for one in re.findall(rb'numFmtId="(\d+)"', theirs)]
    first = max([200, *used]) + 1

    def number(match: re.Match[bytes]) -> bytes:
        value = int(match[1])
        return b'numFmtId="%d"' % (value - 164 + first if value >= 164 else value)

    def moved(attribute: str, by: int) -> Callable[[bytes], bytes]:
        pattern = re.compile(rb'%b="(\d+)"' % attribute.encode())
        return lambda xml: pattern.sub(lambda m: b'%b="%d"' % (attribute.encode(), int(m[1]) + by), xml)

    formats = [re.sub(rb'numFmtId="(\d+)"', number, one) for one in added["cellXfs"]]
    for attribute, name in (("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders")):
        move = moved(attribute, counts[name])
        formats = [move(one) for one in formats]
    formats = [re.sub(rb'xfId="\d+"', b'xfId="0"', one) for one in formats]
    appended = {
        "numFmts": [re.sub(rb'numFmtId="(\d+)"', number, one) for one in added["numFmts"]],
        **{name: added[name] for name in ("fonts", "fills", "borders")},
        "cellXfs": formats,
        "dxfs": [re.sub(rb'numFmtId="(\d+)"', number, one) for one in added["dxfs"]],
    }
    styles = theirs
    for name, items in appended.items():
        styles = _appended(styles, name, items)
    return styles, (counts["cellXfs"], counts["dxfs"])


def _appended(xml: bytes, element: str, items: list[bytes]) -> bytes:
    """Styles with more elements of a list, which is made where it is missing."""
    if not items:
        return xml
    place = _children(xml, element)
    name = element.encode()
    if place is not None:
        start, end, there = place
        head = re.match(rb"<%b((?:\s[^>]*?)?)/?>" % name, xml[start:end])
        attributes = re.sub(rb'\scount="\d+"', b"", head[1]) if head else b""
        whole = xml[start:end]
        inside = whole[whole.index(b">") + 1 : whole.rindex(b"</")] if b"</" in whole else b""
        new = b'<%b%b count="%d">%b%b</%b>' % (
            name,
            attributes,
            len(there) + len(items),
            inside,
            b"".join(items),
            name,
        )
        return xml[:start] + new + xml[end:]
    new = b'<%b count="%d">%b</%b>' % (name, len(items), b"".join(items), name)
    following = _LISTS[_LISTS.index(element) + 1 :]
    for other in (*following, "tableStyles", "colors", "extLst"):
        match = re.search(rb"<%b[\s/>]" % other.encode(), xml)
        if match is not None:
            return xml[: match.start()] + new + xml[match.start() :]
    return before_end(xml, "styleSheet", new)
