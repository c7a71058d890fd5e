"""What Inspector delivered for a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from findings_exporter.model.records import known_fields


@dataclass(frozen=True, slots=True)
class Delivery:
    """The report object that was seen, or why there is none.

    Attributes
    ----------
    key
        None when Inspector found nothing and wrote no object.
    nothing_found
        ``no_findings`` (Inspector said so), ``no_object`` (success without an object), ``empty_object`` (an object
        without any finding), or None when the report holds findings.
    note
        How an object was checked that is in none of the known forms, as :func:`findings_exporter.model.notes.to_text` writes it.
    """

    bucket: str
    prefix: str
    key: str | None
    size_bytes: int
    etag: str | None
    version_id: str | None
    kms_key_arn: str | None
    nothing_found: Literal["no_findings", "no_object", "empty_object"] | None
    note: str | None = None

    @property
    def uri(self) -> str | None:
        """The object's S3 URI."""
        return f"s3://{self.bucket}/{self.key}" if self.key else None

    def to_dict(self) -> dict[str, Any]:
        """Return the delivery as it is stored and published."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read a delivery from an event or a record, which another release may have written."""
        return cls(**known_fields(cls, fields))
