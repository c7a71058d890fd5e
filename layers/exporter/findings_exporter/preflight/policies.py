"""Judging a policy: whether it allows the calls that a report needs, and which statements to add where it does not."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.model.text import cut
from findings_exporter.preflight import policy_evaluation
from findings_exporter.preflight.check import Check, Document
from findings_exporter.preflight.policy_evaluation import Decision, Request, decide

SOURCE_KEYS, OTHER_SOURCE = ("aws:sourceaccount", "aws:sourcearn"), "another-account"
MOST_QUOTES, QUOTE_CHARACTERS = 3, 1_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy is checked for.

    Attributes
    ----------
    place
        Which policy it is.
    statements
        What must be in it; empty where it is the stack's own policy.
    needs_allow
        False where only a Deny would matter.
    """

    name: str
    place: Note
    statements: Sequence[Document]
    needs_allow: bool = True


def merged(policy: Document | None, statements: Sequence[Document]) -> dict[str, Any]:
    """Return a policy with more statements, under ids that it does not have yet; nothing is taken out."""
    whole = dict(policy or {"Version": "2012-10-17"})
    present = whole.get("Statement", [])
    found = list(present) if isinstance(present, list) else [present]
    taken = {each.get("Sid") for each in found if isinstance(each, dict)}
    for statement in statements:
        sid = statement["Sid"]
        free = next(each for each in chain([sid], (f"{sid}{number}" for number in count(2))) if each not in taken)
        found.append({**statement, "Sid": free})
    return whole | {"Statement": found}


def checked(subject: Subject, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    """Check whether a policy lets each of the requests through."""
    if isinstance(policy, Unread):
        unread = Check(subject.name, "unknown", Note("unknown.policy", place=subject.place, why=policy.why.removesuffix(".")))
        return with_statements(unread, subject, policy)
    decisions = [(request, decide(policy, request, is_allowed_elsewhere=not subject.needs_allow)) for request in requests]
    by_outcome = {outcome: pair for pair in reversed(decisions) for outcome in [pair[1].outcome]}
    refused = [request for request, decision in decisions if decision.outcome == "not allowed"]
    if "denied" in by_outcome:
        request, decision = by_outcome["denied"]
        who, named = _who(request), named_statements(decision)
        sentence = Note("failed.denied", place=subject.place, action=request.action, who=who, statements=named)
        fix = (Note("fix.deny", place=subject.place),)
        check = Check(subject.name, "failed", sentence, _quoted(policy, decision), fix)
        return with_statements(check, subject, policy) if refused else check
    if refused:
        actions = list(dict.fromkeys(request.action for request in refused))
        sentence = Note("failed.not_allowed", place=subject.place, who=_who(refused[0]), actions=actions)
        evidence = tuple(policy_evaluation.shortfalls(policy, refused[0]))
        return with_statements(Check(subject.name, "failed", sentence, evidence), subject, policy)
    if "unknown" in by_outcome:
        request, decision = by_outcome["unknown"]
        values = {"action": request.action, "who": _who(request), "statements": named_statements(decision)}
        sentence = Note("unknown.policy_statement", place=subject.place, **values)
        return with_statements(Check(subject.name, "unknown", sentence, _quoted(policy, decision)), subject, policy)
    evidence = tuple(dict.fromkeys(each for _, decision in decisions for each in decision.statements))
    return Check(subject.name, "passed", Note(f"passed.{subject.name}", place=subject.place), evidence)


def with_statements(check: Check, subject: Subject, policy: Document | Unread | None) -> Check:
    """Add the policy statements to add, and the whole policy with them, as far as that could be read."""
    if not subject.statements:
        return replace(check, fix=check.fix or (Note("fix.deploy"),))
    how = "fix.statement" if len(subject.statements) == 1 else "fix.statements"
    add = Note("fix.make_sure" if check.result == "unknown" else how, place=subject.place)
    whole = merged(None if isinstance(policy, Unread) else policy, subject.statements)
    return replace(
        check,
        fix=(*check.fix, add),
        # From the whole: two statements of a policy cannot share an id.
        statements=tuple(whole["Statement"][-len(subject.statements) :]),
        policy=None if isinstance(policy, Unread) else whole,
    )


def open_to_others(check: Check, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    """Say of a policy that it allows reports of any account, which Inspector's guide warns of."""
    if check.result != "passed" or policy is None or isinstance(policy, Unread):
        return check
    of_others = [
        replace(request, context={**request.context, **dict.fromkeys(SOURCE_KEYS, OTHER_SOURCE)}) for request in requests
    ]
    if not any(decide(policy, request).outcome == "allowed" for request in of_others):
        return check
    return replace(check, sentence=Note("passed.for_any_account", sentence=check.sentence))


def _quoted(policy: Document | None, decision: Decision) -> tuple[str, ...]:
    """Return the first statements that a decision names, as they stand."""
    found = dict(policy_evaluation.statements(policy))
    return tuple(
        Note("policy.quote", statement=label, json=cut(json.dumps(found[label]), QUOTE_CHARACTERS))
        for label in decision.statements[:MOST_QUOTES]
    )


def named_statements(decision: Decision) -> list[str]:
    """Return the labels of the first statements that decided."""
    more = len(decision.statements) - MOST_QUOTES
    return [*decision.statements[:MOST_QUOTES], *([Note("policy.more", count=more)] if more > 0 else [])]


def _who(request: Request) -> Note:
    if not request.is_of_a_service:
        return Note("who.role", role=request.principal.rsplit("/", 1)[-1])
    how = "who.inspector" if request.principal.startswith("inspector2.") else "who.service"
    return Note(how, principal=request.principal)
