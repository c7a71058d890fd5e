"""Structures of msgspec made of JSON that does not fit: what is optional and unreadable becomes None, and is counted.

msgspec takes a structure or refuses it as a whole, which is right for nearly all findings and fast. What it refused is read
here, member by member, by the same declarations. Only a required member that is unreadable is an error.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import msgspec
from msgspec import inspect

from findings_analysis.reading.json_elements import ElementError
from findings_analysis.reading.numbers import finite, whole

type Take = Callable[[Any, Counter[str]], Any]
"""Takes a value of JSON, and counts by name what is unreadable within it; raises ValueError where that is the value itself."""
type ColumnNames = Mapping[tuple[str, str], str]
"""By structure and member, the name that an unreadable value is counted under; others are counted under the member's own."""


class UnreadableError(ValueError):
    """A value is not what its member wants."""


def taker(kind: inspect.Type, names: ColumnNames, name: str = "") -> Take:
    """Return what takes values of a type.

    Parameters
    ----------
    name
        What an unreadable entry of a list is counted under.
    """
    match kind:
        case inspect.StructType():
            return _structure(kind, names)
        case inspect.UnionType():
            return _first_of([taker(each, names, name) for each in kind.types if not isinstance(each, inspect.NoneType)])
        case inspect.ListType():
            return _list(taker(kind.item_type, names, name), kind.item_type, name)
        case inspect.DictType():
            return _dictionary(taker(kind.value_type, names, name), name)
        case inspect.StrType():
            return lambda value, _: _text(value, kind.min_length or 0)
        case inspect.IntType():
            least, below = -inf if kind.ge is None else kind.ge, inf if kind.lt is None else kind.lt
            return lambda value, _: whole(value, least, below)
        case inspect.FloatType():
            return lambda value, _: finite(value)
        case inspect.RawType():
            return lambda value, _: msgspec.Raw(json.dumps(value).encode())
    raise NotImplementedError(kind)


def _structure(kind: inspect.StructType, names: ColumnNames) -> Take:
    members = []
    for field in kind.fields:
        name = names.get((kind.cls.__name__, field.name), field.name)
        members.append((field, name, taker(field.type, names, name)))

    def take(value: Any, unreadable: Counter[str]) -> Any:  # noqa: ANN401 - any JSON, and any structure
        if not isinstance(value, dict):
            raise UnreadableError("it is no object")
        taken = {}
        for field, name, take_member in members:
            member = value.get(field.encode_name)
            if member in (None, "") and not field.required:
                continue
            try:
                taken[field.name] = take_member(member, unreadable)
            except ValueError as error:
                if field.required:
                    raise ElementError(f"its {field.encode_name} is missing or unreadable ({error})") from None
                unreadable[name] += 1
        return kind.cls(**taken)

    return take


def _first_of(takers: list[Take]) -> Take:
    if len(takers) == 1:
        return takers[0]

    def take(value: Any, unreadable: Counter[str]) -> Any:  # noqa: ANN401
        for each in takers[:-1]:
            try:
                return each(value, unreadable)
            except ValueError:
                continue
        return takers[-1](value, unreadable)

    return take


def _list(take_entry: Take, of: inspect.Type, name: str) -> Take:
    def take(value: Any, unreadable: Counter[str]) -> list[Any]:  # noqa: ANN401
        if not isinstance(value, list):
            raise UnreadableError("it is no list")
        taken = []
        for entry in value:
            if entry is None:
                continue
            try:
                taken.append(take_entry(entry, unreadable))
            except ValueError:
                unreadable[name] += 1
                # Something is there, such as a package, though nothing is known of it: it is counted.
                if isinstance(of, inspect.StructType):
                    taken.append(of.cls())
        return taken

    return take


def _dictionary(take_value: Take, name: str) -> Take:
    def take(value: Any, unreadable: Counter[str]) -> dict[str, Any]:  # noqa: ANN401
        if not isinstance(value, dict):
            raise UnreadableError("it is no object")
        taken: dict[str, Any] = dict.fromkeys(value)
        for key, member in value.items():
            try:
                taken[key] = None if member is None else take_value(member, unreadable)
            except ValueError:
                unreadable[name] += 1
        return taken

    return take


def _text(value: object, least: int) -> str:
    if not isinstance(value, str) or len(value) < least:
        raise UnreadableError("it is no text" if not isinstance(value, str) else "it is empty")
    return value
