"""A file that appears under its name complete or not at all. It knows nothing of what is written."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sheetsim.errors import SheetsimError
from sheetsim.files import check_regular

# What file systems that know no file without a name answer.
_UNKNOWN = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A binary file to write; when the block ends well it takes the target's name, else nothing has happened.

    Where Linux allows it the file has no name while it is written, so that a killed process leaves no half of one.
    A link is followed, and a file that was there keeps its permissions; a device or a pipe stays what it is.
    Raises SheetsimError when the target cannot be written; what was there before then stays as it was.
    """
    try:
        place = _resolved(target)
        beside = place.parent / f".{secrets.token_hex(6)}.part"
        old = place.stat().st_mode if place.exists() else None
        if place.is_dir():
            raise SheetsimError(f"{target} is a folder: name a file in it")
        if old is not None:
            check_regular(place)
        if old is not None and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        try:
            with _unnamed(place.parent) or beside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if not beside.exists():
                    _give_name(file, beside)
            if old is not None:
                beside.chmod(old & 0o7777)
            beside.replace(place)
        finally:
            with suppress(OSError):
                beside.unlink()
    except OSError as error:
        raise SheetsimError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None


def _resolved(target: Path) -> Path:
    try:
        return target.resolve()
    except RuntimeError:
        # Before Python 3.13, links that lead back to themselves.
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


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


def _give_name(file: BinaryIO, name: Path) -> None:
    try:
        # Python follows the link to the open file only when a folder is given, which an absolute path ignores.
        os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=file.fileno())
    except OSError:
        # File systems that make files without a name but give them none: a copy, as safe and slower.
        file.seek(0)
        with name.open("xb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
