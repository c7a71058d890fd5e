"""An object in S3 as a stream of ranges: several asked for at once, each tried again on its own, all of one version."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from findings_analysis.reading.errors import ReportChangedError, ReportUnavailableError
from findings_exporter.model.errors import THROTTLED, ServiceUnavailableError, code_of, is_refused

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

RANGE_BYTES = 4 << 20
"""Long enough that the time to S3's first byte does not count."""
IN_FLIGHT = 4
"""One connection to S3 gives some 50 to 90 MB a second, several give several times that. Memory holds one range more."""
TRIES = 3
RETRY_SECONDS = 0.5
"""Before the second try; doubled before each further one."""

NOT_AS_PINNED = frozenset(
    {"NoSuchKey", "NoSuchVersion", "404", "412", "PreconditionFailed", "416", "InvalidRange", "MethodNotAllowed"}
)
"""What S3 answers when the version that was pinned is not there as it was; MethodNotAllowed for a delete marker."""
_REFUSED = frozenset({"AccessDenied", "403", "InvalidObjectState", "KMS.DisabledException", "KMS.NotFoundException"})
"""Trying again does not help."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One version of an object.

    Attributes
    ----------
    etag
        With its quotes, as S3 returns it.
    version_id
        None in a bucket without versioning: then the ETag alone identifies the content.
    owner
        The account that must own the bucket.
    """

    bucket: str
    key: str
    size: int
    etag: str
    version_id: str | None
    owner: str


def pin(s3: S3Client, bucket: str, key: str, owner: str) -> Pinned:
    """Return the object's newest version, to be read whatever is written to its key meanwhile.

    Raises
    ------
    ReportUnavailableError
        S3 does not return it.
    """
    try:
        head = s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
    except (ClientError, BotoCoreError) as error:
        raise ReportUnavailableError(f"S3 did not return s3://{bucket}/{key}: {error}") from error
    version_id = head.get("VersionId")
    return Pinned(bucket, key, head["ContentLength"], head["ETag"], None if version_id == "null" else version_id, owner)


def raise_if_transient(error: ReportUnavailableError) -> None:
    """Raise an error that another try may get past; return from one that S3 refused."""
    cause = error.__cause__
    if not isinstance(cause, ClientError) or code_of(cause) in THROTTLED or not is_refused(cause):
        raise ServiceUnavailableError(str(error)) from error


class PinnedObject:
    """Reads ranges of a pinned object, each tried again on its own."""

    def __init__(self, s3: S3Client, pinned: Pinned) -> None:
        self._s3, self._pinned = s3, pinned

    def read(self, begin: int, end: int) -> bytes:
        """Return the bytes from begin to before end.

        Raises
        ------
        ReportChangedError
            The object is not what was pinned any more.
        ReportUnavailableError
            S3 refused the range, or failed to give it :data:`TRIES` times.
        """
        for number in range(TRIES):
            if number:
                time.sleep(RETRY_SECONDS * 2 ** (number - 1))
            try:
                content = self._get(begin, end)
            except ClientError as error:
                failure: Exception = error
                if (code := error.response.get("Error", {}).get("Code", "")) in NOT_AS_PINNED:
                    raise ReportChangedError(f"{self._name()} was replaced or deleted while it was read ({code}).") from error
                if code in _REFUSED:
                    raise ReportUnavailableError(f"S3 refused {self._name()}: {error}") from error
            except (BotoCoreError, OSError) as error:
                failure = error
            else:
                if len(content) == end - begin:
                    return content
                failure = EOFError(f"the answer ended after {len(content):,} bytes")
        raise ReportUnavailableError(
            f"S3 did not give bytes {begin:,} to {end - 1:,} of {self._name()}, asked {TRIES} times: {failure}"
        ) from failure

    def _get(self, begin: int, end: int) -> bytes:
        pinned = self._pinned
        version: dict[str, Any] = {"VersionId": pinned.version_id} if pinned.version_id else {}
        answer = self._s3.get_object(
            Bucket=pinned.bucket,
            Key=pinned.key,
            Range=f"bytes={begin}-{end - 1}",
            IfMatch=pinned.etag,
            ExpectedBucketOwner=pinned.owner,
            **version,
        )
        # Not in a with statement: that would give the stream below, whose errors are not botocore's.
        body = answer["Body"]
        try:
            return body.read()
        finally:
            body.close()

    def _name(self) -> str:
        return f"s3://{self._pinned.bucket}/{self._pinned.key}"


class RangedObject:
    """A pinned object, or a part of it, read once from its first byte to its last.

    Use it in a ``with`` statement: leaving it ends what is still being fetched. Memory holds at most ``in_flight + 1`` ranges.

    Parameters
    ----------
    begin, end
        The part: bytes from begin to before end; the whole object where there is no end.
    """

    def __init__(
        self,
        s3: S3Client,
        pinned: Pinned,
        *,
        begin: int = 0,
        end: int | None = None,
        range_bytes: int = RANGE_BYTES,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._object, self._range_bytes = PinnedObject(s3, pinned), range_bytes
        self._end = pinned.size if end is None else end
        self._threads = ThreadPoolExecutor(in_flight, thread_name_prefix="range")
        self._ahead: deque[Future[bytes]] = deque()
        self._begins = iter(range(begin, self._end, range_bytes))
        self._current = memoryview(b"")
        for _ in range(in_flight):
            self._ask_for_next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ask for nothing more; what is on its way ends by itself."""
        self._begins = iter(())
        self._ahead.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, or a part of it, and return how many bytes that were; 0 is the end.

        Raises
        ------
        ReportChangedError, ReportUnavailableError
            :meth:`PinnedObject.read`.
        """
        if not self._current and self._ahead:
            self._current = memoryview(self._ahead.popleft().result())
            self._ask_for_next()
        count = min(len(buffer), len(self._current))
        buffer[:count] = self._current[:count]
        self._current = self._current[count:]
        return count

    def _ask_for_next(self) -> None:
        begin = next(self._begins, None)
        if begin is not None:
            self._ahead.append(self._threads.submit(self._object.read, begin, min(begin + self._range_bytes, self._end)))
