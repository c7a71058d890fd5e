"""A KMS key: whether Inspector can use it, and what its policy allows."""

from dataclasses import replace

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.deployment import KEY_ARN, Deployment
from findings_exporter.preflight.policies import Subject, checked, open_to_others, with_statements
from findings_exporter.preflight.policy_evaluation import decide
from findings_exporter.preflight.reading import KeySeen

KEY_NEEDS = (
    ("KeyManager", "CUSTOMER", "key.not_customer_managed"),
    ("KeySpec", "SYMMETRIC_DEFAULT", "key.not_symmetric"),
    ("KeyUsage", "ENCRYPT_DECRYPT", "key.not_for_encryption"),
    ("KeyState", "Enabled", "key.not_enabled"),
)
GUIDES_FAMILY = ("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")


def key_usable(key: KeySeen, deployment: Deployment) -> Check:
    """Check whether the key is one that Inspector can use."""
    config = deployment.config
    match = KEY_ARN.fullmatch(config.kms_key_arn)
    fix = (Note("fix.key", region=config.region),)
    if match is None:
        return Check("key", "failed", Note("failed.key_arn", key=config.kms_key_arn), (), fix)
    if match["region"] != config.region:
        return Check("key", "failed", Note("failed.key_region", key=config.kms_key_arn, region=config.region), (), fix)
    return key_state("key", config.kms_key_arn, key, fix)


def key_policy_for_inspector(key: KeySeen, deployment: Deployment) -> Check:
    """Check whether the key's policy lets Inspector encrypt reports."""
    subject = Subject(
        "key_policy_for_inspector",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_inspector()],
    )
    uses = deployment.inspectors_uses()
    check = open_to_others(checked(subject, key.policy, uses), key.policy, uses)
    whole = isinstance(key.policy, Unread) or all(
        decide(key.policy, request).outcome == "allowed" for request in deployment.inspectors_uses(GUIDES_FAMILY)
    )
    if check.result != "passed" or whole:
        return check
    sentence = Note("unknown.generate_data_key", place=subject.place)
    return with_statements(replace(check, result="unknown", sentence=sentence), subject, key.policy)


def key_policy_for_exporter(key: KeySeen, deployment: Deployment) -> Check:
    """Check whether the key's policy lets the exporter decrypt reports, itself or by leaving it to the role's own policy."""
    subject = Subject(
        "key_policy_for_exporter",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_exporter()],
    )
    return checked(subject, key.policy, deployment.exporters_decryption())


def key_policy_for_analysis(key: KeySeen, deployment: Deployment) -> Check:
    """Check whether the key's policy lets the analysis encrypt its files, or leaves it to the role's own policy."""
    subject = Subject(
        "key_policy_for_analysis",
        Note("policy_of.key", key=deployment.config.kms_key_arn),
        [deployment.key_statement_for_exporter()],
    )
    return checked(subject, key.policy, deployment.analysis_encryption())


def key_state(name: str, arn: str, key: KeySeen, fix: tuple[str, ...]) -> Check:
    """Check whether Inspector, or SNS, can use a key in the state that it has."""
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
