"""The execution of the workflow that a step works for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Self

SAFE_NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_.-]{0,79}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the workflow."""

    arn: str
    started_at: datetime

    @classmethod
    def from_dict(cls, event: Mapping[str, Any]) -> Self:
        """Read ``{"arn": …, "started_at": "2026-11-23T03:00:00.123Z"}`` as the state machine sends it."""
        return cls(arn=event["arn"], started_at=datetime.fromisoformat(event["started_at"]))

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def id(self) -> str:
        """The name where it is safe in an S3 key and a URL, else its safe letters and a hash of the whole."""
        return execution_id(self.name)


def execution_id(name: str) -> str:
    """Return an execution name as it is in keys.

    Step Functions allows names with ``=``, ``+``, ``@`` or non-ASCII letters; such a name is replaced by a hash, behind an
    underscore. A name that is kept never begins with one, so that no execution can be named like the hash of another.
    """
    if SAFE_NAME.fullmatch(name):
        return name
    return f"_{re.sub(r'[^A-Za-z0-9_-]', '_', name, flags=re.ASCII)[:40]}-{sha256(name.encode()).hexdigest()[:12]}"
