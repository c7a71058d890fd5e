"""Sentences that a run's record keeps: an id and values, so that each reader gets them in the deployment's language.

A :class:`Note` is its English text, so that programs, logs and files have that without asking. What shows texts to people
calls :func:`in_language`. The texts stand in :mod:`findings_exporter.model.notes_en` and :mod:`findings_exporter.model.notes_ja`.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from findings_exporter.model import causes_en, causes_ja, notes_en, notes_ja, preflight_en, preflight_ja, preview_en, preview_ja
from findings_exporter.model.text import clean, each_text

NOTE_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": notes_en.NOTES | causes_en.CAUSES | preflight_en.PREFLIGHT | preview_en.PREVIEW,
    "ja": notes_ja.NOTES | causes_ja.CAUSES | preflight_ja.PREFLIGHT | preview_ja.PREVIEW,
}
SUM, TIME = "terms", "at"
"""Names of values that are written in another way: terms of a sum, and a time as ISO 8601 has it."""
CHOICES, SEPARATORS = "choices", {SUM: " + ", "faults": "\n- ", "lacking": "; "}
"""Names of lists that are written in another way: one is to be chosen; what stands between the members."""
RAISED = "cause."
"""Ids of whole sentences that exceptions are made of: they cross Lambda as their English text alone."""
NAME = re.compile(r"\{(\w+)\}")


class Note(str):
    """A sentence as its English text, with what it takes to say it in another language.

    Parameters
    ----------
    name
        The id of its text; ``<id>.one`` is used where the value ``count`` is 1 and there is such a text.
    values
        For the names in braces of the text: texts, numbers, other notes, and lists of them.
    """

    __slots__ = ("name", "values")
    name: str
    values: Mapping[str, Any]

    def __new__(cls, name: str, /, **values: Any) -> Self:  # noqa: ANN401 - any JSON
        """Make a note; an unknown id, or a value that its text wants and does not get, raises LookupError."""
        note = super().__new__(cls, _said(name, values, "en"))
        note.name, note.values = name, values
        return note

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Let a note be copied."""
        return (self.name,), dict(self.values)

    def said(self, language: str) -> str:
        """Return the sentence in a language; one that is not known is English."""
        return _said(self.name, self.values, language) if language in NOTE_TEXTS else str(self)

    def cut(self, most: int) -> str:
        """Return the sentence with cleaned values, cut to a length by cutting its values first."""
        for length in range(most, most // 16, -(most // 16 or 1)):
            note = _with(self, length)
            if len(note) <= most:
                return note
        return clean(self, most)


def named(group: str, word: str) -> str:
    """Return what a word of a group, such as a severity, is called; one that is not known is called as it is written."""
    return Note(f"{group}.{word}") if f"{group}.{word}" in NOTE_TEXTS["en"] else word


def in_language(text: str, language: str) -> str:
    """Return a text in a language if it is a note, else as it is."""
    return text.said(language) if isinstance(text, Note) else text


def bounded(text: str, most: int) -> str:
    """Return a text cleaned and cut to a length; a note has each of its values cut to it."""
    return _with(text, most) if isinstance(text, Note) else clean(text, most)


def cut(text: str, most: int) -> str:
    """Return a text cleaned and cut to a length; a note stays one."""
    return text.cut(most) if isinstance(text, Note) else clean(text, most)


def recognized(text: str) -> str:
    """Return the note whose English text this is, such as an exception's message; any other text as it is."""
    if isinstance(text, Note):
        return text
    english = NOTE_TEXTS["en"]
    found = [(name, _values_in(text, english[name])) for name in english if name.startswith(RAISED)]
    fitting = [(name, values) for name, values in found if values is not None]
    if not fitting:
        return text
    # Of several, the one that says most by itself.
    name, values = min(fitting, key=lambda each: sum(map(len, each[1].values())))
    return Note(name, **values)


def _values_in(text: str, pattern: str) -> dict[str, str] | None:
    """Return what a text has for a pattern's names in braces; each part between is looked for once, from left to right."""
    first, *rest = NAME.split(pattern)
    if not text.startswith(first):
        return None
    values: dict[str, str] = {}
    position = len(first)
    for name, part in zip(rest[::2], rest[1::2], strict=True):
        is_last = len(values) + 1 == len(rest) // 2
        end = len(text) - len(part) if is_last else text.find(part, position)
        if end < position or not text.startswith(part, end):
            return None
        values[name], position = text[position:end], end + len(part)
    return values if position == len(text) else None


def to_stored(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of JSON as it is stored: a note with id, values and, for a release that does not know it, its text."""
    match value:
        case Note():
            return {"note": value.name, "values": to_stored(value.values), "text": str(value)}
        case Mapping():
            return {name: to_stored(each) for name, each in value.items()}
        case list() | tuple():
            return [to_stored(each) for each in value]
    return value


def from_stored(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of JSON as it was before :func:`to_stored`."""
    match value:
        case {"note": str(name), "values": dict(values), "text": str(text)}:
            try:
                return Note(name, **from_stored(values))
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                # Another release has written it.
                return text
        case dict():
            return {name: from_stored(each) for name, each in value.items()}
        case list():
            return [from_stored(each) for each in value]
    return value


def to_text(note: str) -> str:
    """Return a note as a text that keeps its id and values; any other text as it is."""
    return json.dumps(to_stored(note), ensure_ascii=False, sort_keys=True) if isinstance(note, Note) else note


def from_text(text: str) -> str:
    """Return what :func:`to_text` was given."""
    if not text.startswith('{"note"'):
        return text
    try:
        found = from_stored(json.loads(text))
    except (RecursionError, ValueError):
        return text
    return found if isinstance(found, str) else text


def _with(note: Note, length: int) -> Note:
    # A nested note is cut as its values are.
    def shorter(value: Any) -> Any:  # noqa: ANN401 - any JSON
        match value:
            case Note():
                return _with(value, length)
            case list() | tuple():
                return [shorter(each) for each in value]
        return each_text(value, lambda _, text: clean(text, length))

    return Note(note.name, **{name: shorter(value) for name, value in note.values.items()})


def _said(name: str, values: Mapping[str, Any], language: str) -> str:
    texts = NOTE_TEXTS[language]
    text = texts.get(f"{name}.one") if values.get("count") == 1 else None
    return (text or texts[name]).format(**{each: _value(value, each, texts, language) for each, value in values.items()})


def _value(value: Any, name: str, texts: Mapping[str, str], language: str) -> str:  # noqa: ANN401 - any JSON
    match value:
        case Note():
            return value.said(language)
        case list() | tuple():
            members = [_value(each, "", texts, language) for each in value]
            if name == CHOICES and len(members) > 1:
                members[-2:] = [texts["list.or"].format(first=members[-2], last=members[-1])]
            return SEPARATORS.get(name, texts["list"]).join(members)
        case int() if not isinstance(value, bool):
            return f"{value:,}"
        case str() if name == TIME:
            return f"{datetime.fromisoformat(value):{texts['time']}}"
    return str(value)
