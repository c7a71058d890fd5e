"""An entry of a headline's lists as mail and chat show it: what to fix where, then whose it is, until when and how urgent.

::

    CRITICAL openssl 3.0.1 → 3.0.7 on shop/api, i-0abc1234def567890 (+2)
    CVE-2026-21001; owner: payments; overdue since 3 Nov; exploit available

Each is one line of a screen: names are cut before versions, and what is urgent is shortened before it is left out. The
vulnerability's id is never cut.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Self

from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.text import cut_to_line, width
from findings_exporter.notification.entries import Entry
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.view import MessageView, day

NAME_COLUMNS, LEAST_COLUMNS = 12, 6
"""Of a name before another one is cut for it, and at least."""
IMAGE = "AWS_ECR_CONTAINER_IMAGE"
KINDS_OF_RESOURCE = {IMAGE: "image", "AWS_EC2_INSTANCE": "instance", "AWS_LAMBDA_FUNCTION": "function"}
"""What people call resources, by Inspector's type; others are resources."""
GROUPED = re.compile(r"[\w.-]+:[\w.-]+", re.ASCII)
NO_VERSION = {"", "NotAvailable"}
"""What Inspector writes where there is no version [AWS: VulnerablePackage]."""


@dataclass(frozen=True, slots=True)
class EntryLines:
    """Writes entries for the reader of a message.

    Attributes
    ----------
    today
        The day that due dates are compared with.
    owner
        Whose message it is, so that it need not be repeated; None where entries say it.
    some_unknown
        Whether the due date of some findings is unknown; without them an entry that has none needs none.
    """

    localization: Localization
    today: date
    owner: str | None
    some_unknown: bool

    @classmethod
    def of(cls, view: MessageView, localization: Localization) -> Self:
        """Return what writes the entries of a run."""
        return cls(localization, view.today, view.owner, view.due_unknown > 0)

    def lines(self, entry: Entry, most: int | None = None, *, is_open: bool = True) -> list[str]:
        """Return an entry in two lines, or one where the second would be empty.

        Parameters
        ----------
        most
            The columns that a line has; without it nothing is cut.
        is_open
            Whether it still has to be fixed, so that its due date matters.
        """
        lines = [self._where_line(entry, most), self._facts_line(entry, most, is_open=is_open)]
        return [line for line in lines if line]

    def details(self, entry: Entry, *, is_open: bool = True) -> list[str]:
        """Return what is said under an entry: its packages, and where it is."""
        say, listed = self.localization.say, self.localization.listed
        packages = [each for each in entry["packages"] if each["name"]]
        upgrades = [_upgrade(each, str(each["name"])) for each in packages]
        lines = [] if len(_versions(packages)) <= 1 else [say("of_finding.packages", packages=listed(upgrades))]
        resources = entry["resources"]
        places = {tuple(each[name] for name in ("account_id", "region", "owner", "due_on")) for each in resources}
        if len(places) > 1:
            return [*lines, *(self._resource(each, is_open=is_open) for each in resources)]
        return [*lines, *self._place(entry)]

    def due(self, dated: Mapping[str, Any]) -> str:
        """Return until when an entry, or what is on a resource, is to be fixed; empty where that is not limited."""
        until, say = day(dated.get("due_on")), self.localization.say
        if until is None:
            # A due date is unknown where the first day is: its severity may also have none.
            return say("due.of_unknown") if self.some_unknown and day(dated.get("first_seen")) is None else ""
        if until == self.today:
            return say("due.today")
        return say("due.since" if until < self.today else "due.on", day=self.localization.day(until, self.today))

    def _resource(self, resource: Mapping[str, Any], *, is_open: bool) -> str:
        say = self.localization.say
        where = [say("account_id", account=resource["account_id"])] if resource["account_id"] else []
        where += [resource["region"]] if resource["region"] else []
        owners = [self._owner_name(str(resource["owner"]))] if resource["owner"] and self.owner is None else []
        due = self.due(resource) if is_open else ""
        facts = [self.localization.listed(where), self._owned(owners), due]
        return say("of_resource", name=resource["name"] or "?", facts=say("facts").join(filter(None, facts)))

    def _place(self, entry: Entry) -> list[str]:
        say = self.localization.say
        resource = entry["resources"][0] if entry["resources"] else {}
        several = say("of_finding.several") if (entry["resource_count"] or 1) > 1 else "?"
        account, region = (entry.get(name) or resource.get(name) for name in ("account_id", "region"))
        first_seen = day(entry.get("first_seen"))
        if not account and not region and "first_seen" not in entry:
            return []
        place = say("of_finding.place", account=account or several, region=region or several)
        if "first_seen" not in entry:
            return [place]
        seen = (
            say("of_finding.first_seen", day=self.localization.day(first_seen)) if first_seen else say("of_finding.no_first_seen")
        )
        return [say("facts").join([place, seen])]

    # What to fix, and where.

    def _where_line(self, entry: Entry, most: int | None) -> str:
        severity = self.localization.severity(str(entry.get("severity"))).upper()
        places = _places(entry)

        def line(what: str, shown: int, name: int | None = None) -> str:
            where = self._where(entry, places, shown, name)
            return self.localization.say("entry" if where else "entry.nowhere", severity=severity, what=what, where=where)

        for what in _whats(entry, self.localization):
            for shown in range(max(len(places), 1), 0, -1):
                over = 0 if most is None else width(line(what, shown)) - most
                if over <= 0:
                    return line(what, shown)
                if places and width(places[shown - 1].name) - over >= NAME_COLUMNS:
                    return line(what, shown, width(places[shown - 1].name) - over)
        return self._shortest(entry, line, most or 0)

    def _shortest(self, entry: Entry, line: Callable[[str, int, int | None], str], most: int) -> str:
        *_, shortest = _whats(entry, self.localization)
        name = _short_name(entry)
        left = width(name) - (width(line(shortest, 1, NAME_COLUMNS)) - most)
        if left >= LEAST_COLUMNS and name != shortest:
            return line(shortest.replace(name, cut_to_line(name, left), 1), 1, NAME_COLUMNS)
        left = width(shortest) - (width(line(shortest, 1, NAME_COLUMNS)) - most)
        return cut_to_line(line(cut_to_line(shortest, max(left, LEAST_COLUMNS)), 1, NAME_COLUMNS), most)

    def _where(self, entry: Entry, places: Sequence["_Place"], shown: int, name: int | None) -> str:
        count, at_least = entry["resource_count"] or 0, bool(entry["resource_count_at_least"])
        if not places:
            return self.localization.counted("resource", count) if count else ""
        *whole, last = places[:shown]
        named = self.localization.listed([*(self._named(each, None) for each in whole), self._named(last, name)])
        if more := max(count - sum(each.resources for each in places[:shown]), 0):
            how = "where.more_at_least" if at_least else "where.more"
            return self.localization.say(how, places=named, more=self.localization.number(more))
        return self.localization.say("where.maybe_more", places=named) if at_least else named

    def _named(self, place: "_Place", most: int | None) -> str:
        name = place.name if most is None else cut_to_line(place.name, most)
        if place.resources == 1:
            return name
        kind = KINDS_OF_RESOURCE.get(place.resource_type, "resource")
        return self.localization.say("where.same_name", count=self.localization.counted(kind, place.resources), name=name)

    # Whose it is, until when, how urgent.

    def _facts_line(self, entry: Entry, most: int | None, *, is_open: bool) -> str:
        known_as = str(entry.get("vulnerability_id") or "")
        due = self.due(entry) if is_open else ""
        owners, are_all = self._owners_of(entry)
        marks = self._marks(entry)
        whose = [self._owned(owners, are_all=are_all)]
        if owners:
            only, cut = are_all and len(owners) == 1, cut_to_line(owners[0], NAME_COLUMNS)
            whose += [self._owned(owners[:1], are_all=only), self._owned([cut], are_all=only or cut != owners[0])]
        # Of what is urgent more is said before a second owner is, and an owner before nothing of it.
        tries = [[known_as, each, due, *urgent] for each in whose for urgent in marks]
        tries += [[known_as, each, due] for each in whose]
        tries += [[known_as, due], [known_as]]
        lines = [self.localization.say("facts").join(filter(None, each)) for each in tries]
        return next((line for line in lines if most is None or width(line) <= most), known_as)

    def _owners_of(self, entry: Entry) -> tuple[list[str], bool]:
        """Return the owners of an entry, and whether they are all: only a few of its resources are named."""
        if self.owner is not None:
            return [], True
        if entry.get("owner"):
            return [self._owner_name(str(entry["owner"]))], True
        owners = dict.fromkeys(self._owner_name(str(each["owner"])) for each in entry["resources"] if each["owner"])
        return list(owners), (entry["resource_count"] or 0) <= len(entry["resources"])

    def _owned(self, owners: Sequence[str], *, are_all: bool = True) -> str:
        named = self.localization.listed(owners if are_all else [*owners, "…"])
        return self.localization.say("owned", owners=named) if owners else ""

    def _owner_name(self, owner: str) -> str:
        """Return what an owner is called."""
        return self.localization.say("owned.none") if owner == UNOWNED else owner

    def _marks(self, entry: Entry) -> list[list[str]]:
        """Return what is said of exploit, what runs, and fix: the longest first."""
        say = self.localization.say
        long, short, shortest = self._exploit(entry)
        runs = entry.get("runtime_reachability") == "REACHABLE"
        fix, findings = self._fix(entry), []
        if (count := entry.get("findings") or 1) > (entry["resource_count"] or 1):
            findings = [self.localization.counted("found", count)]
        return [
            [*long, *([say("reachable.long")] if runs else []), *fix, *findings],
            [*long, *([say("reachable.short")] if runs else []), *fix],
            [*short, *([say("reachable.short")] if runs else []), *fix],
            [*short, *fix],
            short,
            shortest,
        ]

    def _exploit(self, entry: Entry) -> tuple[list[str], list[str], list[str]]:
        """Return what is said of an exploit, in three lengths."""
        say = self.localization.say
        if entry.get("in_kev") is True:
            until = day(entry.get("kev_due_on"))
            shortest = [say("kev.short")]
            if until is None:
                return [say("kev.long")], shortest, shortest
            when = self.localization.day(until, self.today)
            return [say("kev.long_on", day=when)], [say("kev.short_on", day=when)], shortest
        # A value that is newer than this code is not taken for one that is known.
        if entry.get("exploit_available") is True or entry.get("exploit_available") == "YES":
            return [say("exploit.long")], [say("exploit.short")], [say("exploit.short")]
        return [], [], []

    def _fix(self, entry: Entry) -> list[str]:
        known = any(_version(each["fixed_version"]) for each in entry["packages"])
        match entry.get("fix_available"):
            case "NO":
                return [self.localization.say("fix.none")]
            case "PARTIAL":
                return [self.localization.say("fix.part")]
            case "YES" if not known:
                return [self.localization.say("fix.some")]
        return []


class _Place(NamedTuple):
    """Resources of one name."""

    name: str
    resources: int
    resource_type: str


def _places(entry: Entry) -> list[_Place]:
    found: dict[str, _Place] = {}
    for each in entry["resources"]:
        name, kind = str(each["name"] or "?"), str(each["resource_type"] or entry.get("resource_type") or "")
        found[name] = _Place(name, found[name].resources + 1 if name in found else 1, kind)
    if not found and entry.get("resource"):
        found[entry["resource"]] = _Place(str(entry["resource"]), 1, "")
    return list(found.values())


def _whats(entry: Entry, localization: Localization) -> Iterator[str]:
    """Return what is to be fixed: packages with their versions; at last one of them, without the group of its name."""
    packages = [each for each in entry["packages"] if each["name"]]
    if not packages:
        yield _title(entry)
        return
    first, names = packages[0], localization.listed(str(each["name"]) for each in packages)
    if len(_versions(packages)) == 1:
        yield _upgrade(first, names)
    if len(packages) > 1:
        more = localization.number(len(packages) - 1)
        yield localization.say("where.more", places=_upgrade(first, str(first["name"])), more=more)
    yield _upgrade(first, str(first["name"]))
    yield _upgrade(first, _short_name(entry))


def _upgrade(package: Mapping[str, Any], name: str) -> str:
    installed, fixed = (_version(package[field]) for field in ("installed_version", "fixed_version"))
    return f"{name} {installed}".rstrip() + (f" → {fixed}" if fixed else "")


def _versions(packages: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(_version(each["installed_version"]), _version(each["fixed_version"])) for each in packages}


def _version(version: Any) -> str:  # noqa: ANN401 - any JSON
    return "" if version is None or version in NO_VERSION else str(version)


def _short_name(entry: Entry) -> str:
    """Return the first package without the group that Maven puts before its name."""
    name = next((str(each["name"]) for each in entry["packages"] if each["name"]), None) or _title(entry)
    return name.rpartition(":")[2] if GROUPED.fullmatch(name) else name


def _title(entry: Entry) -> str:
    """Return what a finding is called: Inspector's titles are mostly "<id> - <packages>", and the id stands elsewhere."""
    known_as, title = entry.get("vulnerability_id"), str(entry.get("title") or "")
    return (title.removeprefix(f"{known_as} - ") if known_as else title) or str(known_as or "?")
