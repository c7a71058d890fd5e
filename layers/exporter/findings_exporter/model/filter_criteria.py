"""A run's filter criteria: checked against Inspector's own service model, with dates made absolute.

The model is the one that the layer's botocore ships, so a new release of boto3 brings new filters without a change here.
A wrong filter fails in a second with its field named, rather than exporting everything or nothing.
"""

import difflib
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape

from findings_exporter.model.notes import Note

UNITS = {"hour": "hours", "day": "days", "week": "weeks"}
LAST = re.compile(r"last ([1-9]\d{0,3}) (hour|day|week)s?", re.ASCII)
AGO = re.compile(r"(\d{1,4}) (hour|day|week)s? ago", re.ASCII)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
FINDING_TEXTS = ("ListFindings", "ListFindingAggregations")
"""Operations whose answers hold what filters compare with."""

LONG_NUMBER = 10**20
NAMES_SHOWN = 12
"""Of the names that could stand in a field: a fault is one line of a message."""

type Fault = Callable[[str, Note], None]
"""Takes a field's path and what is wrong with it."""


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("inspector2", "service-2"))


def known_filters() -> list[str]:
    """Return the names of the filters that Inspector knows."""
    return sorted(_model().shape_for("FilterCriteria").members)  # type: ignore[attr-defined]


def hash_of(criteria: Mapping[str, Any]) -> str:
    """Return an analysis of criteria as written, before dates are made absolute: runs with the same one are comparable."""
    return hashlib.sha256(json.dumps(criteria, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def resolve(criteria: object, path: str, now: datetime, fault: Fault) -> dict[str, Any]:
    """Check filter criteria and make their dates absolute.

    Parameters
    ----------
    criteria
        As written: ``{"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}``. A date filter may be written as
        ``"last 7 days"``, a date as ``"7 days ago"``.
    path
        Where the criteria stand in the input, for the faults.
    now
        What relative dates count from: the run's start, so that a retry resolves them alike.
    fault
        Is called for each fault.

    Returns
    -------
    dict
        Criteria for CreateFindingsReport, dates as epoch seconds; meaningful only when no fault was found.
    """
    resolved = _value(criteria, _model().shape_for("FilterCriteria"), path, now, fault)
    if not isinstance(resolved, dict):
        return {}
    for name, known in known_values().items():
        _known_values(resolved.get(name), known, f"{path}.{name}", fault)
    return resolved


@cache
def known_values() -> dict[str, list[str]]:
    """Return the filters of text whose values the model enumerates: a misspelt one would match nothing, in silence.

    A filter's own shape has no enumeration. What it compares with has one, in a finding or in an aggregation of findings,
    and is found there by the filter's name: the name of the enumeration (``findingStatus``), of the member
    (``cloudProvider``), or of the member after that of its parent (``awsLambdaFunction`` and ``runtime`` for
    ``lambdaFunctionRuntime``). Only what findings hold counts: other enumerations of these names exist, with other values.
    """
    found: dict[str, list[str]] = {}
    for operation in FINDING_TEXTS:
        for names, values in _enumerations(_model().operation_model(operation).output_shape, "", set()):
            for name in names:
                found.setdefault(name.lower().removeprefix("aws"), values)
    return {name: found[name.lower()] for name in known_filters() if name.lower() in found}


def _enumerations(shape: Any, parent: str, seen: set[tuple[str, str]]) -> Iterator[tuple[tuple[str, ...], list[str]]]:  # noqa: ANN401 - botocore types no kind of shape
    """Return each enumeration in a shape, with the names that a filter may know it by."""
    if shape.type_name == "list":
        yield from _enumerations(shape.member, parent, seen)
    if shape.type_name != "structure" or (parent, shape.name) in seen:
        return
    seen.add((parent, shape.name))
    for name, member in shape.members.items():
        value = member.member if member.type_name == "list" else member
        if getattr(value, "enum", None):
            yield (value.name, name, f"{parent}{name}"), list(value.enum)
        yield from _enumerations(member, name, seen)


@cache
def aggregation_values(name: str) -> list[str]:
    """Return to which values of a filter (``findingType``, ``resourceType``) an aggregation by account can be confined."""
    members: Any = _model().shape_for("AccountAggregation")
    return list(members.members[name].enum)


def with_dates(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return resolved criteria with dates as ISO 8601: for people, and valid as an input."""
    members: Any = _model().shape_for("FilterCriteria")
    dates = {name for name, shape in members.members.items() if shape.member.name == "DateFilter"}

    def shown(filters: list[Mapping[str, float]]) -> list[dict[str, str]]:
        return [{side: datetime.fromtimestamp(at, UTC).isoformat() for side, at in each.items()} for each in filters]

    return {name: shown(filters) if name in dates else filters for name, filters in criteria.items()}


def suggestion(word: str, known: list[str]) -> str:
    """Return ``. Did you mean "x"?`` when a known word is near, else nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not near:
        lower = {each.lower(): each for each in known}
        near = [lower[word.lower()]] if word.lower() in lower else []
    return Note("suggestion", word=near[0]) if near else ""


def _value(value: object, shape: Shape, path: str, now: datetime, fault: Fault) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(shape, StructureShape):
        return _structure(value, shape, path, now, fault)
    if isinstance(shape, ListShape):
        return _list(value, shape, path, now, fault)
    if isinstance(shape, StringShape):
        return _string(value, shape, path, fault)
    if shape.type_name == "timestamp":
        return _date(value, path, now, fault)
    return _number(value, shape, path, fault)


def _structure(value: object, shape: StructureShape, path: str, now: datetime, fault: Fault) -> dict[str, Any]:
    if shape.name == "DateFilter" and isinstance(value, str):
        return _last(value, path, now, fault)
    if not isinstance(value, dict):
        fault(path, Note("input.members", choices=_some(list(shape.members)), found=kind_of(value)))
        return {}
    resolved = {}
    for name, member in value.items():
        if name in shape.members:
            resolved[name] = _value(member, shape.members[name], f"{path}.{name}", now, fault)
        else:
            fault(f"{path}.{name}", Note("input.unknown", suggestion=suggestion(name, list(shape.members))))
    for name in shape.required_members:
        if name not in value:
            fault(f"{path}.{name}", Note("input.missing"))
    if not shape.required_members and not value and shape.name != "FilterCriteria":
        fault(path, Note("input.empty", choices=_some(list(shape.members))))
    _ordered(resolved, path, fault)
    return resolved


def _ordered(resolved: Mapping[str, Any], path: str, fault: Fault) -> None:
    pairs = (
        ("startInclusive", "endInclusive"),
        ("lowerInclusive", "upperInclusive"),
        ("beginInclusive", "endInclusive"),
    )
    for low, high in pairs:
        first, last = resolved.get(low), resolved.get(high)
        if first is not None and last is not None and first > last:
            fault(f"{path}.{low}", Note("input.order", high=high))


def _list(value: object, shape: ListShape, path: str, now: datetime, fault: Fault) -> list[Any]:
    if not isinstance(value, list):
        fault(path, Note("input.list", found=kind_of(value)))
        return []
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)
    if not least <= len(value) <= most:
        fault(path, Note("input.list_length", least=str(least), most=str(most), count=len(value)))
        return []
    return [_value(each, shape.member, f"{path}[{index}]", now, fault) for index, each in enumerate(value)]


def _string(value: object, shape: StringShape, path: str, fault: Fault) -> str:
    if not isinstance(value, str):
        fault(path, Note("input.text", found=kind_of(value)))
        return ""
    if shape.enum and value not in shape.enum:
        fault(path, _not_one_of(value, list(shape.enum)))
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)
    if not least <= len(value) <= most:
        fault(path, Note("input.text_length", least=str(least), most=str(most), count=len(value)))
    return value


def _number(value: object, shape: Shape, path: str, fault: Fault) -> float:
    whole = shape.type_name in {"integer", "long"}
    # Not isfinite: it raises for a whole number that no float can hold.
    finite = isinstance(value, int | float) and abs(value) <= sys.float_info.max
    if not finite or isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        fault(path, Note("input.whole_number" if whole else "input.number", found=kind_of(value)))
        return 0
    least, most = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
    if not least <= value <= most:
        fault(path, Note("input.range", least=str(least), most=str(most), value=str(value)))
    return value


def _date(value: object, path: str, now: datetime, fault: Fault) -> float:
    date = _parsed_date(value, now)
    if date is None or not EARLIEST <= date <= LATEST:
        fault(path, Note("input.date", first=f"{EARLIEST:%Y}", last=f"{LATEST:%Y}", found=kind_of(value)))
        return 0
    return date.timestamp()


def _parsed_date(value: object, now: datetime) -> datetime | None:
    match value:
        case bool():
            return None
        case int() | float():
            # A number past the latest date is in milliseconds; fromtimestamp would raise for it.
            return datetime.fromtimestamp(value, UTC) if 0 <= value <= LATEST.timestamp() else None
        case "now":
            return now
        case str():
            if ago := AGO.fullmatch(value):
                return now - _span(ago)
            try:
                date = datetime.fromisoformat(value)
            except ValueError:
                return None
            return date if date.tzinfo else None
    return None


def _last(value: str, path: str, now: datetime, fault: Fault) -> dict[str, Any]:
    if (last := LAST.fullmatch(value)) and now - _span(last) >= EARLIEST:
        return {"startInclusive": (now - _span(last)).timestamp(), "endInclusive": now.timestamp()}
    fault(path, Note("input.date_filter", found=kind_of(value)))
    return {}


def _span(match: re.Match[str]) -> timedelta:
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _known_values(filters: object, known: list[str], path: str, fault: Fault) -> None:
    for index, each in enumerate(filters if isinstance(filters, list) else []):
        value = each.get("value")
        # A prefix passes whatever it is: so a value can be asked for that is newer than the layer.
        if each.get("comparison") != "PREFIX" and isinstance(value, str) and value and value not in known:
            fault(f"{path}[{index}].value", _not_one_of(value, known))


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            is_long = isinstance(value, int) and abs(value) >= LONG_NUMBER
            return Note("kind.long_number") if is_long else Note("kind.number", number=str(value))
        case str():
            return Note("kind.quoted", text=_short(value))
        case list():
            return Note("kind.list")
        case _:
            return Note("kind.object")


def _short(value: str) -> str:
    return value if len(value) <= 40 else f"{value[:40]}…"  # noqa: PLR2004 - enough to recognise it by


def _some(names: list[str]) -> list[str]:
    return names if len(names) <= NAMES_SHOWN else [*names[:NAMES_SHOWN], "…"]


def _not_one_of(value: str, known: list[str]) -> Note:
    return Note("input.one_of", choices=_some(known), found=kind_of(value), suggestion=suggestion(value, known))
