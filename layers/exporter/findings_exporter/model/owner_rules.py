"""Who fixes a finding: its owner, by the rules of ``<prefix>/config/owners.json``, then by a tag of the resource.

The file is a list of rules. The first rule that matches names the owner. All conditions of a rule must hold; the values of one
condition are alternatives, in which ``*`` stands for any text. Its JSON Schema is docs/owners.schema.json.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import NamedTuple, Self

from findings_exporter.model import strict_json
from findings_exporter.model.errors import ConfigFileError
from findings_exporter.model.filter_criteria import kind_of, suggestion
from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.notes import Note

UNOWNED = "unowned"
"""The owner of what neither a rule nor the tag names an owner of."""
MOST_RULES, MOST_VALUES, MOST_VALUE_CHARACTERS, MOST_FILE_BYTES = 500, 1_000, 512, 1 << 20
MOST_FAULTS = 20
"""Faults of a file that are named."""
OWNER_CHARACTERS, HASH_CHARACTERS = 54, 8
TEXT_CONDITIONS = ("accounts", "regions", "resource_types", "repositories", "resources")
CONDITIONS = (*TEXT_CONDITIONS, "tags")
MOST_REMEMBERED = 10_000
"""Places, and resources that are alike for the rules; beyond it everything is forgotten."""
ONE_ASTERISK = 2
"""Parts around it."""
_NOT_IN_OWNER = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)
_OWNER_OF_TAG = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{OWNER_CHARACTERS - 1}}}\.[0-9a-f]{{{HASH_CHARACTERS}}}", re.ASCII)


class OwnerRulesError(ConfigFileError):
    """The file of the owners cannot be used."""


class Resource(NamedTuple):
    """What rules ask of a resource; None where it is not known.

    Attributes
    ----------
    names
        Its id and its name.
    """

    account: str | None
    region: str | None
    resource_type: str | None
    repository: str | None
    names: tuple[str | None, ...]
    tags: Mapping[str, str]


class Texts:
    """The values of one condition."""

    __slots__ = ("_exact", "_patterns", "_prefixes", "_suffixes")

    def __init__(self, values: Iterable[str]) -> None:
        cut = {value: value.split("*") for value in values}
        self._exact = frozenset(value for value, parts in cut.items() if len(parts) == 1)
        # Most patterns have one asterisk, at an end: there may be hundreds, and each resource is held against all.
        self._prefixes = tuple(parts[0] for parts in cut.values() if len(parts) == ONE_ASTERISK and not parts[1])
        self._suffixes = tuple(parts[1] for parts in cut.values() if len(parts) == ONE_ASTERISK and parts[1] and not parts[0])
        self._patterns = [
            parts for parts in cut.values() if len(parts) > ONE_ASTERISK or (len(parts) == ONE_ASTERISK and all(parts))
        ]

    def match(self, text: str | None) -> bool:
        """Tell whether one of the values matches; in time linear in both lengths, whatever the number of asterisks."""
        return text is not None and (
            text in self._exact
            or text.startswith(self._prefixes)
            or text.endswith(self._suffixes)
            or (bool(self._patterns) and any(_matches(parts, text) for parts in self._patterns))
        )


def _matches(parts: Sequence[str], text: str) -> bool:
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        position = text.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; a condition that is not there is None, and holds.

    Attributes
    ----------
    tags
        Keys, each with its values: one of the tags must match.
    """

    owner: str
    accounts: Texts | None = None
    regions: Texts | None = None
    resource_types: Texts | None = None
    repositories: Texts | None = None
    resources: Texts | None = None
    tags: Sequence[tuple[str, Texts]] | None = None

    def may_match(self, account: str | None, region: str | None, resource_type: str | None) -> bool:
        """Tell whether a resource of a place and a type can match."""
        asked = ((self.accounts, account), (self.regions, region), (self.resource_types, resource_type))
        return all(values is None or values.match(text) for values, text in asked)

    def matches(self, resource: Resource) -> bool:
        """Tell whether a resource for which :meth:`may_match` holds matches."""
        return (
            (self.repositories is None or self.repositories.match(resource.repository))
            and (self.resources is None or any(map(self.resources.match, resource.names)))
            and (self.tags is None or any(values.match(resource.tags.get(key)) for key, values in self.tags))
        )


class _Candidates:
    """The rules that can match in some places, and what they ask of a resource: alike ones are held against them once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_repository = any(rule.repositories is not None for rule in rules)
        self._by_name = any(rule.resources is not None for rule in rules)
        self._by_tags = any(rule.tags is not None for rule in rules)
        self._known: dict[tuple[object, ...], str | None] = {}

    def owner_of(self, resource: Resource) -> str | None:
        """Return the owner that the first rule names; None where none matches."""
        alike = (
            self._by_repository and resource.repository,
            self._by_name and resource.names,
            self._by_tags and frozenset(resource.tags.items()),
        )
        if alike not in self._known:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[alike] = next((rule.owner for rule in self._rules if rule.matches(resource)), None)
        return self._known[alike]


@dataclass(frozen=True, slots=True)
class OwnerRules:
    """The rules in their order, and the tag that names the owner of what no rule matches.

    Attributes
    ----------
    tag
        Its key; empty where no tag names owners.
    """

    rules: Sequence[Rule] = ()
    tag: str = ""
    _by_place: dict[tuple[str | None, str | None, str | None], _Candidates] = field(default_factory=dict)
    _candidates: dict[tuple[int, ...], _Candidates] = field(default_factory=dict)
    """By the rules' places in the file: most accounts have the same."""

    @classmethod
    def parse(cls, content: bytes, tag: str = "") -> Self:
        """Read the file.

        Raises
        ------
        OwnerRulesError
            It is wrong; each fault is named with its place.
        """
        if len(content) > MOST_FILE_BYTES:
            raise OwnerRulesError([Note("owners.too_long", count=len(content), most=MOST_FILE_BYTES)])
        try:
            listed = strict_json.loads(content)
        except (ValueError, RecursionError) as error:
            raise OwnerRulesError([Note("owners.no_json", why=str(error))]) from None
        faults: list[str] = []
        rules = _rules(listed, faults)
        if faults:
            raise OwnerRulesError(faults[:MOST_FAULTS])
        return cls(rules, tag)

    @property
    def names(self) -> frozenset[str]:
        """The owners that the rules name."""
        return frozenset(rule.owner for rule in self.rules)

    @property
    def need_tags(self) -> bool:
        """Whether an owner can depend on tags."""
        return bool(self.tag) or any(rule.tags is not None for rule in self.rules)

    def owner_of(self, resource: Resource) -> str:
        """Return a resource's owner."""
        candidates = self._by_place.get(resource[:3]) or self._candidates_of(resource[:3])
        owner = candidates.owner_of(resource)
        if owner is not None:
            return owner
        return owner_of_tag(resource.tags.get(self.tag, "")) if self.tag else UNOWNED

    def _candidates_of(self, place: tuple[str | None, str | None, str | None]) -> _Candidates:
        numbers = tuple(number for number, rule in enumerate(self.rules) if rule.may_match(*place))
        if numbers not in self._candidates:
            self._candidates[numbers] = _Candidates([self.rules[number] for number in numbers])
        if len(self._by_place) >= MOST_REMEMBERED:
            self._by_place.clear()
        self._by_place[place] = self._candidates[numbers]
        return self._by_place[place]


def owner_of_tag(value: str) -> str:
    """Return the owner that a tag's value names.

    A value that is no name becomes one: what cannot stand in it becomes a hyphen, and a hash follows a dot, so that two values
    never become one owner. The name of a rule's owner has no dot.
    """
    if not value.strip():
        return UNOWNED
    if REPORT_NAME.fullmatch(value):
        return value
    name = _NOT_IN_OWNER.sub("-", value).strip("-_")[:OWNER_CHARACTERS].rstrip("-_") or "tag"
    return f"{name}.{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:HASH_CHARACTERS]}"


def is_owner(name: object) -> bool:
    """Tell whether something is an owner's name: a rule's, or one that :func:`owner_of_tag` made. It is then safe in a key."""
    return isinstance(name, str) and bool(REPORT_NAME.fullmatch(name) or _OWNER_OF_TAG.fullmatch(name))


def _rules(listed: object, faults: list[str]) -> list[Rule]:
    if not isinstance(listed, list):
        faults.append(Note("owners.list", found=kind_of(listed)))
        return []
    if len(listed) > MOST_RULES:
        faults.append(Note("owners.too_many", count=len(listed), most=MOST_RULES))
        return []
    return [rule for place, each in enumerate(listed) if (rule := _rule(each, f"[{place}]", faults))]


def _rule(each: object, path: str, faults: list[str]) -> Rule | None:
    before = len(faults)
    fault = partial(_fault, faults)
    if not isinstance(each, dict):
        fault(path, Note("owners.rule", found=kind_of(each)))
        return None
    owner = each.get("owner")
    if not isinstance(owner, str) or not REPORT_NAME.fullmatch(owner):
        fault(f"{path}.owner", Note("input.missing") if "owner" not in each else Note("owners.name", found=kind_of(owner)))
    for name in each:
        if name != "owner" and name not in CONDITIONS:
            fault(f"{path}.{name}", Note("input.unknown", suggestion=suggestion(name, ["owner", *CONDITIONS])))
    if not any(name in each for name in CONDITIONS):
        fault(path, Note("owners.no_condition", choices=list(CONDITIONS)))
    texts = {name: Texts(_texts(each[name], f"{path}.{name}", faults)) for name in TEXT_CONDITIONS if name in each}
    tags = _tags(each["tags"], f"{path}.tags", faults) if "tags" in each else None
    return Rule(str(owner), **texts, tags=tags) if len(faults) == before else None


def _texts(values: object, path: str, faults: list[str]) -> list[str]:
    if not _is_list(values, path, faults):
        return []
    assert isinstance(values, list)
    for place, value in enumerate(values):
        if not isinstance(value, str):
            _fault(faults, f"{path}[{place}]", Note("input.text", found=kind_of(value)))
        elif not 1 <= len(value) <= MOST_VALUE_CHARACTERS:
            wrong = Note("input.text_length", least="1", most=str(MOST_VALUE_CHARACTERS), count=len(value))
            _fault(faults, f"{path}[{place}]", wrong)
    return [value for value in values if isinstance(value, str)]


def _tags(values: object, path: str, faults: list[str]) -> list[tuple[str, Texts]]:
    if not _is_list(values, path, faults):
        return []
    assert isinstance(values, list)
    tags = []
    for place, each in enumerate(values):
        where = f"{path}[{place}]"
        if not isinstance(each, dict) or each.keys() != {"key", "value"}:
            _fault(faults, where, Note("owners.tag"))
            continue
        key, value = (_texts([each[name]], f"{where}.{name}", faults) for name in ("key", "value"))
        if key and value:
            tags.append((key[0], Texts(value)))
    return tags


def _is_list(values: object, path: str, faults: list[str]) -> bool:
    if not isinstance(values, list):
        _fault(faults, path, Note("input.list", found=kind_of(values)))
        return False
    if not 1 <= len(values) <= MOST_VALUES:
        _fault(faults, path, Note("input.list_length", least="1", most=str(MOST_VALUES), count=len(values)))
        return False
    return True


def _fault(faults: list[str], path: str, wrong: Note) -> None:
    faults.append(Note("owners.fault", path=path, wrong=wrong))
