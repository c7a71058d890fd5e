"""How urgent a message is: its attribute ``level``, by which the stack's own email subscription filters (``NotifyOn``)."""

from typing import Literal

from findings_exporter.model.run import Run
from findings_exporter.notification.view import MessageView, analysis_failure, view_of

type Level = Literal["PROBLEM", "CHANGES", "NONE"]

LEVELS: tuple[Level, ...] = ("PROBLEM", "CHANGES", "NONE")


def level_of(subject: Run | str) -> Level:
    """Return the level of a message about a run, or about a setup check, whose overall result is given.

    The first row that holds is the level:

    =========  ==============================================================================================
    level      the message is about (of an owner's message: its findings, and the report's scan coverage)
    =========  ==============================================================================================
    PROBLEM    a run that failed, was stopped or timed out
    PROBLEM    a report whose analysis failed
    PROBLEM    scan coverage that is lost or unknown
    PROBLEM    an unusual drop in the number of findings
    PROBLEM    a setup check that failed, or could not be made
    CHANGES    findings that are new, no longer open, rediscovered, newly overdue, or changed while they stayed open; a changed
               owner is such a change
    CHANGES    an owner's last message
    CHANGES    a report that was not compared, or not analyzed; but for a first report in which nothing was found
    NONE       no changes, or a first report in which nothing was found; scanning is active
    NONE       a setup check that passed
    =========  ==============================================================================================

    A message about anything else, or one that cannot be read, is a PROBLEM: what is not known is never filtered out.
    """
    if isinstance(subject, str):
        return "NONE" if subject == "passed" else "PROBLEM"
    view = view_of(subject)
    if subject.outcome != "SUCCEEDED" or subject.failure or analysis_failure(subject) or (view and not view.is_good):
        return "PROBLEM"
    if view and (view.has_no_changes or _is_first_and_empty(view, subject)):
        return "NONE"
    return "CHANGES"


def _is_first_and_empty(view: MessageView, run: Run) -> bool:
    return view.compared == "first_run" and run.delivery is not None and run.delivery.nothing_found is not None
