"""An .xlsx package.

Parts deflated in parallel and written as a zip, with nothing in it that depends on the day or the number of threads. It
knows no XML.
"""

import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from typing import BinaryIO

from isal import isal_zlib

# Digits of random numbers agree by chance all over a window of 32 KB, and a match of four of them costs more bits than
# their codes. A window of 512 bytes sees a few cells back and no further: the file is 6 % smaller than with the full
# window, in half the time, and as small as zlib's level 6 makes it in twenty times that.
WINDOW_BITS = -9
# Charts and the like are words that come again from afar: the full window halves them.
NUMBERS, FULL_WINDOW_BITS = "xl/worksheets/", -15
LEVEL = 1

# Chunks that wait for a thread or for their turn: bounds the memory, whatever the size of the workbook.
CHUNKS_AHEAD = 6

# 1980-01-01 00:00, the earliest that a zip can hold, and what Excel writes.
DATE = (0, 33)

ZIP32_LIMIT = 0xFFFF_FFFF
_LAST_BLOCK = b"\x03\x00"  # an empty final block: ends a stream of blocks that were deflated apart

# The last part, which says the digest of the others, and the custom property that holds it: a program that saves the
# book keeps it, and it is wrong.
DIGEST_PART = "docProps/custom.xml"
DIGEST = "sheetsim digest"

Part = tuple[str, Iterable[bytes]]


class _Entry:
    """What the zip's directory says of a part."""

    def __init__(self, name: str, offset: int) -> None:
        self.name = name.encode("ascii")
        self.offset = offset
        self.crc = 0
        self.size = 0
        self.packed = 0

    def header(self) -> bytes:
        """The local header, of one length whatever the sizes, so that it can be written again when they are known."""
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.packed)
        fields = (0x04034B50, 45, 0, 8, *DATE, self.crc, ZIP32_LIMIT, ZIP32_LIMIT, len(self.name), len(extra))
        if max(self.size, self.packed) < ZIP32_LIMIT:
            # Excel and others want plain sizes where they fit; the extra field of the same length is then padding.
            extra = struct.pack("<HH16x", 0xD935, 16)
            fields = (0x04034B50, 20, 0, 8, *DATE, self.crc, self.packed, self.size, len(self.name), len(extra))
        return struct.pack("<IHHHHHIIIHH", *fields) + self.name + extra

    def directory(self) -> bytes:
        wide = [value for value in (self.size, self.packed, self.offset) if value >= ZIP32_LIMIT]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        size, packed, offset = (min(value, ZIP32_LIMIT) for value in (self.size, self.packed, self.offset))
        version = 45 if wide else 20
        fields = (0x02014B50, version, version, 0, 8, *DATE, self.crc, packed, size, len(self.name), len(extra))
        return struct.pack("<IHHHHHHIIIHHHHHII", *fields, 0, 0, 0, 0, offset) + self.name + extra


def digest(parts: Iterable[tuple[str, int, int]]) -> str:
    """Of a package's parts, in their order: each one's name, CRC and size, as the zip's directory has them."""
    return sha256("".join(f"{name} {crc:08x} {size}\n" for name, crc, size in parts).encode()).hexdigest()


def write_package(
    file: BinaryIO, parts: Iterable[Part], threads: int | None = None, last: Callable[[str], Part] | None = None
) -> None:
    """Writes the parts, in their order, as a zip to a seekable binary file.

    parts: names, and each one's bytes in chunks of any size; threads: that deflate, as many as there are cores if
    None; last: makes one more part from the digest of all others. The chunks, and not the threads, decide the bytes.
    """
    entries: list[_Entry] = []
    _choose_routines()
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        _write_parts(file, entries, parts, pool)
        if last is not None:
            whole_digest = digest((entry.name.decode(), entry.crc, entry.size) for entry in entries)
            _write_parts(file, entries, [last(whole_digest)], pool)
    start = file.tell()
    for entry in entries:
        file.write(entry.directory())
    file.write(_end(len(entries), start, file.tell() - start))


def _write_parts(file: BinaryIO, entries: list[_Entry], parts: Iterable[Part], pool: ThreadPoolExecutor) -> None:
    ready: _Entry | None = None
    for name, crc, size, packed in _deflated(parts, pool):
        if name is not None:
            if ready is not None:
                _close(file, ready)
            ready = _Entry(name, file.tell())
            entries.append(ready)
            file.write(ready.header())
        assert ready is not None
        ready.crc = isal_zlib.crc32_combine(ready.crc, crc, size)
        ready.size += size
        ready.packed += len(packed)
        file.write(packed)
    if ready is not None:
        _close(file, ready)


@cache
def _choose_routines() -> None:
    """ISA-L picks its routines for the processor at their first call.

    Left to threads that race for it, one file of thousands had a chunk of the same content that was deflated one byte
    longer.
    """
    _deflate(b"".join(b'<c r="A%d"><v>%d</v></c>' % (k, k * k) for k in range(2000)))


def _close(file: BinaryIO, entry: _Entry) -> None:
    """Ends the part's stream, and writes its header again with what is known now."""
    entry.packed += file.write(_LAST_BLOCK)
    end = file.tell()
    file.seek(entry.offset)
    file.write(entry.header())
    file.seek(end)


def _deflated(parts: Iterable[Part], pool: ThreadPoolExecutor) -> Iterator[tuple[str | None, int, int, bytes]]:
    """Each chunk's CRC, size and deflated bytes, in order; the first of a part with its name."""
    waiting: deque[tuple[str | None, Future[tuple[int, int, bytes]]]] = deque()
    for name, chunks in parts:
        new_part: str | None = name
        bits = WINDOW_BITS if name.startswith(NUMBERS) else FULL_WINDOW_BITS
        for chunk in chunks:
            waiting.append((new_part, pool.submit(_deflate, chunk, bits)))
            new_part = None
            while len(waiting) > CHUNKS_AHEAD:
                part_name, done = waiting.popleft()
                yield part_name, *done.result()
        if new_part is not None:  # a part without chunks is an empty part
            waiting.append((new_part, pool.submit(_deflate, b"")))
    for part_name, done in waiting:
        yield part_name, *done.result()


def _deflate(chunk: bytes, bits: int = WINDOW_BITS) -> tuple[int, int, bytes]:
    """One chunk as deflate blocks that end on a byte and refer to nothing before them."""
    squeeze = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, bits, 9)
    packed = squeeze.compress(chunk) + squeeze.flush(isal_zlib.Z_FULL_FLUSH)
    return isal_zlib.crc32(chunk), len(chunk), packed


def _end(count: int, start: int, length: int) -> bytes:
    wide = b""
    if start >= ZIP32_LIMIT or count >= 0xFFFF:
        wide = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, length, start)
        wide += struct.pack("<IIQI", 0x07064B50, 0, start + length, 1)
    plain = struct.pack(
        "<IHHHHIIH",
        0x06054B50,
        0,
        0,
        min(count, 0xFFFF),
        min(count, 0xFFFF),
        min(length, ZIP32_LIMIT),
        min(start, ZIP32_LIMIT),
        0,
    )
    return wide + plain
