"""What aws-check asks, what the code expects, and the only forms in which an answer may be shown.

Each question belongs to a row of docs/limits.md, which names it. An answer consists of facts, and each fact has a form: a few
words, or a pattern that no account id, name or finding fits. What has another form is shown as :data:`OTHER`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OTHER = "other"
"""Stands for a fact whose form is not allowed."""
NONE = "none"

type Form = Callable[[str], bool]


class Result(StrEnum):
    """The result of one question."""

    AS_EXPECTED = "AS_EXPECTED"
    DIFFERENT = "DIFFERENT"
    UNKNOWN = "UNKNOWN"


class Reason(StrEnum):
    """Why a question has no answer."""

    DENIED = "AWS denied a call"
    THROTTLED = "AWS throttled a call"
    FAILED = "a call failed"
    NO_ANSWER = "a call got no answer"
    UNEXPECTED = "an answer was not understood"
    OTHER_REPORT = "another report was in progress"
    NOT_IN_PROGRESS = "the test export was not seen in progress"
    ENDED_MEANWHILE = "the first report had ended meanwhile"
    NOT_ENDED = "the test export did not end in time"
    NOT_STARTED = "the test export did not reach this point"
    NOTHING_FOUND = "the report holds no findings"
    NOT_EXACT = "the preview counted at least so many"
    TOO_LARGE = "the report is larger than 1 MiB"
    TOO_FEW = "Inspector has fewer findings than a page holds"
    NOT_ENABLED = "Inspector is not enabled in this account"
    NO_RESOURCES = "Inspector scans no resources"
    ADMINISTRATOR = "the account administers others"
    UNDECIDED = "the setup check could not decide"
    ALARM_ON = "the alarm is on, so it was not changed"
    NO_HISTORY = "the alarm's history does not show it yet"
    NO_METRIC = "CloudWatch does not have the topic's metrics yet"
    NOTHING_SENT = "nothing was sent to the topic"
    NOT_DELIVERED = "no delivery was counted: no subscription is confirmed, or a filter policy holds the message back"


def one_of(*words: str) -> Form:
    """Allow some words."""
    return frozenset(words).__contains__


def several_of(*words: str) -> Form:
    """Allow some words, with commas between them."""
    return lambda value: set(value.split(", ")) <= {*words, OTHER, NONE}


def pattern(text: str) -> Form:
    """Allow what a pattern matches as a whole."""
    expression = re.compile(text, re.ASCII)
    return lambda value: expression.fullmatch(value) is not None


CODE = pattern(r"[A-Za-z][A-Za-z.]{1,59}|[345]\d\d")
"""An error code of AWS, or an HTTP status. Without digits, so that no id fits."""
CALL = pattern(r"[A-Z][A-Za-z0-9]{2,59}")
"""The name of an operation, which the client knows and AWS does not send."""
MAGNITUDES = ("0", "1-9", "10-99", "100-999", "1000-9999", "10000 or more")
MAGNITUDE = one_of(*MAGNITUDES)
TIMES = ("less than 1 second", "less than 10 seconds", "less than 1 minute", "less than 10 minutes", "10 minutes or more")
SECONDS = (1, 10, 60, 600)
TIME = one_of(*TIMES)
YES_NO = one_of("yes", "no")
TIME_FORMS = (
    "ISO 8601 with Z", "ISO 8601 with offset", "ISO 8601 without offset", "epoch seconds", "epoch milliseconds",
    "Wed Sep 04 16:59:44.356 UTC 2024", "Mar 20, 2023, 6:08:05 PM",
)  # fmt: skip
STATUSES = ("IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED")
PROTOCOLS = ("email", "email-json", "https", "http", "sqs", "lambda", "firehose", "sms", "application")
KNOWN_COLUMNS = frozenset(
    name.strip()
    for name in [
        "AWS Account Id",
        " Severity",
        " Fix Available",
        " Finding Type",
        " Title",
        " Description",
        " Finding ARN",
        " First Seen",
        " Last Seen",
        " Last Updated",
        "Resource ID",
        " Container Image Tags",
        " Region",
        " Platform",
        " Resource Tags",
        " Affected Packages",
        " Package Installed Version",
        "Fixed in Version",
        " Package Remediation",
        " File Path",
        " Network Paths",
        " Age (Days)",
        " Remediation",
        " Inspector Score",
        "Inspector Score Vector",
        " Status",
        " Vulnerability Id",
        " Vendor",
        " Vendor Severity",
        " Vendor Advisory",
        " Vendor Advisory Published",
        "NVD CVSS3 Score",
        " NVD CVSS3 Vector",
        " NVD CVSS2 Score",
        " NVD CVSS2 Vector",
        " Vendor CVSS3 Score",
        " Vendor CVSS3 Vector",
        "Vendor CVSS2 Score",
        " Vendor CVSS2 Vector",
        " Resource Type",
        " Ami",
        " Resource Public Ipv4",
        " Resource Private Ipv4",
        " Resource Ipv6",
        "Resource Vpc",
        " Port Range",
        " Epss Score",
        " Exploit Available",
        " Last Exploited At",
        " Lambda Layers",
        " Lambda Package Type",
        "Lambda Last Updated At",
        " Reference Urls",
        " Detector Name",
        " Package Manager",
        " Image Last In Use At",
        " Image In Use Count",
    ]
)
"""Columns that were seen or that AWS names."""


@cache
def model_words() -> frozenset[str]:
    """Return the words that Inspector's service model makes names of, in lower case."""
    model: Any = botocore.session.Session().get_service_model("inspector2")
    members = {member for name in model.shape_names for member in getattr(model.shape_for(name), "members", ())}
    return frozenset(word.lower() for member in members for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", member))


def is_column(name: str) -> bool:
    """Return whether a column that is not known is named by words of Inspector alone."""
    return name != "" and all(word.lower() in model_words() for word in name.split(" "))


def new_columns(value: str) -> bool:
    """Allow names of columns that are not known."""
    return all(name in {OTHER, NONE} or is_column(name) for name in value.split(", "))


@cache
def finding_members() -> frozenset[str]:
    """Return the members of a finding, by Inspector's service model."""
    shape: Any = botocore.session.Session().get_service_model("inspector2").shape_for("Finding")
    return frozenset(shape.members)


@cache
def enumeration(shape: str) -> frozenset[str]:
    """Return the values of an enumeration of Inspector's service model."""
    found: Any = botocore.session.Session().get_service_model("inspector2").shape_for(shape)
    return frozenset(found.enum)


def several_of_model(shape: str) -> Form:
    """Allow values of an enumeration of Inspector's service model, with commas between them."""
    # The model is read when the first answer is shown.
    return lambda value: set(value.split(", ")) <= enumeration(shape) | {OTHER, NONE}


def magnitude(number: int) -> str:
    """Return the order of magnitude of a number."""
    return MAGNITUDES[min(len(str(number)), len(MAGNITUDES) - 1)] if number > 0 else MAGNITUDES[0]


def duration(seconds: float) -> str:
    """Return how long something took, roughly."""
    return TIMES[sum(seconds >= bound for bound in SECONDS)]


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    text
        What is asked.
    expected
        What the code is written for.
    means, advice
        What it means if AWS answers otherwise, and what to do then.
    facts
        What an answer consists of, each with its form.
    """

    id: str
    text: str
    expected: str
    means: str
    advice: str
    facts: Mapping[str, Form]


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes
    ----------
    seen
        Its facts.
    reason, call, code
        Why it is unknown, with the call that AWS refused and its error code.
    """

    id: str
    result: Result
    seen: Mapping[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    call: str = ""
    code: str = ""

    @property
    def question(self) -> Question:
        """The question that it answers."""
        return QUESTIONS[self.id]


REPORT_IT = "Report it with aws-check.json."
_STATUS = one_of("not found", "empty", "the last report", "a report in progress", "refused", OTHER)


def _of_format(word: str) -> list[Question]:
    """Return what is asked of an export in one format."""
    name = word.lower()
    return [
        Question(
            f"{name}-export",
            f"does a test export as {word} succeed?",
            "SUCCEEDED within half an hour",
            "A run cannot export this format here.",
            "Read the notification of the run, fix what it says, and run aws-check again.",
            {
                "outcome": one_of("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"),
                "error": pattern(r"[A-Za-z]{2,40}(?:\.[A-Za-z_]{2,40})?"),
                "duration": TIME,
                "findings": one_of("some", "no_findings", "no_object", "empty_object"),
            },
        ),
        Question(
            f"{name}-object",
            f"which object does Inspector write for a {word} report?",
            "one object with the id of the report as its name, encrypted with the key of the reports",
            "Verification takes the newest object under the prefix of the run, and fails the run if its encryption is not the expected one.",
            REPORT_IT,
            {
                "objects": one_of("none", "1", "several"),
                "name": one_of("the report's id", "another"),
                "encryption": one_of("aws:kms", "aws:kms:dsse", "AES256", NONE),
                "key": one_of("the expected one", "another", NONE),
                "content_type": pattern(r"(?:application|text|binary)/[a-z-]{2,30}|none"),
                "upload": one_of("in one part", "in several parts"),
                "bytes": MAGNITUDE,
            },
        ),
        Question(
            f"{name}-times",
            f"how does Inspector write times in a {word} report?",
            "in a form that the analysis reads: ISO 8601, epoch, or one of two forms in words",
            "The analysis cannot read these times. Without the first one of a finding, it fails.",
            REPORT_IT,
            {"forms": lambda value: set(value.split("; ")) <= {*TIME_FORMS, OTHER}},
        ),
    ]


def _topic(name: str, whose: str) -> Question:
    return Question(
        name,
        f"does the topic of {whose} take and deliver messages?",
        "messages were published and none failed",
        "A message was not published, or SNS could not deliver it.",
        "Check the subscriptions of the topic; check_setup names the ones that are not confirmed.",
        {
            "confirmed": several_of(*PROTOCOLS),
            "pending": several_of(*PROTOCOLS),
            "published": MAGNITUDE,
            "delivered": MAGNITUDE,
            "failed": MAGNITUDE,
        },
    )


QUESTIONS: Mapping[str, Question] = {
    question.id: question
    for question in [
        Question(
            "status-without-report",
            "what does GetFindingsReportStatus return without an ID when no report is in progress?",
            "not found, an empty answer, or the last report",
            "A run asks this before it starts a report, and does not understand the answer.",
            REPORT_IT,
            {"before": _STATUS, "after": _STATUS, "code": CODE},
        ),
        Question(
            "status-in-progress",
            "does it describe the report in progress, with its destination as it was given?",
            "IN_PROGRESS, with the destination",
            "A run recognizes its report by the destination, and could take it for an external one.",
            REPORT_IT,
            {
                "status": one_of(*STATUSES),
                "destination": one_of("as given", "without the last slash", "another"),
            },
        ),
        Question(
            "second-report",
            "what happens to a second CreateFindingsReport while a report is in progress?",
            "a refusal that says that there cannot be several reports in progress",
            "If it was accepted, runs wait for each other without need; aws-check has cancelled it. If it was refused in"
            " another way, the status decides, and a run could fail as CreateRefused in rare cases.",
            REPORT_IT,
            {
                "answer": one_of("refused", "accepted"),
                "code": CODE,
                "text": one_of("as expected", "another"),
                "cancelled": YES_NO,
            },
        ),
        Question(
            "setup-check",
            "does the setup check agree with what the export then did?",
            "what it passed succeeds, and what it failed fails",
            "check_setup evaluates a policy, bucket or key otherwise than AWS.",
            REPORT_IT,
            {
                "check": one_of("passed", "failed", "unknown"),
                "export": one_of("succeeded", "failed because of the setup", "failed otherwise"),
            },
        ),
        Question(
            "preview-count",
            "does the preview count what the report then holds?",
            "the same number, but for what changed meanwhile",
            "Inspector counts findings otherwise than its reports do.",
            REPORT_IT,
            {
                "counted_by": one_of("ListFindings", "ListFindingAggregations"),
                "report": one_of("as many", "more", "fewer"),
                "findings": MAGNITUDE,
            },
        ),
        Question(
            "list-page",
            "how many findings does a page of ListFindings hold, and of which statuses, when 100 are asked for?",
            "100",
            "A preview reads fewer findings in its 100 pages, and says *at least* earlier.",
            REPORT_IT,
            {
                "findings": pattern(r"\d{1,3}"),
                "next_page": YES_NO,
                "statuses": several_of("ACTIVE", "SUPPRESSED", "CLOSED"),
                "time": TIME,
            },
        ),
        Question(
            "list-nothing",
            "what does ListFindings return when nothing matches?",
            "an empty list without a next page",
            "Verification asks this about a tiny report without findings. It then fails the run instead of accepting the report.",
            REPORT_IT,
            {"answer": one_of("an empty list", "an empty list with a next page", "no list", "findings")},
        ),
        Question(
            "account-status",
            "which error codes does BatchGetAccountStatus return for what is enabled?",
            "none, or one that the analysis knows",
            "The analysis takes the scan coverage for unknown, and so the status of missing findings.",
            REPORT_IT,
            {"states": several_of_model("Status"), "codes": several_of_model("ErrorCode")},
        ),
        Question(
            "list-members",
            "what does ListMembers return in an account that administers no others?",
            "an empty list, or a refusal",
            "The scan coverage of member accounts is not read as it should be.",
            REPORT_IT,
            {"answer": one_of("an empty list", "members", "refused"), "code": CODE},
        ),
        Question(
            "coverage-groups",
            "what does ListCoverageStatistics name a group by?",
            "the group itself, such as the resource type",
            "The page lacks the numbers of scanned resources by type and account.",
            REPORT_IT,
            {"key": one_of("the group", "the name of the grouping", OTHER)},
        ),
        Question(
            "bucket-owner",
            "is GetBucketLocation with another ExpectedBucketOwner refused?",
            "refused",
            "The check bucket_owner passes where it should fail; the report itself is still refused.",
            REPORT_IT,
            {"answer": one_of("refused", "answered"), "code": CODE},
        ),
        Question(
            "alarm-action",
            "does an alarm reach its encrypted topic?",
            "CloudWatch executes the action",
            "Alarms of the stack reach no one.",
            "Check the policies of the alarm topic and of the key of the stack against template.yaml, and report it.",
            {"action": one_of("executed", "failed"), "put_back": YES_NO},
        ),
        *_of_format("CSV"),
        Question(
            "csv-form",
            "how does Inspector write a CSV?",
            "complete rows below a header with the columns that findings are counted by",
            "Verification or the analysis fails on such a file.",
            REPORT_IT,
            {
                "byte_order_mark": YES_NO,
                "columns": pattern(r"\d{1,3}"),
                "missing_columns": several_of(*KNOWN_COLUMNS),
                "new_columns": new_columns,
                "quotes": one_of("every cell", "where needed", "mixed"),
                "line_ends": one_of("LF", "CR LF", "mixed", NONE),
                "list_separator": one_of("comma", "comma and blank", "not seen"),
                "ends_with": one_of("line end", "no line end"),
                "complete": YES_NO,
            },
        ),
        *_of_format("JSON"),
        Question(
            "json-form",
            "how does Inspector write JSON?",
            "an object with the list findings, complete",
            "Verification or the analysis fails on such a file.",
            REPORT_IT,
            {
                "byte_order_mark": YES_NO,
                "begins_with": one_of('{"findings":[', "other members", OTHER),
                "first_member": lambda value: value in finding_members(),
                "between_findings": one_of("comma", "comma and white space", "not seen"),
                "ends_with": one_of("]}", "]} and white space", "other members", OTHER),
                "complete": YES_NO,
            },
        ),
        Question(
            "duplicate-arn",
            "does a report have an ARN twice?",
            "no",
            "The analysis counts the first entry of an ARN.",
            REPORT_IT,
            {"answer": YES_NO},
        ),
        _topic("run-topic", "runs"),
        _topic("alarm-topic", "alarms"),
    ]
}


def allowed(question: Question, seen: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of an answer, and :data:`OTHER` for what has none of the forms of its question."""
    return {name: seen[name] if form(seen[name]) else OTHER for name, form in question.facts.items() if name in seen}
