"""Reading records that another release may have written: in the table, and in the events of an execution under way."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def known_fields(kind: type["DataclassInstance"], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a dataclass knows: a later release may have added others to the record."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
