"""A file that appears under its name complete or not at all. It knows nothing of what is written."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sheetsim.errors import SheetsimError

# What file systems that know no file without a name answer.
_UNKNOWN = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A binary file to write; when the block ends well it takes the target's name, else nothing has happened.

    Where Linux allows it the file has no name while it is written, so that not even a killed process leaves litter.
    Raises SheetsimError when the target cannot be written; what was there before then stays as it was.
    """
    if target.suffix.lower() != ".xlsx":
        raise SheetsimError(f"{target} must end in .xlsx: it is a workbook")
    beside = target.parent / f".{target.name[:100]}.{secrets.token_hex(4)}.part"
    try:
        if target.is_dir():
            raise SheetsimError(f"{target} is a folder: name a file in it")
        with _unnamed(target.parent) or beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not beside.exists():
                # Python follows the link to the open file only when a folder is given, which an absolute path ignores.
                os.link(f"/proc/self/fd/{file.fileno()}", beside, src_dir_fd=file.fileno())
        beside.replace(target)
    except OSError as error:
        raise SheetsimError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None
    finally:
        with suppress(OSError):
            beside.unlink()


def _unnamed(folder: Path) -> BinaryIO | None:
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").exists():
        return None
    try:
        # 0o666 less the umask, as any new file.
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b")
    except OSError as error:
        if error.errno in _UNKNOWN and folder.is_dir():
            return None
        raise
