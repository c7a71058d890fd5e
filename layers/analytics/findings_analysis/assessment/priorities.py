"""What to fix first, of the whole report and of each owner: a short list of vulnerabilities, and the worst open findings.

A vulnerability (its id, or the title where there is none) has the score of its worst open finding
(:mod:`findings_analysis.assessment.scores`), and up to 10 points for the number of resources that it is open on. Equal scores are
ordered by the number of resources, then by name. The same findings in any order give the same lists.

Held in memory are names, scores and ARN hashes only: what people see of a finding is looked up when the lists are complete.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, Self

from findings_analysis.assessment.scores import LEAST_SCORE, MAX_RESOURCE_SCORE, resource_score, scored
from findings_analysis.comparison.identity import vulnerability_hash
from findings_analysis.comparison.watch import OpenVulnerability
from findings_analysis.reading.errors import TooLargeError, TooManyOwnersError
from findings_analysis.reading.schema import OWNER_COLUMN, Batch

RANKS_LISTED = 10
FIRST_ROOM = 200
"""With more candidates than this, those that cannot come into the list are dropped for the first time."""
MOST_KEPT = 1_000_000
"""Vulnerabilities that are held in memory, those of all owners together: some 210 bytes each."""
WORST_LISTED = 2_000
"""Open findings that the page of a run lists."""
WORST_OF_OWNERS = 20_000
"""Open findings that the pages of all owners list together."""
MOST_OWNERS = 1_000
"""A tag may have any number of values; of each owner numbers and what to fix first are held in memory, up to 300 kB."""
MOST_OWNERS_LISTED = 200
"""Owners with a page of their own."""


class Ranked(NamedTuple):
    """A vulnerability in the list.

    Attributes
    ----------
    name
        Its id, or the title where there is none.
    resources
        On how many it is open.
    worst
        ARN hash of its worst open finding.
    """

    rank: int
    score: int
    name: str
    resources: int
    worst: bytes


class Ranking:
    """What can come into the lists of one owner, or of the whole report."""

    def __init__(self, listed: int = RANKS_LISTED, worst_listed: int = WORST_LISTED) -> None:
        self._listed, self._worst_listed = listed, worst_listed
        self._candidates: dict[str, tuple[int, bytes]] = {}
        """The negative score and the ARN hash of each vulnerability's worst finding."""
        self._least_candidate = LEAST_SCORE
        """A vulnerability of a lower score cannot come into the list."""
        self._room = FIRST_ROOM
        """With more candidates than this they are dropped again."""
        self._worst: list[tuple[int, bytes]] = []
        self._last_worst: tuple[int, bytes] | None = None
        """Of a full list of findings: only what comes before it can come in."""

    def __len__(self) -> int:
        return len(self._candidates)

    @property
    def least(self) -> int:
        """A finding of a lower score comes into neither list."""
        return min(self._least_candidate, -self._last_worst[0]) if self._last_worst else LEAST_SCORE

    def add(self, name: str, score: int, arn_hash: bytes) -> None:
        """Take an open finding."""
        entry = (-score, arn_hash)
        if score >= self._least_candidate:
            known = self._candidates.get(name)
            if known is None or entry < known:
                self._candidates[name] = entry
        if self._last_worst is None or entry < self._last_worst:
            self._worst.append(entry)

    def make_room(self) -> None:
        """Drop what cannot come into the lists any more, where it has become much."""
        if len(self._candidates) > self._room:
            self.drop()
        if len(self._worst) > 2 * self._worst_listed:
            self.list_fewer(self._worst_listed)

    def drop(self) -> None:
        """Drop vulnerabilities that cannot come into the list any more."""
        self._least_candidate = self._least_score()
        self._candidates = {name: each for name, each in self._candidates.items() if -each[0] >= self._least_candidate}
        self._room = max(FIRST_ROOM, 2 * len(self._candidates))

    def list_fewer(self, worst_listed: int) -> None:
        """List no more open findings than so many."""
        self._worst_listed = worst_listed
        self._worst = sorted(self._worst)[:worst_listed]
        self._last_worst = self._worst[-1] if len(self._worst) == worst_listed else None

    def merge(self, other: "Ranking") -> None:
        """Take those of other findings."""
        self.take_stored(other.to_stored())
        self.make_room()

    def vulnerabilities(self) -> frozenset[bytes]:
        """Return the hashes of the vulnerabilities that can come into the list: whose resources are to be counted."""
        least = self._least_score()
        return frozenset(vulnerability_hash(name) for name, (score, _) in self._candidates.items() if -score >= least)

    def worst(self) -> list[tuple[int, bytes]]:
        """Return scores and ARN hashes of the worst open findings, in order."""
        self.list_fewer(self._worst_listed)
        return [(-score, arn_hash) for score, arn_hash in self._worst]

    def ranked(self, open_on: Mapping[bytes, OpenVulnerability]) -> list[Ranked]:
        """Return the list.

        Parameters
        ----------
        open_on
            On which resources each vulnerability is open, by its hash.
        """
        least = self._least_score()
        ranked = []
        for name, (score, arn_hash) in self._candidates.items():
            if -score >= least:
                found = open_on.get(vulnerability_hash(name))
                count = found.resources if found else 1
                ranked.append((score - resource_score(count), -count, name, arn_hash))
        ranked.sort()
        return [
            Ranked(rank, -score, name, -count, arn_hash)
            for rank, (score, count, name, arn_hash) in enumerate(ranked[: self._listed], 1)
        ]

    def to_stored(self) -> dict[str, Any]:
        """Return it, so that JSON can hold it."""
        return {
            "candidates": [(name, score, arn_hash.hex()) for name, (score, arn_hash) in self._candidates.items()],
            "worst": [(score, arn_hash.hex()) for score, arn_hash in self._worst],
        }

    def take_stored(self, stored: Mapping[str, Any]) -> None:
        """Take what :meth:`to_stored` returned, of other findings."""
        for name, score, arn_hash in stored["candidates"]:
            entry = (score, bytes.fromhex(arn_hash))
            self._candidates[name] = min(self._candidates.get(name, entry), entry)
        self._worst += [(score, bytes.fromhex(arn_hash)) for score, arn_hash in stored["worst"]]

    def _least_score(self) -> int:
        """Return the score below which a vulnerability cannot come into the list, whatever the number of its resources."""
        best = sorted(self._candidates.values())[: self._listed]
        return -best[-1][0] - MAX_RESOURCE_SCORE if len(best) == self._listed else LEAST_SCORE


class Priorities:
    """The ranking of the report, and those of its owners."""

    def __init__(self, listed: int = RANKS_LISTED, most_kept: int = MOST_KEPT) -> None:
        self._listed, self._most_kept = listed, most_kept
        self.report = Ranking(listed)
        self.owners: dict[str, Ranking] = {}

    def add(self, batch: Batch, arn_hashes: Sequence[bytes]) -> None:
        """Take the open findings of a batch.

        Raises
        ------
        TooLargeError
            Memory cannot hold those that could come into the lists.
        TooManyOwnersError
            They have more owners than memory holds.
        """
        owners, least = batch[OWNER_COLUMN.name], self.report.least
        # In their order, not that of a set: two processes that analyze one part leave the same bytes.
        leasts = {owner: least if owner is None else min(self._of(owner).least, least) for owner in dict.fromkeys(owners)}
        asked: Iterator[int] = repeat(least) if set(leasts) == {None} else map(leasts.__getitem__, owners)
        ids, titles = batch["vulnerability_id"], batch["title"]
        for row, score in scored(batch, asked):
            name, arn_hash = ids[row] or titles[row] or "", arn_hashes[row]
            if score >= least:  # most that come into an owner's lists do not come into the report's
                self.report.add(name, score, arn_hash)
            if (owner := owners[row]) is not None:
                self.owners[owner].add(name, score, arn_hash)
        self._make_room(leasts)

    def _of(self, owner: str) -> Ranking:
        if owner not in self.owners:
            before = self.worst_of_an_owner
            self.owners[owner] = Ranking(self._listed, before)
            if len(self.owners) > MOST_OWNERS:
                raise TooManyOwnersError(f"its findings have more than {MOST_OWNERS:,} owners")
            if (now := self.worst_of_an_owner) < before:
                for each in self.owners.values():
                    each.list_fewer(now)
        return self.owners[owner]

    @property
    def worst_of_an_owner(self) -> int:
        """How many open findings the page of an owner lists."""
        return min(WORST_LISTED, WORST_OF_OWNERS // min(max(len(self.owners), 1), MOST_OWNERS_LISTED))

    def _make_room(self, owners: Iterable[str | None]) -> None:
        self.report.make_room()
        for owner in owners:
            if owner is not None:
                self.owners[owner].make_room()
        if self._kept() > self._most_kept:
            for each in (self.report, *self.owners.values()):
                each.drop()
        if self._kept() > self._most_kept:
            raise TooLargeError(f"more than {self._most_kept:,} vulnerabilities could be what to fix first")

    def _kept(self) -> int:
        return len(self.report) + sum(map(len, self.owners.values()))

    def merge(self, other: "Priorities") -> None:
        """Take the candidates of other findings."""
        self.report.merge(other.report)
        for owner, ranking in other.owners.items():
            self._of(owner).merge(ranking)
        self._make_room(other.owners)

    def to_stored(self) -> dict[str, Any]:
        """Return the candidates, so that JSON can hold them; :meth:`from_stored` reads them."""
        return {"report": self.report.to_stored(), "owners": {owner: each.to_stored() for owner, each in self.owners.items()}}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_stored` returned."""
        made = cls()
        made.report.take_stored(stored["report"])
        for owner, each in stored["owners"].items():
            made._of(owner).take_stored(each)
        return made
