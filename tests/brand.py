"""A workbook as a person's house has one, whose first sheet is a cover; and a logo."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import xlsxwriter

# Where the cover's names stand.
NAMES = {
    "title": "$C$4",
    "description": "$C$5",
    "command": "$C$6",
    "Seed": "$C$7",
    "verdict": "$C$8",
    "layers_3_std": "$C$9",
    "custom_std": "$C$10",
    "histogram_bins": "$D$7:$E$7",
}


def png(width: int = 60, height: int = 20) -> bytes:
    """A picture of one color."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x10\x50\x60" * width) * height
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def brand_book(
    path: Path, names: Mapping[str, str] = NAMES, formulas: Mapping[str, str] | None = None, title: str = "Front page"
) -> Path:
    """Writes the workbook. formulas: by cell of the cover, more of them, each with the value 1."""
    picture = path.with_suffix(".png")
    picture.write_bytes(png(300, 100))
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet(title)
        head = book.add_format({"font_name": "Georgia", "font_size": 20, "bold": True, "font_color": "#00464F"})
        fill = book.add_format({"bg_color": "#FFE9A8", "num_format": "0.000", "border": 2, "align": "left"})
        rich = book.add_format({"italic": True})
        sheet.set_column("B:B", 24, book.add_format({"bg_color": "#EEEEEE"}))
        sheet.set_column("C:C", 60)
        sheet.set_row(3, 42)
        sheet.write("C4", "a title goes here", head)
        sheet.write_rich_string("B4", "Study ", rich, "and more")
        for row in range(4, 10):
            sheet.write_blank(row, 2, None, fill)
        sheet.write("B12", 2)
        sheet.write_formula("B13", "=B12*2", None, 4)
        sheet.merge_range("D7:E7", "", fill)
        sheet.write_comment("B12", "of the house")
        good = book.add_format({"bg_color": "#C6EFCE"})
        sheet.conditional_format("C8", {"type": "cell", "criteria": "==", "value": '"healthy"', "format": good})
        sheet.insert_image("B1", picture, {"x_scale": 0.5, "y_scale": 0.5})
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": [title, 11, 1, 12, 1]})
        sheet.insert_chart("C15", chart)
        sheet.write_url("B30", "https://example.com/")
        sheet.set_portrait()
        sheet.print_area("A1:E30")
        for cell, formula in (formulas or {}).items():
            sheet.write_formula(cell, formula, None, 1)
        other = book.add_worksheet("Data")
        other.write("A1", 5)
        for name, cells in names.items():
            book.define_name(name, f"='{title}'!{cells}" if cells.startswith("$") else f"={cells}")
    return path
