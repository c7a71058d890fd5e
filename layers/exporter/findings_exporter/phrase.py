"""Texts that people read, in the languages that there are: an English sentence that keeps its id and values.

A step writes the sentence once, in English, for programs and logs. A message or a setup check says the same in the
deployment's language, from the id and the values. The catalogues are ``phrases_en`` and ``phrases_ja``, and
``phrases_analysis_en`` and ``phrases_analysis_ja`` for what an analysis says. Where a value ``count`` is 1, ``<id>.one`` stands
in for an id, if there is such a text.

An exception crosses Lambda as its message alone, and a run's notes are a set of plain texts: :func:`localized` finds the
phrase of such a text in the English catalogue.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from findings_exporter import phrases_analysis_en, phrases_en
from findings_exporter.texts import clean

PHRASES = phrases_en.PHRASES | phrases_analysis_en.PHRASES

CHOICES = "choices"
"""The name of a list of which one is to be chosen."""
SEPARATORS = {"faults": "\n- ", "lacking": "; ", "terms": " + "}
"""What stands between the members of a list, by the value's name."""
ENUMERATED = frozenset({"places", "types"})
"""Lists that are a part of their sentence, with its language's comma."""
TIME, TIMES = "at", {"en": "%d %b %Y, %H:%M UTC", "ja": "%Y年%m月%d日 %H:%M UTC"}
"""The name of a time, as ISO 8601 has it, and how it is written."""
VALUE_CHARACTERS = 1_000
MAX_DEPTH, MAX_MEMBERS = 5, 30
"""Of a recorded phrase: it may have been written by another release."""
RECOGNIZED = ("cause.", "note.", "form.")
"""Ids of whole sentences: others are parts, which would match too much."""
PARTS = frozenset({"fault", "what"})
"""Values that are phrases themselves."""
VALUE = re.compile(r"\{(\w+)(?::[^}]*)?\}")


class Phrase(str):
    """An English text that can be said in other languages.

    Attributes
    ----------
    id, values
        Where it stands in the catalogues, and what is filled in: texts, numbers, phrases, or lists of these.
    """

    __slots__ = ("id", "values")

    id: str
    values: Mapping[str, Any]

    def __deepcopy__(self, _: object) -> "Phrase":
        """Return itself: it never changes."""
        return self

    def to_dict(self, most: int = VALUE_CHARACTERS) -> dict[str, Any]:
        """Return id and values as a record keeps them: each text cleaned and cut."""
        return {"id": self.id, "values": {name: _recorded(value, most) for name, value in self.values.items()}}


def phrase(name: str, /, **values: Any) -> Phrase:  # noqa: ANN401 - texts, numbers, phrases, lists of these
    """Return the phrase of an id, filled in."""
    made = Phrase(_filled(name, values, "en"))
    made.id, made.values = name, values
    return made


def bounded(text: str, most: int) -> str:
    """Return a text cleaned and cut; a phrase has each of its values cleaned and cut instead."""
    if not isinstance(text, Phrase):
        return clean(text, most)
    return phrase(text.id, **{name: _each(value, lambda each: bounded(each, most)) for name, value in text.values.items()})


def named(group: str, word: str) -> str:
    """Return what a word of a group, such as a severity, is called; one that is not known is called as it is written."""
    return phrase(f"{group}.{word}") if f"{group}.{word}" in PHRASES else word


def shortened(text: str, most: int) -> str:
    """Return a text cleaned and cut to a length: a phrase by cutting its values, so that it stays one where that is enough."""
    if isinstance(text, Phrase):
        for length in range(most, most // 16, -(most // 16 or 1)):
            made = bounded(text, length)
            if len(made) <= most:
                return made
    return clean(text, most)


def to_stored(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of JSON as it is stored: a phrase with its id, its values and, for other releases, its text."""
    match value:
        case Phrase():
            return value.to_dict() | {"text": str(value)}
        case Mapping():
            return {name: to_stored(each) for name, each in value.items()}
        case list() | tuple():
            return [to_stored(each) for each in value]
    return value


def from_stored(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of JSON as it was before :func:`to_stored`; a phrase of another release is its text."""
    match value:
        case {"id": str(name), "values": dict(values), **others} if not others or isinstance(others.get("text"), str):
            try:
                return phrase(name, **{each: from_stored(one) for each, one in values.items()})
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                return others.get("text", "")
        case dict():
            return {name: from_stored(each) for name, each in value.items()}
        case list():
            return [from_stored(each) for each in value]
    return value


def recorded(text: str, most: int = VALUE_CHARACTERS) -> dict[str, Any] | None:
    """Return a phrase's id and values; None for a plain text."""
    return text.to_dict(most) if isinstance(text, Phrase) else None


def localized(text: str, language: str, record: object = None) -> str:
    """Return a text in a language, as far as it is a phrase; else as it is.

    Parameters
    ----------
    record
        Id and values as they were recorded next to the text.
    """
    if language == "en":
        return str(text)
    try:
        if isinstance(text, Phrase):
            return _filled(text.id, text.values, language)
        known = record if isinstance(record, Mapping) else _recognized(text)
        return _from_record(known, language, 1) if known else text
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return text  # of another release: it is shown as it was written


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    # Only who speaks that language pays for it.
    modules = [import_module(f"findings_exporter.{name}_{language}") for name in ("phrases", "phrases_analysis")]
    return {name: text for module in modules for name, text in module.PHRASES.items()}


def _filled(name: str, values: Mapping[str, Any], language: str) -> str:
    phrases = PHRASES if language == "en" else _catalogue(language)
    template = phrases.get(f"{name}.one", phrases[name]) if values.get("count") == 1 else phrases[name]
    return template.format(**{name: _shown(name, value, language) for name, value in values.items()})


def _shown(name: str, value: Any, language: str) -> Any:  # noqa: ANN401
    if isinstance(value, list | tuple):
        return _joined(name, [str(_shown(name, each, language)) for each in value], language)
    if name == TIME:
        return f"{datetime.fromisoformat(value):{TIMES[language]}}"
    return localized(value, language) if isinstance(value, Phrase) else value


def _joined(name: str, members: Sequence[str], language: str) -> str:
    if name == CHOICES and language == "en" and len(members) > 1:
        return f"{', '.join(members[:-1])} or {members[-1]}"
    return SEPARATORS.get(name, "、" if name in ENUMERATED and language == "ja" else ", ").join(members)


def _each(value: Any, change: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list | tuple):
        return [_each(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def _recorded(value: Any, most: int) -> Any:  # noqa: ANN401
    return _each(value, lambda text: text.to_dict(most) if isinstance(text, Phrase) else clean(text, most))


def _from_record(record: Mapping[str, Any], language: str, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise ValueError("a phrase within phrases without end")
    values = {str(name): _read(name, value, language, depth) for name, value in record["values"].items()}
    return _catalogue(language)[record["id"]].format(**values)


def _read(name: str, value: Any, language: str, depth: int) -> Any:  # noqa: ANN401
    match value:
        case Mapping():
            return _from_record(value, language, depth + 1)
        case list():
            return _joined(name, [str(_read(name, each, language, depth)) for each in value[:MAX_MEMBERS]], language)
        case str() | int() | float():
            return value
        case None:
            return ""
    raise TypeError("no value of a phrase")


def _recognized(text: str) -> dict[str, Any] | None:
    """Return id and values of an English text of the catalogue; of several that fit, of the one with the fewest free letters."""
    names = [name for name in PHRASES if name.startswith(RECOGNIZED)]
    matches = [(name, values) for name in names if (values := _values_in(text, PHRASES[name])) is not None]
    if not matches:
        return None
    name, values = min(matches, key=lambda each: sum(map(len, each[1].values())))
    return {"id": name, "values": {key: _within(value) if key in PARTS else _Shown(value) for key, value in values.items()}}


def _within(text: str) -> object:
    # A part that is a sentence has lost its full stop.
    return _recognized(text) or _recognized(f"{text}.") or text


def _values_in(text: str, template: str) -> dict[str, str] | None:
    """Return what stands in a text where its template has names; each literal is looked for once, from left to right."""
    first, *rest = (part.replace("{{", "{").replace("}}", "}") for part in VALUE.split(template))
    if not text.startswith(first):
        return None
    values: dict[str, str] = {}
    position = len(first)
    for name, literal in zip(rest[::2], rest[1::2], strict=True):
        end = text.find(literal, position) if len(values) + 1 < len(rest) / 2 else len(text) - len(literal)
        if end < position or not text.startswith(literal, end):
            return None
        values[name] = text[position:end]
        position = end + len(literal)
    return values if position == len(text) else None


class _Shown(str):
    """A value as it was shown: formatted already."""

    __slots__ = ()

    def __format__(self, form: str, /) -> str:
        return str(self)
