"""The files that earlier analyses left in S3, used only as they were written."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from findings_analysis.comparison import fingerprint_format
from findings_analysis.comparison.baseline import EarlierRun, StoredFile
from findings_analysis.comparison.fingerprint_format import FingerprintFile
from findings_analysis.reading.errors import ReportChangedError, ReportUnavailableError
from findings_analysis.reading.s3_stream import RangedObject, pin, raise_if_transient
from findings_exporter.model.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

COPY_BYTES = 1 << 20
MOST_UNREADABLE = 10
"""So many fingerprint files are tried for first-seen days; each costs a request or more."""
MOST_KINDS = 4
"""So many kinds of runs (a filter, with a notification or without) are looked for: each file is a pass more over the findings."""


class UnreadableFileError(Exception):
    """A file of an earlier analysis cannot be used; the message says why."""


class EarlierFiles:
    """The files that earlier analyses of a report left in its bucket, copied to a folder.

    Whatever is wrong with one of them (missing, replaced, damaged, forged) is an :class:`UnreadableFileError`: an earlier file
    must not cost this run its analysis.
    """

    def __init__(self, s3: "S3Client", owner: str, report: str, folder: Path) -> None:
        self._s3, self._owner, self._report, self._folder = s3, owner, report, folder
        self._copies = 0

    def fingerprint_file(self, run: EarlierRun) -> FingerprintFile:
        """Return a run's fingerprint file, read through once.

        Raises
        ------
        UnreadableFileError
            It cannot be used.
        ServiceUnavailableError
            S3 could not serve; worth another try.
        """
        if run.fingerprints is None:
            raise UnreadableFileError("there is none")
        path = self.copy(run.bucket, run.fingerprints)
        try:
            return fingerprint_format.checked(path, self._report, run.execution)
        except Exception as error:
            path.unlink()
            raise UnreadableFileError(_words(error)) from error

    def newest_fingerprint_files(self, runs: Iterator[EarlierRun], baseline: FingerprintFile | None) -> list[FingerprintFile]:
        """Return the newest fingerprint file of each kind of run beside the baseline's, for first-seen days and scanning.

        The newest of all may have a narrow filter, or be a run without a notification.

        Parameters
        ----------
        runs
            The newest first, up to the baseline.

        Returns
        -------
        list of FingerprintFile
            The newest first, at most :data:`MOST_KINDS`.
        """
        found: dict[tuple[str, bool], FingerprintFile] = {}
        tries = 0
        for run in runs:
            if tries == MOST_UNREADABLE or len(found) == MOST_KINDS:
                break
            if baseline and run.execution == baseline.header.execution:
                break
            kind = run.filter_hash, run.is_notified
            if run.fingerprints is None or kind in found:
                continue
            try:
                found[kind] = self.fingerprint_file(run)
            except UnreadableFileError as error:
                logger.warning(
                    "the fingerprint file of %s could not be read: %s", run.execution, type(error.__cause__ or error).__name__
                )
                tries += 1
        return list(found.values())

    def copy(self, bucket: str, stored: StoredFile) -> Path:
        """Copy a file to the folder.

        Raises
        ------
        UnreadableFileError
            It is not what was written, or cannot be read.
        ServiceUnavailableError
            S3 could not serve; worth another try.
        """
        self._copies += 1
        path = self._folder / f"earlier-{self._copies}"
        try:
            with path.open("wb") as file:
                for piece in self._pieces(bucket, stored):
                    file.write(piece)
        except UnreadableFileError:
            path.unlink(missing_ok=True)
            raise
        except OSError as error:  # the temporary space is used up
            path.unlink(missing_ok=True)
            raise UnreadableFileError(_words(error)) from error
        return path

    def stream(self, bucket: str, stored: StoredFile) -> "StoredStream":
        """Return a file to be read once from its beginning; reading raises what :meth:`copy` does."""
        return StoredStream(self._pieces(bucket, stored))

    def _pieces(self, bucket: str, stored: StoredFile) -> Iterator[bytes]:
        try:
            yield from read_stored(self._s3, bucket, stored, self._owner)
        except ServiceUnavailableError:
            raise
        except Exception as error:
            raise UnreadableFileError(_words(error)) from error


class StoredStream:
    """Pieces of a file as a file that is read once: it takes no temporary space."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


def read_stored(s3: "S3Client", bucket: str, stored: StoredFile, owner: str) -> Iterator[bytes]:
    """Give an object that an analysis wrote, piece by piece.

    Parameters
    ----------
    stored
        Without an ETag any object under its key is taken.

    Raises
    ------
    ReportChangedError, ReportUnavailableError
        It is not what was written, or S3 refused it.
    ServiceUnavailableError
        S3 could not serve; worth another try.
    """
    buffer = memoryview(bytearray(COPY_BYTES))
    try:
        pinned = pin(s3, bucket, stored.key, owner)
        if stored.etag and pinned.etag != stored.etag:
            raise ReportChangedError("it was replaced since it was written")
        with RangedObject(s3, replace(pinned, version_id=None)) as source:
            while count := source.readinto(buffer):
                yield bytes(buffer[:count])
    except ReportUnavailableError as error:
        raise_if_transient(error)
        raise


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
