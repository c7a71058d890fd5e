"""The document of one owner: of the same form as the report's, with the owner's numbers and lists alone."""

from collections.abc import Mapping
from typing import Any

from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison.difference import CHANGES_OF_OWNER_LISTED, MOVED_AWAY
from findings_analysis.output.owned import Owned
from findings_exporter.model.taxonomy import LISTED_KINDS


def owner_document(analysis: Mapping[str, Any], owned: Owned, owner: str) -> dict[str, Any]:
    """Return an owner's document; scan coverage, baseline and sentences are the report's.

    It lacks what is not counted by owner: the most frequent names, changes by account, and the days until findings close.
    """
    numbers = owned.numbers([owner])
    statistics = owned.statistics.get(owner, Statistics(0)).to_dict()
    del statistics["top"]
    due_dates = numbers["due_dates"]
    if due_dates is not None:
        due_dates |= {"days": analysis["due_dates"]["days"], "most_overdue": owned.most_overdue(owner)}
    changes = numbers["changes"]
    if changes is not None:
        changes |= {
            "mean_days_to_close": None,
            "listed_at_most": CHANGES_OF_OWNER_LISTED,
            "lists": {kind: owned.changed(owner, kind) for kind in (*LISTED_KINDS, MOVED_AWAY)},
        }
    return {
        **analysis,
        "statistics": statistics,
        "changes": changes,
        "fix_first": owned.to_fix(owner),
        "due_dates": due_dates,
        "owners": None,
        "owners_left_out": None,
    }
