"""Files of checksummed sections, written and read as a stream.

::

    magic 7 bytes | version 1
    section = kind 1 | length 4 | CRC-32 of what follows 4 | content
"""

import zlib
from collections.abc import Callable
from typing import Protocol

MAX_SECTION_BYTES = 64 << 20
"""More than a section takes: a longer one is a damaged length."""

type Write = Callable[[bytes], object]


class DamagedFileError(Exception):
    """A file of sections cannot be read; the message says why."""


class ReadableFile(Protocol):
    """A file, or the body of an answer of S3."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        ...


def write_section(write: Write, kind: bytes, content: bytes) -> None:
    """Write a section; the file's magic and version were written before the first one."""
    write(kind + len(content).to_bytes(4) + zlib.crc32(content).to_bytes(4) + content)


class SectionReader:
    """Reads sections one by one.

    Parameters
    ----------
    magic
        With the version as its last byte.
    what
        What the file is, for messages: ``fingerprint file``.

    Raises
    ------
    DamagedFileError
        It is no such file, of another version, damaged or truncated. :meth:`section` may raise it, too.
    """

    def __init__(self, source: ReadableFile, magic: bytes, what: str) -> None:
        self._source = source
        found = self._exactly(len(magic), "its first bytes")
        if found != magic:
            same = found[:-1] == magic[:-1]
            raise DamagedFileError(f"it has the version {found[-1]}, of another release" if same else f"it is no {what}")

    def section(self, where: str) -> tuple[bytes, bytes]:
        """Return the next section's kind and content.

        Parameters
        ----------
        where
            For messages: what should stand here.
        """
        head = self._exactly(9, where)
        size = int.from_bytes(head[1:5])
        if size > MAX_SECTION_BYTES:
            raise DamagedFileError(f"it is damaged at {where}")
        content = self._exactly(size, where)
        if zlib.crc32(content) != int.from_bytes(head[5:]):
            raise DamagedFileError(f"it is damaged at {where}: the checksum is wrong")
        return head[:1], content

    def _exactly(self, size: int, where: str) -> bytes:
        pieces = []
        while size > 0 and (piece := self._source.read(size)):
            pieces.append(piece)
            size -= len(piece)
        if size:
            raise DamagedFileError(f"it is truncated at {where}")
        return b"".join(pieces)
