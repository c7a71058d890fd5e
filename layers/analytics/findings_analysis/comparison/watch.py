"""What else is asked of open findings in the walk through a run's fingerprints, with the first-seen days that survived."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import BinaryIO

from findings_analysis.comparison.due import DueDates, DueFindings
from findings_analysis.comparison.fingerprints import EXACT, FIRST_SEEN, MARKS, NO_OWNER, OWNER
from findings_analysis.comparison.identity import ON_RESOURCE, VULNERABILITY

RESOURCES_LISTED = 5
"""So many resources of a vulnerability are named."""


@dataclass(slots=True)
class OpenVulnerability:
    """On which resources a vulnerability is open.

    Attributes
    ----------
    resources
        How many.
    due_on
        The earliest due day of its findings; None where none is known.
    """

    resources: int = 0
    due_on: int | None = None
    _worst: list[tuple[int, bytes, bytes, bytes]] = field(default_factory=list)

    def add(self, fingerprint: bytes, due_on: int | None) -> None:
        """Take the worst finding on one more resource."""
        self.resources += 1
        if due_on is not None and (self.due_on is None or due_on < self.due_on):
            self.due_on = due_on
        entry = (-(fingerprint[MARKS] >> 2), fingerprint[FIRST_SEEN], fingerprint[EXACT], fingerprint)
        if len(self._worst) < RESOURCES_LISTED or entry < self._worst[-1]:
            self._worst.append(entry)
            self._worst.sort()
            del self._worst[RESOURCES_LISTED:]

    @property
    def worst(self) -> list[bytes]:
        """A finding of each resource that is named: the worst first, then the longest open."""
        return [fingerprint for *_, fingerprint in self._worst]


@dataclass(frozen=True, slots=True)
class Watched:
    """What is to be found out.

    Attributes
    ----------
    vulnerabilities
        Hashes of vulnerabilities whose resources are counted, by the owner's bytes in the fingerprints;
        :data:`~findings_analysis.comparison.fingerprints.NO_OWNER` stands for the whole report.
    findings
        ARN hashes of findings whose fingerprints are wanted.
    due_dates
        None where findings have none.
    due_rows
        An empty file, for the due dates of all open findings: blocks of their number (4 bytes), their ARN hashes (8 each),
        first-seen days (2) and due days (4, 0 for none that is known).
    """

    vulnerabilities: Mapping[bytes, AbstractSet[bytes]] = field(default_factory=dict)
    findings: AbstractSet[bytes] = frozenset()
    due_dates: DueDates | None = None
    due_rows: BinaryIO | None = None


class OpenFindings:
    """Finds it out.

    Attributes
    ----------
    findings
        Fingerprints by ARN hash.
    due
        None where findings have no due dates.
    """

    def __init__(self, watched: Watched) -> None:
        self._findings, self._of_owners = watched.findings, watched.vulnerabilities
        self._any = frozenset().union(*watched.vulnerabilities.values())
        self._vulnerabilities: dict[bytes, dict[bytes, OpenVulnerability]] = {}
        """By owner and vulnerability."""
        self.findings: dict[bytes, bytes] = {}
        self.due = DueFindings(watched.due_dates) if watched.due_dates else None
        self._due_rows = watched.due_rows
        if self._due_rows:
            self._due_rows.seek(0)
            self._due_rows.truncate()

    def add(self, fingerprints: list[bytes]) -> None:
        """Take open findings; those of one vulnerability on one resource come together."""
        if self._findings:
            self.findings |= {each[EXACT]: each for each in fingerprints if each[EXACT] in self._findings}
        if self._any:
            self._add_vulnerabilities([each for each in fingerprints if each[VULNERABILITY] in self._any])
        if self.due:
            self.due.add(fingerprints)
            if self._due_rows and fingerprints:
                columns = b"".join([each[EXACT] for each in fingerprints]), b"".join([each[FIRST_SEEN] for each in fingerprints])
                self._due_rows.write(len(fingerprints).to_bytes(4) + b"".join(columns) + self.due.due_days(fingerprints))

    def _add_vulnerabilities(self, fingerprints: list[bytes]) -> None:
        worst: dict[tuple[bytes, bytes], bytes] = {}
        due: dict[tuple[bytes, bytes], int] = {}
        for each in fingerprints:
            due_on = self.due.dates.due_on(each) if self.due else None
            for owner in {NO_OWNER, each[OWNER]}:
                if each[VULNERABILITY] in self._of_owners.get(owner, ()):
                    key = (owner, each[ON_RESOURCE])
                    if key not in worst or _badness(each) < _badness(worst[key]):
                        worst[key] = each
                    if due_on is not None:
                        due[key] = min(due.get(key, due_on), due_on)
        for (owner, on_resource), each in worst.items():
            of_owner = self._vulnerabilities.setdefault(owner, {})
            of_owner.setdefault(on_resource[VULNERABILITY], OpenVulnerability()).add(each, due.get((owner, on_resource)))

    def of(self, owner: bytes = NO_OWNER) -> Mapping[bytes, OpenVulnerability]:
        """Return the watched vulnerabilities of an owner, or of the whole report, by their hashes."""
        return self._vulnerabilities.get(owner, {})


def _badness(fingerprint: bytes) -> tuple[int, bytes, bytes]:
    return -(fingerprint[MARKS] >> 2), fingerprint[FIRST_SEEN], fingerprint[EXACT]
