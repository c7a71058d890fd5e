"""The checks: each a pure function from what was read to a status, with its evidence and, where it failed, the fix.

What was not read, or is not understood, is unknown, and never passed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any, Literal

from findings_exporter.aws.alarm_topic import subscriptions
from findings_exporter.model.notes import Note
from findings_exporter.model.text import cut
from findings_exporter.preflight import policy_evaluation
from findings_exporter.preflight.deployment import KEY_ARN, Deployment, Permission
from findings_exporter.preflight.policy_evaluation import Decision, Request, decide
from findings_exporter.preflight.reading import BucketSeen, KeySeen, PermissionSeen, Unread, document
from findings_exporter.preflight.schedule import NotUnderstoodError, next_time

type CheckResult = Literal["passed", "failed", "unknown"]
type Document = Mapping[str, Any]

KEY_NEEDS = (
    ("KeyManager", "CUSTOMER", "key.not_customer_managed"),
    ("KeySpec", "SYMMETRIC_DEFAULT", "key.not_symmetric"),
    ("KeyUsage", "ENCRYPT_DECRYPT", "key.not_for_encryption"),
    ("KeyState", "Enabled", "key.not_enabled"),
)
SOURCE_KEYS, OTHER_SOURCE = ("aws:sourceaccount", "aws:sourcearn"), "another-account"
MOST_QUOTES, QUOTE_CHARACTERS = 3, 1_000
GUIDES_FAMILY = ("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be right. Its texts are notes, so that a message has them in the deployment's language.

    Attributes
    ----------
    sentence
        The status in words.
    evidence
        What was seen, line by line.
    fix
        What to do now, step by step; empty where the check passed.
    statements
        The policy statements to add, where they are missing, or may be.
    policy
        The whole existing policy with the statements in it.
    """

    name: str
    result: CheckResult
    sentence: str
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    statements: tuple[Document, ...] = ()
    policy: Document | None = None


# ---- Inspector


def inspector_enabled(account: Mapping[str, Any] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether Inspector is enabled, and for which resource types."""
    name, region = "inspector", deployment.config.region
    enable = (Note("fix.inspector", region=region),)
    if isinstance(account, Unread):
        return _unread(name, account)
    if account is None:
        return Check(name, "failed", Note("failed.inspector_unknown_account", region=region), (), enable)
    status = str(account["state"]["status"])
    types = {kind: str(state["status"]) for kind, state in sorted(account.get("resourceState", {}).items())}
    evidence = (Note("seen.account", status=status), *(f"{kind}: {each}" for kind, each in types.items()))
    on = [kind for kind, each in types.items() if each == "ENABLED"]
    off = [kind for kind in types if kind not in on]
    if status == "ENABLED" and on:
        partly = Note("passed.inspector_partly", types=on, off=off)
        return Check(name, "passed", partly if off else Note("passed.inspector", types=on), evidence)
    if status in {"ENABLED", "DISABLED", "DISABLING", "SUSPENDED", "SUSPENDING"} and not on:
        return Check(name, "failed", Note("failed.inspector_off", region=region), evidence, enable)
    return Check(name, "unknown", Note("unknown.inspector_status", status=status, region=region), evidence)


def anything_scanned(scanned: int | Unread | None) -> Check:
    """Judge whether Inspector scans any resource: otherwise an empty report says nothing."""
    name = "coverage"
    if scanned is None or isinstance(scanned, Unread):
        return _unread(name, scanned or Unread(Note("why.no_statistics")))
    if scanned == 0:
        return Check(name, "failed", Note("failed.coverage"), ("ACTIVE: 0",), (Note("fix.coverage"),))
    return Check(name, "passed", Note("passed.coverage", count=scanned), (f"ACTIVE: {scanned}",))


# ---- bucket


def bucket_exists(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Judge whether the bucket is there and in this Region."""
    name, config = "bucket", deployment.config
    fix = (Note("fix.bucket", region=config.region),)
    if isinstance(bucket.region, Unread):
        return _unread(name, bucket.region, bucket=config.bucket)
    if bucket.region is None:
        return Check(name, "failed", Note("failed.bucket", bucket=config.bucket), (), fix)
    evidence = (Note("seen.region", region=bucket.region),)
    if bucket.region != config.region:
        sentence = Note("failed.bucket_region", bucket=config.bucket, region=bucket.region, wanted=config.region)
        return Check(name, "failed", sentence, evidence, fix)
    return Check(name, "passed", Note("passed.bucket", bucket=config.bucket, region=config.region), evidence)


def bucket_owner(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Judge whether the bucket belongs to whom the deployment names."""
    name, config = "bucket_owner", deployment.config
    if isinstance(bucket.is_owners, Unread):
        return _unread(name, bucket.is_owners, bucket=config.bucket)
    if not bucket.is_owners:
        sentence = Note("failed.bucket_owner", bucket=config.bucket, owner=config.bucket_owner)
        return Check(name, "failed", sentence, (), (Note("fix.bucket_owner"),))
    return Check(name, "passed", Note("passed.bucket_owner", owner=config.bucket_owner))


def bucket_policy_for_inspector(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets Inspector write reports."""
    subject = Subject(
        "bucket_policy_for_inspector",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        [deployment.bucket_statement_for_inspector()],
    )
    writes = deployment.inspectors_writes(now)
    return _open_to_others(_assessed(subject, bucket.policy, writes), bucket.policy, writes)


def bucket_policy_for_exporter(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets the exporter's roles find and read reports."""
    subject = Subject(
        "bucket_policy_for_exporter",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        deployment.bucket_statements_for_exporter(),
        # In one account the roles' own policies are enough, unless the bucket's forbids it.
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return _assessed(subject, bucket.policy, deployment.exporters_reads(now))


def bucket_policy_for_analysis(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets the analysis read the report and keep its own files."""
    subject = Subject(
        "bucket_policy_for_analysis",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        deployment.bucket_statements_for_exporter(),
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return _assessed(subject, bucket.policy, deployment.analysis_calls(now))


# ---- key


def key_usable(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key is one that Inspector can use."""
    config = deployment.config
    match = KEY_ARN.fullmatch(config.kms_key_arn)
    fix = (Note("fix.key", region=config.region),)
    if match is None:
        return Check("key", "failed", Note("failed.key_arn", key=config.kms_key_arn), (), fix)
    if match["region"] != config.region:
        return Check("key", "failed", Note("failed.key_region", key=config.kms_key_arn, region=config.region), (), fix)
    return _key_state("key", config.kms_key_arn, key, fix)


def key_policy_for_inspector(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets Inspector encrypt reports."""
    subject = Subject(
        "key_policy_for_inspector",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_inspector()],
    )
    uses = deployment.inspectors_uses()
    check = _open_to_others(_assessed(subject, key.policy, uses), key.policy, uses)
    whole = isinstance(key.policy, Unread) or all(
        decide(key.policy, request).outcome == "allowed" for request in deployment.inspectors_uses(GUIDES_FAMILY)
    )
    if check.result != "passed" or whole:
        return check
    sentence = Note("unknown.generate_data_key", place=subject.place)
    return _with_statements(replace(check, result="unknown", sentence=sentence), subject, key.policy)


def key_policy_for_exporter(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets the exporter decrypt reports, itself or by leaving it to the role's own policy."""
    subject = Subject(
        "key_policy_for_exporter",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_exporter()],
    )
    return _assessed(subject, key.policy, deployment.exporters_decryption())


def key_policy_for_analysis(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets the analysis encrypt its files, or leaves it to the role's own policy."""
    subject = Subject(
        "key_policy_for_analysis",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_exporter()],
    )
    return _assessed(subject, key.policy, deployment.analysis_encryption())


# ---- the exporter's own permissions


def permissions(name: str, seen: Sequence[PermissionSeen]) -> Check:
    """Judge whether the roles may do by their own policies what they must, as IAM simulates it."""
    unread = [each.results for each in seen if isinstance(each.results, Unread)]
    results = [(each.permission, result) for each in seen if not isinstance(each.results, Unread) for result in each.results]
    refused = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "refused"]
    unclear = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "unknown"]
    if refused:
        roles = sorted({asked.role.rsplit("/", 1)[-1] for asked, _ in refused})
        evidence = tuple(_refusal(asked, result) for asked, result in refused)
        fix = (Note("fix.deploy"), *([Note("fix.boundary")] if any(map(_is_bounded, (result for _, result in refused))) else []))
        return Check(name, "failed", Note(f"failed.{name}", roles=roles), evidence, fix)
    if unread:
        return _unread(name, unread[0])
    if unclear:
        evidence = tuple(_refusal(asked, result) for asked, result in unclear)
        return replace(_unclear(name, unclear), evidence=evidence)
    told = {f"{asked.role.rsplit('/', 1)[-1]}: {result['EvalActionName']}" for asked, result in results}
    return Check(name, "passed", Note(f"passed.{name}"), tuple(sorted(told)))


def _decision_of_role(asked: Permission, result: Document) -> Literal["allowed", "refused", "unknown"]:
    """Return what a simulation says of the role's own policies."""
    if result["EvalDecision"] == "allowed":
        return "allowed"
    parts = [result, *result.get("ResourceSpecificResults", [])]
    if asked.is_on_anothers_resource:
        # The key's own policy is not simulated, so the whole is refused. What kind of policy decided how is told by kind.
        kinds = {kind: decision for part in parts for kind, decision in part.get("EvalDecisionDetails", {}).items()}
        own = {decision for kind, decision in kinds.items() if "resource" not in kind.lower()}
        return "allowed" if own == {"allowed"} else "unknown"
    # A condition whose key was not given says nothing of the real call, and of an organisation's policy such keys are not told.
    is_unclear = _is_refused_by_organisation(result) or any(part.get("MissingContextValues") for part in parts)
    return "unknown" if is_unclear else "refused"


def _unclear(name: str, results: Sequence[tuple[Permission, Document]]) -> Check:
    if any(_is_refused_by_organisation(result) for _, result in results):
        return Check(name, "unknown", Note("unknown.organisation"), fix=(Note("fix.organisation"),))
    if any(asked.is_on_anothers_resource for asked, _ in results):
        return Check(name, "unknown", Note("unknown.simulation"))
    return Check(name, "unknown", Note("unknown.conditions"))


def _is_bounded(result: Document) -> bool:
    return result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False


def _is_refused_by_organisation(result: Document) -> bool:
    return result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False


# ---- notifications, alarms, the schedule and the dead-letter queue


def topic_delivers(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether the topic exists, the exporter may publish to it, and a subscription is confirmed."""
    name, arn = "topic", deployment.config.topic_arn
    if isinstance(attributes, Unread):
        return _unread(name, attributes, topic=arn)
    if attributes is None:
        return Check(name, "failed", Note("failed.topic", topic=arn), (), (Note("fix.deploy"),))
    policy = document(attributes.get("Policy", "{}"))
    if isinstance(policy, Unread):
        return _unread(name, policy, topic=arn)
    decision = decide(policy, deployment.publication(), is_allowed_elsewhere=True)
    confirmed, pending = subscriptions(attributes)
    evidence = (Note("seen.subscriptions", confirmed=confirmed, pending=pending),)
    if decision.outcome == "denied":
        sentence = Note("failed.topic_denied", statements=_named(decision))
        return Check(name, "failed", sentence, evidence, (Note("fix.topic_deny", topic=arn),))
    if confirmed == 0:
        sentence = Note("failed.topic_no_subscription", pending=pending)
        return Check(name, "failed", sentence, evidence, (Note("fix.topic_subscribe"),))
    if decision.outcome == "unknown":
        return Check(name, "unknown", Note("unknown.topic_statement", statements=_named(decision)), evidence)
    return Check(name, "passed", Note("passed.topic", count=confirmed), evidence)


def alarms_delivered(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether the alarm topic exists, CloudWatch may publish to it, and all its subscriptions are confirmed."""
    name, arn = "alarm_topic", deployment.config.alarm_topic_arn
    if isinstance(attributes, Unread):
        return _unread(name, attributes, topic=arn)
    if attributes is None:
        return Check(name, "failed", Note("failed.alarm_topic", topic=arn), (), (Note("fix.deploy"),))
    subject = Subject(name, Note("policy_of.alarm_topic", topic=arn), [])
    policy = document(attributes.get("Policy", "{}"))
    check = _assessed(subject, policy, [deployment.alarms_publication()])
    confirmed, pending = subscriptions(attributes)
    evidence = (Note("seen.subscriptions", confirmed=confirmed, pending=pending),)
    if check.result == "failed":
        return check
    if pending:
        sentence = Note("failed.alarm_topic_pending", topic=arn, pending=pending)
        return Check(name, "failed", sentence, evidence, (Note("fix.alarm_topic_confirm"),))
    if not confirmed:
        sentence = Note("failed.alarm_topic_no_subscription", topic=arn)
        return Check(name, "failed", sentence, evidence, (Note("fix.alarm_topic_subscribe"),))
    if check.result == "unknown":
        return check
    return Check(name, "passed", Note("passed.alarm_topic_subscriptions", count=confirmed), evidence)


def topic_key_usable(attributes: Mapping[str, str] | Unread | None, key: KeySeen | None, deployment: Deployment) -> Check:
    """Judge whether the exporter can use the topic's key."""
    name = "topic_key"
    if attributes is None or isinstance(attributes, Unread):
        return _unread(name, attributes or Unread(Note("why.no_topic")))
    arn = attributes.get("KmsMasterKeyId", "")
    if key is None:
        return Check(name, "passed", Note("passed.topic_without_key"))
    state = _key_state(name, arn, key, (Note("fix.deploy"),))
    if state.result != "passed":
        return state
    subject = Subject(name, Note("policy_of.topic_key", key=arn), [])
    return _assessed(subject, key.policy, deployment.publications_encryption(arn))


def schedule_fires(schedules: Sequence[Mapping[str, Any]] | Unread, now: datetime) -> Check:
    """Judge whether a schedule starts exports, and when it does next."""
    name = "schedule"
    if isinstance(schedules, Unread):
        return _unread(name, schedules)
    if not schedules:
        return Check(name, "failed", Note("failed.schedule"), (), (Note("fix.deploy"),))
    on = [each for each in schedules if each["State"] == "ENABLED"]
    evidence = tuple(
        f"{each['Name']}: {each['ScheduleExpression']} {each.get('ScheduleExpressionTimezone', 'UTC')}, {each['State']}"
        for each in schedules
    )
    if not on:
        return Check(name, "failed", Note("failed.schedule_disabled"), evidence, (Note("fix.schedule_enable"),))
    try:
        times = [due for each in on if (due := next_time(each, now))]
    except NotUnderstoodError as error:
        return Check(name, "unknown", Note("unknown.schedule_next", why=error.why), evidence)
    if not times:
        return Check(name, "failed", Note("failed.schedule_over"), evidence, (Note("fix.schedule_expression"),))
    first = min(times)
    late = next((each["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0) for each in on if next_time(each, now) == first), 0)
    in_utc = f"{first.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    time = in_utc if str(first.tzinfo) == "UTC" else f"{first:%Y-%m-%d %H:%M} {first.tzinfo} ({in_utc})"
    sentence = Note("passed.schedule_window", time=time, minutes=late) if late else Note("passed.schedule", time=time)
    return Check(name, "passed", sentence, evidence)


def nothing_undelivered(undelivered: int | Unread | None) -> Check:
    """Judge whether the dead-letter queue is empty."""
    name = "dead_letter_queue"
    if isinstance(undelivered, Unread):
        return _unread(name, undelivered)
    if undelivered is None:
        return Check(name, "failed", Note("failed.dead_letter_queue"), (), (Note("fix.deploy"),))
    if undelivered:
        sentence = Note("failed.dead_letter_queue_messages", count=undelivered)
        return Check(name, "failed", sentence, (Note("seen.messages", count=undelivered),), (Note("fix.dead_letter_queue"),))
    return Check(name, "passed", Note("passed.dead_letter_queue"))


# ---- what the checks share


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy is judged for.

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


def _assessed(subject: Subject, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    if isinstance(policy, Unread):
        unread = Check(subject.name, "unknown", Note("unknown.policy", place=subject.place, why=policy.why.removesuffix(".")))
        return _with_statements(unread, subject, policy)
    decisions = [(request, decide(policy, request, is_allowed_elsewhere=not subject.needs_allow)) for request in requests]
    by_outcome = {outcome: pair for pair in reversed(decisions) for outcome in [pair[1].outcome]}
    refused = [request for request, decision in decisions if decision.outcome == "not allowed"]
    if "denied" in by_outcome:
        request, decision = by_outcome["denied"]
        who, named = _who(request), _named(decision)
        sentence = Note("failed.denied", place=subject.place, action=request.action, who=who, statements=named)
        fix = (Note("fix.deny", place=subject.place),)
        check = Check(subject.name, "failed", sentence, _quoted(policy, decision), fix)
        return _with_statements(check, subject, policy) if refused else check
    if refused:
        actions = list(dict.fromkeys(request.action for request in refused))
        sentence = Note("failed.not_allowed", place=subject.place, who=_who(refused[0]), actions=actions)
        evidence = tuple(policy_evaluation.shortfalls(policy, refused[0]))
        return _with_statements(Check(subject.name, "failed", sentence, evidence), subject, policy)
    if "unknown" in by_outcome:
        request, decision = by_outcome["unknown"]
        values = {"action": request.action, "who": _who(request), "statements": _named(decision)}
        sentence = Note("unknown.policy_statement", place=subject.place, **values)
        return _with_statements(Check(subject.name, "unknown", sentence, _quoted(policy, decision)), subject, policy)
    evidence = tuple(dict.fromkeys(each for _, decision in decisions for each in decision.statements))
    return Check(subject.name, "passed", Note(f"passed.{subject.name}", place=subject.place), evidence)


def _with_statements(check: Check, subject: Subject, policy: Document | Unread | None) -> Check:
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


def _open_to_others(check: Check, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    """Say of a policy that it allows reports of any account, which Inspector's guide warns of."""
    if check.result != "passed" or policy is None or isinstance(policy, Unread):
        return check
    external = [replace(request, context={**request.context, **dict.fromkeys(SOURCE_KEYS, OTHER_SOURCE)}) for request in requests]
    if not any(decide(policy, request).outcome == "allowed" for request in external):
        return check
    return replace(check, sentence=Note("passed.for_any_account", sentence=check.sentence))


def _key_state(name: str, arn: str, key: KeySeen, fix: tuple[str, ...]) -> Check:
    described = key.description
    if isinstance(described, Unread):
        return Check(name, "unknown", Note("unknown.key", key=arn, why=described.why.removesuffix(".")))
    if described is None:
        return Check(name, "failed", Note("failed.key", key=arn), (), fix)
    evidence = tuple(f"{member}: {described.get(member)}" for member, _, _ in KEY_NEEDS)
    faults = [Note(fault) for member, needed, fault in KEY_NEEDS if described.get(member) != needed]
    if faults:
        state = described.get("KeyState")
        first = {"Disabled": "fix.key_enable", "PendingDeletion": "fix.key_deletion"}.get(str(state))
        sentence = Note("failed.key_unfit_state", key=arn, problems=faults, state=state)
        if state == "Enabled":
            sentence = Note("failed.key_unfit", key=arn, problems=faults)
        return Check(name, "failed", sentence, evidence, (*([Note(first)] if first else []), *fix))
    return Check(name, "passed", Note("passed.key", key=arn), evidence)


def _refusal(asked: Permission, result: Document) -> str:
    limits = [
        Note(limit)
        for limits_it, limit in ((_is_refused_by_organisation, "limit.organisation"), (_is_bounded, "limit.boundary"))
        if limits_it(result)
    ]
    # The result names the form of the resource's ARN only [AWS: IAM API, EvaluationResult].
    seen = {"action": result["EvalActionName"], "resource": asked.resource, "decision": result["EvalDecision"]}
    role = asked.role.rsplit("/", 1)[-1]
    return Note("seen.refusal_by", role=role, limits=limits, **seen) if limits else Note("seen.refusal", role=role, **seen)


def _quoted(policy: Document | None, decision: Decision) -> tuple[str, ...]:
    """Return the first statements that a decision names, as they stand."""
    found = dict(policy_evaluation.statements(policy))
    return tuple(
        Note("policy.quote", statement=label, json=cut(json.dumps(found[label]), QUOTE_CHARACTERS))
        for label in decision.statements[:MOST_QUOTES]
    )


def _unread(name: str, unread: Unread, **values: str) -> Check:
    return Check(name, "unknown", Note(f"unknown.{name}", why=unread.why, **values))


def _named(decision: Decision) -> list[str]:
    more = len(decision.statements) - MOST_QUOTES
    return [*decision.statements[:MOST_QUOTES], *([Note("policy.more", count=more)] if more > 0 else [])]


def _who(request: Request) -> Note:
    if not request.is_of_a_service:
        return Note("who.role", role=request.principal.rsplit("/", 1)[-1])
    how = "who.inspector" if request.principal.startswith("inspector2.") else "who.service"
    return Note(how, principal=request.principal)
