"""The topics of notifications and of alarms, the topic's key, and the dead-letter queue of what could not be delivered."""

from collections.abc import Mapping
from dataclasses import dataclass

from findings_exporter.aws.alarm_topic import subscriptions
from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.check import Check, unread
from findings_exporter.preflight.deployment import Deployment
from findings_exporter.preflight.key import key_state
from findings_exporter.preflight.policies import Subject, checked, named_statements
from findings_exporter.preflight.policy_evaluation import Request, decide
from findings_exporter.preflight.reading import KeySeen, document


@dataclass(frozen=True, slots=True)
class Delivering:
    """A topic whose messages are to arrive.

    Attributes
    ----------
    name
        Of the check; its sentences are ``failed.<name>``, ``failed.<name>_no_subscription`` and so on.
    subscribe
        The step that helps where no subscription is confirmed.
    """

    name: str
    topic: str
    publication: Request
    subscribe: str


def topic_delivers(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Check whether the topic exists, the exporter may publish to it, and a subscription is confirmed."""
    arn = deployment.config.topic_arn
    return delivers(attributes, Delivering("topic", arn, deployment.publication(), "fix.topic_subscribe"))


def delivers(attributes: Mapping[str, str] | Unread | None, to: Delivering) -> Check:
    """Check whether a topic exists, the exporter may publish to it, and a subscription is confirmed."""
    name, arn = to.name, to.topic
    if isinstance(attributes, Unread):
        return unread(name, attributes, topic=arn)
    if attributes is None:
        return Check(name, "failed", Note(f"failed.{name}", topic=arn), (), (Note("fix.deploy"),))
    policy = document(attributes.get("Policy", "{}"))
    if isinstance(policy, Unread):
        return unread(name, policy, topic=arn)
    decision = decide(policy, to.publication, is_allowed_elsewhere=True)
    confirmed, pending = subscriptions(attributes)
    evidence = (Note("seen.subscriptions", confirmed=confirmed, pending=pending),)
    if decision.outcome == "denied":
        sentence = Note(f"failed.{name}_denied", statements=named_statements(decision))
        return Check(name, "failed", sentence, evidence, (Note("fix.topic_deny", topic=arn),))
    if confirmed == 0:
        sentence = Note(f"failed.{name}_no_subscription", pending=pending)
        return Check(name, "failed", sentence, evidence, (Note(to.subscribe),))
    if decision.outcome == "unknown":
        return Check(name, "unknown", Note(f"unknown.{name}_statement", statements=named_statements(decision)), evidence)
    return Check(name, "passed", Note(f"passed.{name}", count=confirmed), evidence)


def alarms_delivered(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Check whether the alarm topic exists, CloudWatch may publish to it, and all its subscriptions are confirmed."""
    name, arn = "alarm_topic", deployment.config.alarm_topic_arn
    if isinstance(attributes, Unread):
        return unread(name, attributes, topic=arn)
    if attributes is None:
        return Check(name, "failed", Note("failed.alarm_topic", topic=arn), (), (Note("fix.deploy"),))
    subject = Subject(name, Note("policy_of.alarm_topic", topic=arn), [])
    policy = document(attributes.get("Policy", "{}"))
    check = checked(subject, policy, [deployment.alarms_publication()])
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
    """Check whether the exporter can use the topic's key."""
    name = "topic_key"
    if attributes is None or isinstance(attributes, Unread):
        return unread(name, attributes or Unread(Note("why.no_topic")))
    arn = attributes.get("KmsMasterKeyId", "")
    if key is None:
        return Check(name, "passed", Note("passed.topic_without_key"))
    state = key_state(name, arn, key, (Note("fix.deploy"),))
    if state.result != "passed":
        return state
    subject = Subject(name, Note("policy_of.topic_key", key=arn), [])
    return checked(subject, key.policy, deployment.publications_encryption(arn))


def nothing_undelivered(undelivered: int | Unread | None) -> Check:
    """Check whether the dead-letter queue is empty."""
    name = "dead_letter_queue"
    if isinstance(undelivered, Unread):
        return unread(name, undelivered)
    if undelivered is None:
        return Check(name, "failed", Note("failed.dead_letter_queue"), (), (Note("fix.deploy"),))
    if undelivered:
        sentence = Note("failed.dead_letter_queue_messages", count=undelivered)
        return Check(name, "failed", sentence, (Note("seen.messages", count=undelivered),), (Note("fix.dead_letter_queue"),))
    return Check(name, "passed", Note("passed.dead_letter_queue"))
