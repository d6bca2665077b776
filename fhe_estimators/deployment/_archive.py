"""Zip files of which there is one only for given members."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

from fhe_estimators.deployment.errors import FormatError

#: Bytes, and members, of a file at most.
MOST_BYTES = 256 << 20
_MOST_MEMBERS = 100_000
_DATE, _UNIX, _MODE = (1980, 1, 1, 0, 0, 0), 3, 0o600 << 16


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip file of members, not compressed, in their order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, content)
    return file.getvalue()


def read_archive(data: bytes, what: str) -> dict[str, bytes]:
    """Return the members of a zip file.

    Parameters
    ----------
    data : bytes
    what : str
        For messages.

    Raises
    ------
    FormatError
        If it is not exactly what `write_archive` would write: compressed or hidden
        members, names twice, bytes in between.
    """
    if len(data) > MOST_BYTES:
        raise FormatError(f"{what} has {len(data)} bytes; the limit is {MOST_BYTES}.")
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_MEMBERS:
                raise FormatError(f"{what} has {len(entries)} members.")
            for entry in entries:
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise FormatError(f"{what}: {entry.filename!r:.80} is compressed.")
            # Members may also lie in each other.
            if sum(entry.file_size for entry in entries) > len(data):
                raise FormatError(f"{what} has fewer bytes than its members.")
            members.update((entry.filename, archive.read(entry)) for entry in entries)
        same = write_archive(members) == data
    except FormatError:
        raise
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        LookupError,
        struct.error,
        OSError,
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        raise FormatError(f"{what} is no zip file: {error}") from error
    if not same:
        raise FormatError(f"{what} is not written as this package writes zip files.")
    return members
