"""Errors that end a step: one small tree.

Expected outcomes (bad input, another report in progress, a failed report) are data: see :class:`Failure`. What is raised
ends the step; the state machine retries the transient leaves by their class names and catches the rest.

::

    ExporterError
    ├── ConfigurationError        an environment variable is missing or wrong
    ├── UnsupportedReleaseError   an event of a release that this code does not know
    ├── NotRecordedError          a run has no record, or a part of it is missing
    ├── LockLostError             the run does not hold the lock
    ├── AccessDeniedError         AWS refused a call
    └── TransientError            worth another try
        ├── ServiceUnavailableError   AWS throttled, failed or did not answer
        ├── StillCreatingError        a function may still be creating a report
        ├── StillRunningError         a cancelled report has not stopped yet, or an execution has not ended yet
        └── NotificationInProgressError        another function is sending this notification now
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    HTTPClientError,
    IncompleteReadError,
)

from findings_exporter.model.notes import Note, bounded, from_stored, to_stored

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMS.ThrottlingException",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottled",
        "KmsThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    },
)
"""What botocore takes for throttling, and what services say of their keys: each has a name of its own for it."""
DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
     "KMS.AccessDeniedException", "KMSAccessDenied", "KMSAccessDeniedException", "KmsAccessDenied", "KmsAccessDeniedException",
     "UnauthorizedOperation"},
)  # fmt: skip
SERVER_ERROR = 500
CAUSE_VALUE_CHARACTERS = 1_000
"""Of each value of a cause that is a note."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, as data that the workflow branches on.

    Attributes
    ----------
    error
        A stable name, such as ``InvalidInput`` or ``Report.INVALID_PERMISSIONS``; the remediations are keyed by it.
    cause
        What happened, in a sentence or several, for a person; a note, as far as it is one of ours.
    setup
        What a setup check found, where one was made: see ``preflight.message.findings``.
    """

    error: str
    cause: str
    setup: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as the workflow carries it."""
        cause = self.cause.encode(errors="replace").decode()  # AWS' words may hold what no answer can carry
        note = to_stored(bounded(self.cause, CAUSE_VALUE_CHARACTERS)) if isinstance(self.cause, Note) else None
        kept = {"note": note, "setup": to_stored(self.setup)}
        return {"error": self.error, "cause": cause} | {name: value for name, value in kept.items() if value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read a failure as it is stored; what a later release may have added is left out."""
        note = from_stored(fields.get("note"))
        return cls(fields["error"], note if isinstance(note, Note) else fields["cause"], from_stored(fields.get("setup")))


class ExporterError(Exception):
    """Anything that this package raises."""


class ConfigurationError(ExporterError):
    """An environment variable is missing or wrong: the deployment is at fault, not the run."""


class UnsupportedReleaseError(ExporterError):
    """An event comes from a release that this code does not know."""


class NotRecordedError(ExporterError):
    """A run has no record, or a part of it is missing."""


class LockLostError(ExporterError):
    """The run does not hold the lock (any more), so it must not touch Inspector's report."""


class AccessDeniedError(ExporterError):
    """AWS refused a call: a policy is missing or wrong."""


class TransientError(ExporterError):
    """Worth another try. The state machine retries the leaves by name."""


class ServiceUnavailableError(TransientError):
    """AWS throttled, failed or did not answer."""


class StillCreatingError(TransientError):
    """A function that outlived its execution may still be creating a report."""


class StillRunningError(TransientError):
    """A cancelled report, or an execution, has not ended yet."""


class NotificationInProgressError(TransientError):
    """Another function is sending the notification of this run at this moment."""


def code_of(error: ClientError) -> str:
    """Return the AWS error code of an answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def text_of(error: ClientError) -> str:
    """Return the AWS error message of an answer."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_refused(error: ClientError) -> bool:
    """Tell whether AWS said no for sure, so that the call had no effect.

    A server error says nothing about the effect: it may have happened although the answer was lost.
    """
    status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", SERVER_ERROR)
    return int(status) < SERVER_ERROR


@contextmanager
def translated() -> Iterator[None]:
    """Translate AWS' refusals and outages, once; codes that it does not know go up untouched.

    Raises
    ------
    AccessDeniedError
        AWS refused the call.
    ServiceUnavailableError
        AWS throttled, failed or did not answer, after the client's own retries.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in DENIED:
            raise AccessDeniedError(Note("cause.denied", call=error.operation_name, text=text_of(error))) from error
        if code in THROTTLED or not is_refused(error):
            unavailable = Note("cause.unavailable", call=error.operation_name, code=code, text=text_of(error))
            raise ServiceUnavailableError(unavailable) from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise ServiceUnavailableError(Note("cause.no_answer", text=str(error))) from error


class ConfigFileError(Exception):
    """A file of the deployment cannot be used. Whoever reads it catches this: it ends no step.

    Attributes
    ----------
    faults
        Each with its place.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
