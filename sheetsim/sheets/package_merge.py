"""The sheets of a book of sheetsim added to a copy of a person's workbook, every other part of which is kept.

Changed are only the lists that name parts and sheets (content types, relations, workbook) and the styles, to which the
new ones are appended. Of the added book the parts are as XlsxWriter writes them, except that texts move into cells,
charts say the settings that are left out, and sheets fit the width of the paper, as the workbook's own font sets how
wide columns are.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from posixpath import basename, dirname, join

from sheetsim.errors import SheetsimError
from sheetsim.sheets.package_charts import with_settings_said
from sheetsim.sheets.package_copy import LINKS, TYPES, WORKBOOK
from sheetsim.whole_file import whole_file
from sheetsim.workbook.limits import MANIFEST_TITLE
from sheetsim.workbook.writing.package_lists import before_end, merged_styles

STYLES = "xl/styles.xml"

# What the parts of added sheets begin with.
PREFIX = "sheetsim_"

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET = re.compile(rb'<sheet name="([^"]*)" sheetId="\d+"(?: state="\w+")? r:id="(rId\d+)"/>')
_NAME = re.compile(rb"<definedName ([^>]*)>([^<]*)</definedName>")
_STRING = re.compile(rb"<si>(.*?)</si>", re.DOTALL)
_TEXT_CELL = re.compile(rb'(<c r="[A-Z]+\d+"(?: s="\d+")?) t="s"><v>(\d+)</v></c>')
_STYLE = re.compile(rb'(<c r="[A-Z]+\d+"|<row [^>]*?customFormat="1"[^>]*?|<row [^>]*?|<col [^>]*?)( s| style)="(\d+)"')


def merge_into(person: Path, ours: Path, target: Path) -> list[str]:
    """Writes a copy of the person's workbook with the sheets of ours after its own, and returns their titles.

    Raises SheetsimError where a title or a defined name is taken, and where styles cannot be appended.
    """
    with zipfile.ZipFile(person) as theirs, zipfile.ZipFile(ours) as added:
        workbook, more = theirs.read(WORKBOOK), added.read(WORKBOOK)
        titles = {one[2].decode(): one[1] for one in _SHEET.finditer(more)}
        links = dict(_relations(added.read(LINKS)))
        parts = {join("xl", links[key]): title for key, title in titles.items() if title != MANIFEST_TITLE.encode()}
        _check_free(workbook, more, list(parts.values()))
        if any(basename(name).startswith(PREFIX) for name in theirs.namelist()):
            raise SheetsimError(f"{person} already contains sheets of sheetsim: use the original workbook")
        styles, moved = merged_styles(theirs.read(STYLES), added.read(STYLES))
        strings = [one[1] for one in _STRING.finditer(added.read("xl/sharedStrings.xml"))]
        new: dict[str, bytes] = {}
        types = _overrides(added.read(TYPES))
        for name in types:
            if name not in parts and not name.startswith(("xl/charts/", "xl/drawings/", "xl/comments")):
                continue
            data = added.read(name)
            if name in parts:
                data = _moved_sheet(data, strings, moved)
            elif name.startswith("xl/charts/chart") and not name.startswith("xl/charts/chartEx"):
                data = with_settings_said(data)
            new[_renamed(name)] = data
        new |= {_renamed(name): added.read(name) for name in added.namelist() if name.endswith(".vml")}
        for name in added.namelist():
            owner = join(dirname(dirname(name)), basename(name).removesuffix(".rels"))
            if name.endswith(".rels") and _renamed(owner) in new:
                new[_renamed_links(owner)] = _relinked(added.read(name))
        ids = {name: f"rIdSheetsim{k}" for k, name in enumerate(parts, start=1)}
        changed = {
            TYPES: _with_types(theirs.read(TYPES), {_renamed(n): t for n, t in types.items() if _renamed(n) in new}),
            LINKS: _with_links(theirs.read(LINKS), {ids[name]: _renamed(name) for name in parts}),
            WORKBOOK: _with_sheets(workbook, {ids[name]: title for name, title in parts.items()}, more, titles),
            STYLES: styles,
        }
        with whole_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for member in theirs.infolist():
                out.writestr(member, changed.get(member.filename, theirs.read(member)))
            for name, data in new.items():
                out.writestr(name, data)
    return [title.decode() for title in parts.values()]


def _check_free(workbook: bytes, more: bytes, titles: list[bytes]) -> None:
    there = {title.lower() for title in re.findall(rb'<(?:\w+:)?sheet\s[^>]*?name="([^"]*)"', workbook)}
    for title in titles:
        if title.lower() in there:
            raise SheetsimError(f"the workbook already has a sheet {title.decode()!r}")
    names = {name.lower() for name in re.findall(rb'<(?:\w+:)?definedName\s[^>]*?name="([^"]*)"', workbook)}
    for attributes, _ in _NAME.findall(more):
        name = re.search(rb'name="([^"]*)"', attributes)
        if name and name[1].lower() in names and not name[1].startswith(b"_xlnm."):
            raise SheetsimError(f"the workbook already has a name {name[1].decode()!r}")


def _relations(xml: bytes) -> list[tuple[str, str]]:
    found_links = re.findall(rb'<Relationship Id="([^"]*)" Type="[^"]*" Target="([^"]*)"', xml)
    return [(key.decode(), target.decode()) for key, target in found_links]


def _overrides(xml: bytes) -> dict[str, str]:
    rows = re.findall(rb'<Override PartName="/([^"]*)" ContentType="([^"]*)"/>', xml)
    return {name.decode(): kind.decode() for name, kind in rows}


def _renamed(part: str) -> str:
    return join(dirname(part), PREFIX + basename(part))


def _renamed_links(owner: str) -> str:
    return join(dirname(owner), "_rels", f"{PREFIX}{basename(owner)}.rels")


def _relinked(xml: bytes) -> bytes:
    """Relations that lead to the renamed parts; those to places in the workbook stay."""

    def target(match: re.Match[bytes]) -> bytes:
        path = match[1].decode()
        if path.startswith("#") or "://" in path:
            return match[0]
        return f'Target="{_renamed(path)}"'.encode()

    return re.sub(rb'Target="([^"]*)"', target, xml)


def _with_types(xml: bytes, types: Mapping[str, str]) -> bytes:
    space = "http://schemas.openxmlformats.org/package/2006/content-types"
    rows = [f'<Override xmlns="{space}" PartName="/{name}" ContentType="{kind}"/>' for name, kind in types.items()]
    if b'Extension="vml"' not in xml:
        kind = "application/vnd.openxmlformats-officedocument.vmlDrawing"
        rows.append(f'<Default xmlns="{space}" Extension="vml" ContentType="{kind}"/>')
    return before_end(xml, "Types", "".join(rows).encode())


def _with_links(xml: bytes, names: Mapping[str, str]) -> bytes:
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    rows = (
        f'<Relationship xmlns="{space}" Id="{key}" Type="{_OFFICE}/worksheet" Target="/{name}"/>'
        for key, name in names.items()
    )
    return before_end(xml, "Relationships", "".join(rows).encode())


def _with_sheets(xml: bytes, sheets: Mapping[str, bytes], more: bytes, titles: Mapping[str, bytes]) -> bytes:
    """The workbook's part with the sheets and the names of ours."""
    numbers = [int(one) for one in re.findall(rb'<(?:\w+:)?sheet\s[^>]*?sheetId="(\d+)"', xml)]
    count = len(numbers)
    rows = b"".join(
        b'<sheet xmlns="%b" xmlns:r="%b" name="%b" sheetId="%d" r:id="%b"/>'
        % (_MAIN.encode(), _OFFICE.encode(), title, number, key.encode())
        for number, (key, title) in enumerate(sheets.items(), start=max(numbers, default=0) + 1)
    )
    xml = before_end(xml, "sheets", rows)
    order = list(titles.values())
    names = []
    for attributes, text in _NAME.findall(more):
        local = re.search(rb'localSheetId="(\d+)"', attributes)
        if local is not None:
            place = list(sheets.values()).index(order[int(local[1])])
            attributes = attributes.replace(local[0], b'localSheetId="%d"' % (count + place))
        names.append(b'<definedName xmlns="%b" %b>%b</definedName>' % (_MAIN.encode(), attributes, text))
    # Of no names, some programs write an empty list.
    xml = re.sub(rb"<(?:\w+:)?definedNames\s*/>", b"", xml)
    if re.search(rb"</(?:\w+:)?definedNames\s*>", xml):
        return before_end(xml, "definedNames", b"".join(names))
    after = [b"externalReferences", b"functionGroups", b"sheets"]
    for element in after:
        end = re.search(rb"</(?:\w+:)?%b\s*>" % element, xml)
        if end is not None:
            whole = b'<definedNames xmlns="%b">%b</definedNames>' % (_MAIN.encode(), b"".join(names))
            return xml[: end.end()] + whole + xml[end.end() :]
    raise SheetsimError("the workbook has no list of sheets")


def _one_page_wide(xml: bytes) -> bytes:
    """A sheet's part that prints as wide as the paper, in place of a scale."""
    paper = re.sub(rb'(<pageSetup [^>]*?)(?: scale="\d+")?( orientation="landscape")', rb'\1\2 fitToHeight="0"', xml)
    if paper == xml:
        return xml
    fit = b'<pageSetUpPr fitToPage="1"/></sheetPr>'
    if b"</sheetPr>" in paper:
        return paper.replace(b"</sheetPr>", fit, 1)
    return paper.replace(b"<dimension", b"<sheetPr>" + fit + b"<dimension", 1)


def _moved_sheet(xml: bytes, strings: list[bytes], moved: tuple[int, int]) -> bytes:
    """A sheet's part with its texts in its cells, and its styles by their new numbers."""

    def text(match: re.Match[bytes]) -> bytes:
        return b'%b t="inlineStr"><is>%b</is></c>' % (match[1], strings[int(match[2])])

    def style(match: re.Match[bytes]) -> bytes:
        return b'%b%b="%d"' % (match[1], match[2], int(match[3]) + moved[0])

    xml = _one_page_wide(_TEXT_CELL.sub(text, xml))
    xml = _STYLE.sub(style, xml)
    return re.sub(rb'dxfId="(\d+)"', lambda match: b'dxfId="%d"' % (int(match[1]) + moved[1]), xml)
