"""Owners and due dates: the file that says who owns what, the days for remediation, and the topic of messages to owners."""

from collections.abc import Mapping

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.config import Config
from findings_exporter.model.due_dates import RemediationDays, RemediationDaysError
from findings_exporter.model.layout import owner_rules_key
from findings_exporter.model.notes import Note
from findings_exporter.model.owner_rules import OwnerRules, OwnerRulesError
from findings_exporter.preflight.check import Check, unread
from findings_exporter.preflight.deployment import Deployment
from findings_exporter.preflight.topic import Delivering, delivers


def owner_rules(content: bytes | Unread | None, config: Config) -> Check:
    """Check whether the file of the owners can be used, and whether there are owners where they are to be notified."""
    name, key = "owners", owner_rules_key(config.key_prefix)
    if isinstance(content, Unread):
        return unread(name, content, key=key)
    if content is None:
        if config.owner_tag:
            return Check(name, "passed", Note("passed.owners_tag", key=key, tag=config.owner_tag))
        if config.owner_messages == "OFF":
            return Check(name, "passed", Note("passed.owners_none", key=key))
        sentence = Note("failed.owners_none", key=key, choice=config.owner_messages)
        return Check(name, "failed", sentence, (), (Note("fix.owners_none", key=key),))
    try:
        rules = OwnerRules.parse(content, config.owner_tag)
    except OwnerRulesError as error:
        return Check(name, "failed", Note("failed.owners", key=key), error.faults, (Note("fix.owners", key=key),))
    if rules.rules or rules.tag or config.owner_messages == "OFF":
        return Check(name, "passed", Note("passed.owners", key=key, count=len(rules.rules)))
    sentence = Note("failed.owners_empty", key=key, choice=config.owner_messages)
    return Check(name, "failed", sentence, (), (Note("fix.owners_none", key=key),))


def due_dates(config: Config) -> Check:
    """Check whether the days for remediation can be used."""
    name = "due_dates"
    try:
        days = RemediationDays.parse(config.remediation_days)
    except RemediationDaysError as error:
        return Check(name, "failed", Note("failed.due_dates", wrong=error.args[0]), (), (Note("fix.due_dates"),))
    if days is None:
        return Check(name, "passed", Note("passed.due_dates_none"))
    terms = [Note("due_dates.days", severity=severity, count=count) for severity, count in days.days.items()]
    return Check(name, "passed", Note("passed.due_dates", days=terms))


def owners_topic_delivers(attributes: Mapping[str, str] | Unread | None, deployment: Deployment) -> Check:
    """Check whether the owners' topic exists, the exporter may publish to it, and a team is subscribed."""
    arn = deployment.config.owner_topic_arn
    return delivers(attributes, Delivering("owner_topic", arn, deployment.owners_publication(), "fix.owner_topic_subscribe"))
