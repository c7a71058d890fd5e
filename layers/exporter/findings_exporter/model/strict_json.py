"""JSON that people write: a name that stands twice in one object is refused, since the last one would win in silence."""

import json
from typing import Any

from findings_exporter.model.notes import Note


def loads(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON.

    Raises
    ------
    ValueError
        It is none, or a name stands twice in one object.
    RecursionError
        It is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once_each)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(Note("json.twice", name=twice))
    return found
