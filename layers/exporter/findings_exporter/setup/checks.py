"""The checks: each a pure function from what was read to a verdict, with its evidence and, where it is wrong, the mending.

What was not read, or is not understood, is unknown, and never fine.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any, Literal

from findings_exporter.alarms import subscriptions
from findings_exporter.setup import policies
from findings_exporter.setup.deployment import KEY_ARN, Deployment, Permission
from findings_exporter.setup.policies import Decision, Request, decide
from findings_exporter.setup.reading import BucketSeen, KeySeen, PermissionSeen, Unread, document
from findings_exporter.setup.schedules import NotUnderstoodError, next_time
from findings_exporter.texts import cut

type Verdict = Literal["fine", "wrong", "unknown"]
type Document = Mapping[str, Any]

DEPLOY_AGAIN = "Deploy the stack again: its template holds what this needs."
KEY_NEEDS = (
    ("KeyManager", "CUSTOMER", "is not customer managed"),
    ("KeySpec", "SYMMETRIC_DEFAULT", "is not a symmetric key"),
    ("KeyUsage", "ENCRYPT_DECRYPT", "is not for encryption"),
    ("KeyState", "Enabled", "is not enabled"),
)
SOURCE_KEYS, SOMEBODY = ("aws:sourceaccount", "aws:sourcearn"), "somebody-else"
MOST_QUOTES, QUOTE_CHARACTERS = 3, 1_000
GUIDES_FAMILY = ("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be right.

    Attributes
    ----------
    sentence
        The verdict in words.
    evidence
        What was seen, line by line.
    fix
        What to do now; empty where nothing is wrong.
    statements
        What to paste, where it is missing, or may be.
    policy
        The whole existing policy with the statements in it.
    """

    name: str
    verdict: Verdict
    sentence: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    statements: tuple[Document, ...] = ()
    policy: Document | None = None


# ---- Inspector


def inspector_enabled(account: Mapping[str, Any] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether Inspector is enabled, and for which resource types."""
    name, region = "inspector", deployment.config.region
    if isinstance(account, Unread):
        return _unread(name, "whether Inspector is enabled", account)
    if account is None:
        return Check(name, "wrong", f"Inspector does not know the account in {region}.", fix=f"Enable Inspector in {region}.")
    status = str(account["state"]["status"])
    types = {kind: str(state["status"]) for kind, state in sorted(account.get("resourceState", {}).items())}
    evidence = (f"account: {status}", *(f"{kind}: {each}" for kind, each in types.items()))
    on = [kind for kind, each in types.items() if each == "ENABLED"]
    off = [kind for kind in types if kind not in on]
    if status == "ENABLED" and on:
        rest = f"; not for {', '.join(off)}" if off else ""
        return Check(name, "fine", f"Inspector is enabled for {', '.join(on)}{rest}.", evidence)
    if status in {"ENABLED", "DISABLED", "DISABLING", "SUSPENDED", "SUSPENDING"} and not on:
        return Check(name, "wrong", f"Inspector scans nothing in {region}.", evidence, f"Enable Inspector in {region}.")
    return Check(name, "unknown", f"Inspector is {status} in {region}: look again when that is over.", evidence)


def anything_scanned(scanned: int | Unread | None) -> Check:
    """Judge whether a quiet report would be good news."""
    name = "coverage"
    if scanned is None or isinstance(scanned, Unread):
        return _unread(name, "what Inspector scans", scanned or Unread("Inspector told no statistics"))
    if scanned == 0:
        sentence = "Inspector scans no resource: an empty report would say nothing."
        return Check(name, "wrong", sentence, ("ACTIVE: 0",), "See Account management, Coverage, in the Inspector console.")
    return Check(name, "fine", f"Inspector scans {scanned:,} resources.", (f"ACTIVE: {scanned}",))


# ---- bucket


def bucket_exists(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Judge whether the bucket is there and in this Region."""
    name, config = "bucket", deployment.config
    if isinstance(bucket.region, Unread):
        return _unread(name, f"where the bucket {config.bucket} is", bucket.region)
    if bucket.region is None:
        fix = "Name an existing bucket in ExistingBucketName, or leave it empty, and deploy."
        return Check(name, "wrong", f"There is no bucket {config.bucket}.", (), fix)
    evidence = (f"Region: {bucket.region}",)
    if bucket.region != config.region:
        sentence = f"The bucket {config.bucket} is in {bucket.region}; Inspector writes reports of {config.region} only there."
        fix = f"Name a bucket in {config.region} in ExistingBucketName, or leave it empty, and deploy."
        return Check(name, "wrong", sentence, evidence, fix)
    return Check(name, "fine", f"The bucket {config.bucket} is in {config.region}.", evidence)


def bucket_owner(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Judge whether the bucket belongs to whom the deployment names."""
    name, config = "bucket_owner", deployment.config
    if isinstance(bucket.is_owners, Unread):
        return _unread(name, f"who owns the bucket {config.bucket}", bucket.is_owners)
    if not bucket.is_owners:
        sentence = f"The bucket {config.bucket} does not belong to the account {config.bucket_owner}."
        return Check(name, "wrong", sentence, (), "Correct ExistingBucketName or ExistingBucketOwner, and deploy.")
    return Check(name, "fine", f"The bucket belongs to the account {config.bucket_owner}.")


def bucket_policy_for_inspector(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets Inspector write reports."""
    subject = Subject(
        "bucket_policy_for_inspector",
        f"the policy of the bucket {deployment.config.bucket}",
        "lets Inspector write reports",
        [deployment.bucket_statement_for_inspector()],
    )
    writes = deployment.inspectors_writes(now)
    return _open_to_others(_judged(subject, bucket.policy, writes), bucket.policy, writes)


def bucket_policy_for_exporter(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets the exporter's roles find and read reports."""
    subject = Subject(
        "bucket_policy_for_exporter",
        f"the policy of the bucket {deployment.config.bucket}",
        "lets the exporter find and read reports",
        deployment.bucket_statements_for_exporter(),
        # In one account the roles' own policies are enough, unless the bucket's forbids it.
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return _judged(subject, bucket.policy, deployment.exporters_reads(now))


def bucket_policy_for_digest(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Judge whether the bucket's policy lets the digest read the report and keep its own files."""
    subject = Subject(
        "bucket_policy_for_digest",
        f"the policy of the bucket {deployment.config.bucket}",
        "lets the exporter keep digests",
        deployment.bucket_statements_for_exporter(),
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return _judged(subject, bucket.policy, deployment.digests_calls(now))


# ---- key


def key_usable(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key is one that Inspector can use."""
    config = deployment.config
    match = KEY_ARN.fullmatch(config.kms_key_arn)
    fix = "Name another key in ExistingKeyArn, or leave it empty and use the stack's key, and deploy."
    if match is None:
        return Check("key", "wrong", f"{config.kms_key_arn} is not the ARN of a key: an alias or an id will not do.", (), fix)
    if match["region"] != config.region:
        return Check("key", "wrong", f"The key {config.kms_key_arn} is not in {config.region}.", (), fix)
    return _key_state("key", config.kms_key_arn, key, fix)


def key_policy_for_inspector(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets Inspector encrypt reports."""
    subject = Subject(
        "key_policy_for_inspector",
        f"the policy of the key {deployment.config.kms_key_arn}",
        "lets Inspector encrypt reports",
        [deployment.key_statement_for_inspector()],
    )
    uses = deployment.inspectors_uses()
    check = _open_to_others(_judged(subject, key.policy, uses), key.policy, uses)
    whole = isinstance(key.policy, Unread) or all(
        decide(key.policy, request).outcome == "allowed" for request in deployment.inspectors_uses(GUIDES_FAMILY)
    )
    if check.verdict != "fine" or whole:
        return check
    sentence = f"{_capital(subject.place)} lets Inspector do less than its guide asks for: not all of kms:GenerateDataKey*."
    return _with_statements(replace(check, verdict="unknown", sentence=sentence), subject, key.policy)


def key_policy_for_exporter(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets the exporter decrypt reports, itself or by leaving it to the role's own policy."""
    subject = Subject(
        "key_policy_for_exporter",
        f"the policy of the key {deployment.config.kms_key_arn}",
        "lets the exporter decrypt reports",
        [deployment.key_statement_for_exporter()],
    )
    return _judged(subject, key.policy, deployment.exporters_decryption())


def key_policy_for_digest(key: KeySeen, deployment: Deployment) -> Check:
    """Judge whether the key's policy lets the digest encrypt its files, or leaves it to the role's own policy."""
    subject = Subject(
        "key_policy_for_digest",
        f"the policy of the key {deployment.config.kms_key_arn}",
        "lets the exporter encrypt digests",
        [deployment.key_statement_for_exporter()],
    )
    return _judged(subject, key.policy, deployment.digests_encryption())


# ---- the exporter's own permissions


def permissions(name: str, what: str, seen: Sequence[PermissionSeen]) -> Check:
    """Judge whether the roles may do by their own policies what they must, as IAM simulates it.

    Parameters
    ----------
    what
        What they are to do, as in "… make and read reports".
    """
    unread = [each.results for each in seen if isinstance(each.results, Unread)]
    results = [(each.permission, result) for each in seen if not isinstance(each.results, Unread) for result in each.results]
    refused = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "refused"]
    unclear = [(asked, result) for asked, result in results if _decision_of_role(asked, result) == "unknown"]
    if refused:
        roles = sorted({asked.role.rsplit("/", 1)[-1] for asked, _ in refused})
        evidence = tuple(_refusal(asked, result) for asked, result in refused)
        sentence = f"The own policies of {', '.join(roles)} do not let the exporter {what}."
        return Check(name, "wrong", sentence, evidence, f"{DEPLOY_AGAIN} Where a permissions boundary is named, widen it.")
    if unread:
        return _unread(name, f"whether the roles' own policies let the exporter {what}", unread[0])
    if unclear:
        evidence = tuple(_refusal(asked, result) for asked, result in unclear)
        return replace(_unclear(name, what, unclear), evidence=evidence)
    told = {f"{asked.role.rsplit('/', 1)[-1]}: {result['EvalActionName']}" for asked, result in results}
    return Check(name, "fine", f"The roles' own policies let the exporter {what}.", tuple(sorted(told)))


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


def _unclear(name: str, what: str, results: Sequence[tuple[Permission, Document]]) -> Check:
    if any(_is_refused_by_organisation(result) for _, result in results):
        sentence = f"In IAM's simulation a policy of the organisation does not let the exporter {what}; a real call may differ."
        return Check(name, "unknown", sentence, fix="Ask the owner of the organisation's policies about the named calls.")
    if any(asked.is_on_anothers_resource for asked, _ in results):
        return Check(name, "unknown", f"IAM's simulation does not tell whether the roles' own policies let the exporter {what}.")
    return Check(name, "unknown", f"The roles' own policies let the exporter {what} on conditions that are not known here.")


def _is_refused_by_organisation(result: Document) -> bool:
    return result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False


# ---- telling, starting, and what was lost


def topic_tells(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether the topic is there, lets the exporter publish, and reaches anybody."""
    name, arn = "topic", deployment.config.topic_arn
    if isinstance(attributes, Unread):
        return _unread(name, f"whether the topic {arn} is right", attributes)
    if attributes is None:
        return Check(name, "wrong", f"There is no topic {arn}.", (), DEPLOY_AGAIN)
    policy = document(attributes.get("Policy", "{}"))
    if isinstance(policy, Unread):
        return _unread(name, "what the topic's policy says", policy)
    decision = decide(policy, deployment.publication(), is_allowed_elsewhere=True)
    confirmed, pending = subscriptions(attributes)
    evidence = (f"subscriptions: {confirmed} confirmed, {pending} pending",)
    if decision.outcome == "denied":
        sentence = f"The topic's policy forbids the exporter to publish: {_named(decision)}."
        return Check(name, "wrong", sentence, evidence, f"Remove that statement from the policy of {arn}.")
    if confirmed == 0:
        rest = f" {pending} wait to be confirmed." if pending else ""
        fix = "Confirm the subscription by the link in its mail, or subscribe somebody to the topic."
        return Check(name, "wrong", f"Nobody would be told: the topic has no confirmed subscription.{rest}", evidence, fix)
    if decision.outcome == "unknown":
        return Check(name, "unknown", f"The topic's policy is not understood: {_named(decision)}.", evidence)
    return Check(name, "fine", f"The topic reaches {confirmed} subscription{'s' if confirmed > 1 else ''}.", evidence)


def alarms_delivered(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Judge whether the alarm topic is there, lets CloudWatch publish, and every subscription of it is confirmed."""
    name, arn = "alarm_topic", deployment.config.alarm_topic_arn
    if isinstance(attributes, Unread):
        return _unread(name, f"whether the alarm topic {arn} is right", attributes)
    if attributes is None:
        return Check(name, "wrong", f"There is no alarm topic {arn}.", (), DEPLOY_AGAIN)
    subject = Subject(name, f"the policy of the alarm topic {arn}", "lets CloudWatch tell alarms", [])
    policy = document(attributes.get("Policy", "{}"))
    check = _judged(subject, policy, [deployment.alarms_publication()])
    confirmed, pending = subscriptions(attributes)
    evidence = (f"subscriptions: {confirmed} confirmed, {pending} pending",)
    if check.verdict == "wrong":
        return check
    if pending:
        fix = "Open the link in the mail from SNS about this topic: the topic of the runs has a mail of its own."
        return Check(name, "wrong", f"The alarm topic {arn} has unconfirmed subscriptions: {pending}.", evidence, fix)
    if not confirmed:
        fix = "Subscribe an address to it, without a filter policy, and confirm by the link in the mail from SNS."
        return Check(name, "wrong", f"Alarms are not delivered: the alarm topic {arn} has no subscription.", evidence, fix)
    if check.verdict == "unknown":
        return check
    return Check(name, "fine", f"Alarms reach {confirmed} subscription{'s' if confirmed > 1 else ''}.", evidence)


def topic_key_usable(attributes: Mapping[str, str] | Unread | None, key: KeySeen | None, deployment: Deployment) -> Check:
    """Judge whether the exporter can use the topic's key."""
    name = "topic_key"
    if attributes is None or isinstance(attributes, Unread):
        return _unread(name, "which key the topic has", attributes or Unread("there is no topic"))
    arn = attributes.get("KmsMasterKeyId", "")
    if key is None:
        return Check(name, "fine", "The topic has no key of its own.")
    state = _key_state(name, arn, key, DEPLOY_AGAIN)
    if state.verdict != "fine":
        return state
    subject = Subject(name, f"the policy of the topic's key {arn}", "lets the exporter encrypt messages", [])
    return _judged(subject, key.policy, deployment.publications_encryption(arn))


def schedule_fires(schedules: Sequence[Mapping[str, Any]] | Unread, now: datetime) -> Check:
    """Judge whether a schedule starts exports, and when it does next."""
    name = "schedule"
    if isinstance(schedules, Unread):
        return _unread(name, "when the schedule fires", schedules)
    if not schedules:
        return Check(name, "wrong", "No schedule starts the workflow.", (), DEPLOY_AGAIN)
    on = [each for each in schedules if each["State"] == "ENABLED"]
    evidence = tuple(
        f"{each['Name']}: {each['ScheduleExpression']} {each.get('ScheduleExpressionTimezone', 'UTC')}, {each['State']}"
        for each in schedules
    )
    if not on:
        fix = "Set ScheduleState to ENABLED and deploy, unless that is wanted."
        return Check(name, "wrong", "The schedule is disabled: exports start by hand only.", evidence, fix)
    try:
        times = [time for each in on if (time := next_time(each, now))]
    except NotUnderstoodError as error:
        return Check(name, "unknown", f"The schedule is enabled, but when it fires next is not known: {error}.", evidence)
    if not times:
        return Check(name, "wrong", "The schedule does not fire any more.", evidence, "Correct ScheduleExpression and deploy.")
    first = min(times)
    late = next((each["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0) for each in on if next_time(each, now) == first), 0)
    window = f", up to {late} minutes later" if late else ""
    zone = f" {first.tzinfo}" if str(first.tzinfo) != "UTC" else ""
    in_utc = f" ({first.astimezone(UTC):%d %b %H:%M} UTC)" if zone else " UTC"
    return Check(name, "fine", f"The schedule fires next on {first:%d %b %Y at %H:%M}{zone}{in_utc}{window}.", evidence)


def nothing_undelivered(undelivered: int | Unread | None) -> Check:
    """Judge whether the dead-letter queue is empty."""
    name = "dead_letter_queue"
    if isinstance(undelivered, Unread):
        return _unread(name, "whether the dead-letter queue is empty", undelivered)
    if undelivered is None:
        return Check(name, "wrong", "There is no dead-letter queue.", (), DEPLOY_AGAIN)
    if undelivered:
        sentence = f"{undelivered} messages lie in the dead-letter queue: what could not be started or cleaned up after."
        fix = "Read the reason in their attributes, mend it, and purge the queue."
        return Check(name, "wrong", sentence, (f"messages: {undelivered}",), fix)
    return Check(name, "fine", "The dead-letter queue is empty.")


# ---- what the checks share


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy is judged for.

    Attributes
    ----------
    place
        Which policy it is.
    does
        What it must do, as in "it lets …".
    statements
        What does it; empty where that is the stack's own.
    needs_allow
        False where only a Deny would matter.
    """

    name: str
    place: str
    does: str
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


def _judged(subject: Subject, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    if isinstance(policy, Unread):
        return _with_statements(_unread(subject.name, f"whether {subject.place} {subject.does}", policy), subject, policy)
    decisions = [(request, decide(policy, request, is_allowed_elsewhere=not subject.needs_allow)) for request in requests]
    by_outcome = {outcome: pair for pair in reversed(decisions) for outcome in [pair[1].outcome]}
    place = _capital(subject.place)
    refused = [request for request, decision in decisions if decision.outcome == "not allowed"]
    if "denied" in by_outcome:
        request, decision = by_outcome["denied"]
        sentence = f"{place} forbids {request.action} to {request.principal}: {_named(decision)} says Deny."
        fix = f"Narrow or remove that statement in {subject.place}: a Deny wins over every Allow."
        check = Check(subject.name, "wrong", sentence, _quoted(policy, decision), fix)
        return _with_statements(check, subject, policy) if refused else check
    if refused:
        actions = ", ".join(dict.fromkeys(request.action for request in refused))
        sentence = f"{place} does not allow {actions} to {refused[0].principal}."
        evidence = tuple(policies.shortfalls(policy, refused[0]))
        return _with_statements(Check(subject.name, "wrong", sentence, evidence), subject, policy)
    if "unknown" in by_outcome:
        request, decision = by_outcome["unknown"]
        sentence = f"{place} is not understood as to {request.action} by {request.principal}: {_named(decision)}."
        return _with_statements(Check(subject.name, "unknown", sentence, _quoted(policy, decision)), subject, policy)
    evidence = tuple(dict.fromkeys(each for _, decision in decisions for each in decision.statements))
    return Check(subject.name, "fine", f"{place} {subject.does}.", evidence)


def _with_statements(check: Check, subject: Subject, policy: Document | Unread | None) -> Check:
    """Add what to paste: into the whole policy, as far as that could be read."""
    if not subject.statements:
        return replace(check, fix=check.fix or DEPLOY_AGAIN)
    words = "the statement" if len(subject.statements) == 1 else "the statements"
    paste = f"Add {words} to {subject.place}."
    if check.verdict == "unknown":
        paste = f"Make sure that {subject.place} holds {words}, and that no Deny forbids what is allowed there."
    whole = merged(None if isinstance(policy, Unread) else policy, subject.statements)
    return replace(
        check,
        fix=f"{check.fix} {paste}".strip(),
        # From the whole: two statements of a policy cannot share an id.
        statements=tuple(whole["Statement"][-len(subject.statements) :]),
        policy=None if isinstance(policy, Unread) else whole,
    )


def _open_to_others(check: Check, policy: Document | Unread | None, requests: Iterable[Request]) -> Check:
    """Say of a fine policy that it is fine for everybody's reports, which Inspector's guide warns of."""
    if check.verdict != "fine" or policy is None or isinstance(policy, Unread):
        return check
    foreign = [replace(request, context={**request.context, **dict.fromkeys(SOURCE_KEYS, SOMEBODY)}) for request in requests]
    if not any(decide(policy, request).outcome == "allowed" for request in foreign):
        return check
    hint = "It does so for any account's reports: better with the conditions on aws:SourceAccount and aws:SourceArn."
    return replace(check, sentence=f"{check.sentence} {hint}")


def _key_state(name: str, arn: str, key: KeySeen, fix: str) -> Check:
    described = key.description
    if isinstance(described, Unread):
        return _unread(name, f"whether the key {arn} can be used", described)
    if described is None:
        return Check(name, "wrong", f"There is no key {arn}.", (), fix)
    evidence = tuple(f"{member}: {described.get(member)}" for member, _, _ in KEY_NEEDS)
    faults = [words for member, needed, words in KEY_NEEDS if described.get(member) != needed]
    if faults:
        if described.get("KeyState") == "Disabled":
            fix = f"Enable the key in the KMS console. Or: {fix}"
        if described.get("KeyState") == "PendingDeletion":
            fix = f"Cancel its deletion in the KMS console while that is possible, and enable it. Or: {fix}"
        state = f" ({described['KeyState']})" if described.get("KeyState") != "Enabled" else ""
        return Check(name, "wrong", f"The key {arn} {' and '.join(faults)}{state}.", evidence, fix)
    return Check(name, "fine", f"The key {arn} is enabled, symmetric and customer managed.", evidence)


def _refusal(asked: Permission, result: Document) -> str:
    limits = [
        words
        for member, allows, words in (
            ("OrganizationsDecisionDetail", "AllowedByOrganizations", "a policy of the organisation"),
            ("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary", "its permissions boundary"),
        )
        if result.get(member, {}).get(allows) is False
    ]
    by = f" by {' and '.join(limits)}" if limits else ""
    # The result names the form of the resource's ARN only [AWS: IAM API, EvaluationResult].
    what = f"{result['EvalActionName']} on {asked.resource}"
    return f"{asked.role.rsplit('/', 1)[-1]}: {what}: {result['EvalDecision']}{by}"


def _quoted(policy: Document | None, decision: Decision) -> tuple[str, ...]:
    """Return the first statements that a decision names, as they stand."""
    found = dict(policies.statements(policy))
    quotes = [f"{label}: {json.dumps(found[label])}" for label in decision.statements[:MOST_QUOTES]]
    return tuple(cut(quote, QUOTE_CHARACTERS) for quote in quotes)


def _unread(name: str, what: str, unread: Unread) -> Check:
    return Check(name, "unknown", f"It is not known {what}: {unread.why.removesuffix('.')}.")


def _named(decision: Decision) -> str:
    more = len(decision.statements) - MOST_QUOTES
    return ", ".join(decision.statements[:MOST_QUOTES]) + (f" and {more} more" if more > 0 else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
