"""The owner of each finding of a batch: by the rules, then by a tag (:mod:`findings_exporter.model.owner_rules`)."""

import json
from collections.abc import Mapping
from itertools import repeat

from findings_analysis.reading.bounded_cache import Remembered
from findings_analysis.reading.schema import OWNER_COLUMN, Batch
from findings_exporter.model.owner_rules import OwnerRules, Resource


class Owners:
    """Gives batches the column ``owner``.

    Parameters
    ----------
    rules
        None where no owners are wanted: then no finding has one.
    """

    def __init__(self, rules: OwnerRules | None) -> None:
        self._rules = rules
        self._needs_tags = rules is not None and rules.need_tags
        self._owners = Remembered[tuple[str | None, ...], str](self._owner_of)
        self._tags = Remembered[str | None, Mapping[str, str]](tags_in)

    def add_to(self, batch: Batch) -> Batch:
        """Return a batch with the column ``owner``."""
        count = len(batch["finding_arn"])
        if self._rules is None:
            return {**batch, OWNER_COLUMN.name: [None] * count}
        names = ("account_id", "region", "resource_type", "repository_name", "resource_id", "resource_name")
        tags = batch["resource_tags"] if self._needs_tags else repeat(None, count)
        return {**batch, OWNER_COLUMN.name: self._owners.of(zip(*(batch[name] for name in names), tags, strict=True))}

    def _owner_of(self, place: tuple[str | None, ...]) -> str:
        assert self._rules is not None
        account, region, resource_type, repository, *names, tags = place
        return self._rules.owner_of(Resource(account, region, resource_type, repository, tuple(names), self._tags[tags]))


def tags_in(text: str | None) -> Mapping[str, str]:
    """Return a resource's tags.

    A JSON report has them as an object. A CSV has ``key:value,key:value``, in which a value that holds a comma cannot be
    distinguished from two tags: it ends at the comma, and what follows is no tag unless it has a colon.
    """
    if not text:
        return {}
    if text.startswith("{"):
        try:
            tags = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {key: value for key, value in tags.items() if isinstance(value, str)}
    pairs = (each.partition(":") for each in text.split(","))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}
