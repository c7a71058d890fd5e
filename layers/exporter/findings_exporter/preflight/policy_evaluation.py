"""Resource policies, evaluated as IAM does it; what is not understood is called so, and never guessed.

Truth has three values here (Kleene's logic): a part that is not understood decides nothing where another part decides
already. So a Deny that is not understood makes an Allow unknown, while an Allow that is not understood beside a clear
one does no harm.

Not understood are, on purpose: NotPrincipal, NotAction, NotResource, policy variables, operators for sets, numbers,
dates and addresses, and condition keys whose value at the time of the request is not known here.
[AWS: IAM user guide, policy evaluation logic and JSON policy elements]
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any, Literal

from findings_exporter.model.notes import Note, bounded

type Truth = bool | None
"""True, False, or None: not understood."""
type Ruling = Literal["allowed", "denied", "not allowed", "unknown"]

ELEMENTS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"},
)
ARN_COLONS = 5
IDENTITY = re.compile(r"\d{12}|arn:[a-z-]+:(?:iam|sts)::\d{12}:[^*?]+|A[A-Z]{3}[A-Z0-9]{8,}")
"""One principal of AWS: an account, an ARN, or the unique id that stands where a principal was deleted."""
MOST_SHORTFALLS, SHORTFALL_CHARACTERS = 6, 400


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as IAM sees it.

    Attributes
    ----------
    principal
        A service principal such as ``inspector2.amazonaws.com``, or the ARN of a role.
    context
        Condition keys in lower case. None: AWS sets no such key in this request. A key that is not in here is not known.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, str | None]

    @property
    def is_of_a_service(self) -> bool:
        """Whether a service calls on its own behalf."""
        return not self.principal.startswith("arn:")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says to a request.

    Attributes
    ----------
    outcome
        ``denied`` by a statement, or ``not allowed`` because none allows it.
    statements
        The statements that decide, or that cannot be understood.
    """

    outcome: Ruling
    statements: tuple[str, ...] = ()


def decide(policy: Mapping[str, Any] | None, request: Request, *, is_allowed_elsewhere: bool = False) -> Decision:
    """Evaluate a policy: an explicit Deny wins, else an Allow is needed.

    Parameters
    ----------
    is_allowed_elsewhere
        Another policy allows the request already, so that only a Deny would matter.
    """
    evaluated = [(label, statement.get("Effect"), applies(statement, request)) for label, statement in statements(policy)]

    def those(effects: set[str], truth: Truth) -> tuple[str, ...]:
        return tuple(label for label, effect, applied in evaluated if effect in effects and applied is truth)

    denied, unclear = those({"Deny"}, truth=True), those({"Deny"}, truth=None)
    allowed, perhaps = those({"Allow"}, truth=True), those({"Allow"}, truth=None)
    # A statement of another effect is not one that AWS stores: nothing is known of what it does.
    odd = tuple(label for label, effect, applied in evaluated if effect not in {"Allow", "Deny"} and applied is not False)
    if denied:
        return Decision("denied", denied)
    is_allowed = bool(allowed) or is_allowed_elsewhere
    if not is_allowed and not perhaps and not odd:
        return Decision("not allowed")
    if unclear or odd or not is_allowed:
        return Decision("unknown", unclear + odd + (() if is_allowed else perhaps))
    return Decision("allowed", allowed)


def statements(policy: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a policy's statements, each with the words that name it."""
    found = _listed((policy or {}).get("Statement", []))
    return [(_label(number, each), each if isinstance(each, dict) else {}) for number, each in enumerate(found, 1)]


def applies(statement: Mapping[str, Any], request: Request) -> Truth:
    """Tell whether a statement is about a request."""
    if set(statement) - ELEMENTS:
        return None
    return all_of(truth for _, truth in _parts(statement, request))


def shortfalls(policy: Mapping[str, Any] | None, request: Request) -> list[str]:
    """Say of each Allow that comes near what keeps it from allowing a request."""
    stem = request.principal.split(".")[0]
    shown = []
    for label, statement in statements(policy):
        is_near = _principal(statement, request) is not False or stem in str(statement.get("Principal"))
        if statement.get("Effect") != "Allow" or not is_near:
            continue
        lacking = [part for part, truth in _parts(statement, request) if truth is False]
        if lacking:
            shown.append(bounded(Note("policy.shortfall", statement=label, lacking=lacking), SHORTFALL_CHARACTERS))
    return shown[:MOST_SHORTFALLS]


def all_of(truths: Iterable[Truth]) -> Truth:
    """And, in three values."""
    seen = list(truths)
    return False if False in seen else None if None in seen else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """Or, in three values."""
    seen = list(truths)
    return True if True in seen else None if None in seen else False


def _parts(statement: Mapping[str, Any], request: Request) -> Iterator[tuple[Note, Truth]]:
    """Each part of a statement in words for the case that it is not met, and whether it is met."""
    principal = Note("policy.principal", value=str(statement.get("Principal")), wanted=request.principal)
    yield principal, _principal(statement, request)
    actions, resources = statement.get("Action"), statement.get("Resource")
    yield (
        Note("policy.action", action=request.action),
        _any(actions, lambda pattern: _like(pattern.lower(), request.action.lower())),
    )
    covered = Note("policy.resource", value=str(resources), wanted=request.resource)
    yield covered, _any(resources, lambda pattern: _covers(pattern, request.resource))
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict):
        yield Note("policy.condition"), None
        return
    for operator, block in conditions.items():
        if not isinstance(block, dict):
            yield Note("policy.operator", operator=str(operator)), None
            continue
        for key, values in block.items():
            actual = request.context.get(key.lower())
            value = {"operator": str(operator), "key": str(key), "value": str(values)}
            differs = Note("policy.value", actual=actual, **value) if actual else Note("policy.value_none", **value)
            yield differs, _condition(operator, key, values, request.context)


def _principal(statement: Mapping[str, Any], request: Request) -> Truth:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    if not isinstance(principal, dict) or not principal:
        return None
    return any_of(_of_kind(kind, value, request) for kind, values in principal.items() for value in _listed(values))


def _of_kind(kind: str, value: object, request: Request) -> Truth:
    match kind, value:
        case "AWS", "*":
            return True  # everybody, services too
        case "AWS", str():
            return _is_identity(value, request)
        case "Service", str():
            return _is_service(value, request)
        case "CanonicalUser", _:
            return False if request.is_of_a_service else None
        case "Federated", _:
            return False
        case _:
            return None


def _is_identity(value: str, request: Request) -> Truth:
    if not IDENTITY.fullmatch(value):
        return None
    if request.is_of_a_service:
        return False
    _, partition, _, _, account, role = request.principal.split(":", ARN_COLONS)
    session = f"arn:{partition}:sts::{account}:assumed-role/{role.rsplit('/', 1)[-1]}/"
    if value.startswith(session):
        return None  # one session of the role: a function's name
    # A statement for the account leaves it to the role's own policies, which are checked by themselves.
    return value in {request.principal, account, f"arn:{partition}:iam::{account}:root"}


def _is_service(value: str, request: Request) -> Truth:
    if value == request.principal:
        return True
    service, _, suffix = value.partition(".")
    ours, _, suffix_of_ours = request.principal.partition(".")
    if "*" in value:
        return None
    if not request.is_of_a_service or service != ours:
        return False
    # That an opt-in Region wants its Regional name is documented; what other spellings of a service do is not.
    return False if suffix == "amazonaws.com" and suffix_of_ours.endswith(suffix) else None


def _condition(operator: str, key: str, values: object, context: Mapping[str, str | None]) -> Truth:
    wanted = [str(value).lower() if isinstance(value, bool) else str(value) for value in _listed(values)]
    if key.lower() not in context or any("${" in value for value in wanted):
        return None
    actual = context[key.lower()]
    if operator == "Null":
        return {"true": actual is None, "false": actual is not None}.get("".join(wanted).lower())
    name = operator.removesuffix("IfExists")
    is_negated = name in NEGATED
    compare = OPERATORS.get(NEGATED.get(name, name))
    if compare is None:
        return None
    if actual is None:
        return is_negated or operator != name
    met = any_of(compare(value, actual) for value in wanted)
    return met if met is None or not is_negated else not met


def _covers(pattern: str, arn: str) -> Truth:
    """Match a Resource."""
    if "${" in pattern:
        return None
    return True if pattern == "*" else _arn_like(pattern, arn)


def _arn_like(pattern: str, arn: str) -> Truth:
    """Match the six parts of an ARN one by one: a wildcard stays within its part."""
    if pattern.count(":") < ARN_COLONS:
        return None
    if arn.count(":") < ARN_COLONS:
        return False
    pairs = zip(pattern.split(":", ARN_COLONS), arn.split(":", ARN_COLONS), strict=True)
    return all(_like(part, of_arn) for part, of_arn in pairs)


def _like(pattern: str, text: str) -> bool:
    # What a wildcard has matched is not tried again, so the time grows as the text does. A bracket is no wildcard of IAM's.
    return re.match(translate(pattern.replace("[", "[[]")), text) is not None


def _any(patterns: object, matches: Callable[[str], Truth]) -> Truth:
    """Tell whether one of an element's patterns matches; without the element, its opposite stands there."""
    if patterns is None:
        return None
    return any_of(matches(each) if isinstance(each, str) else None for each in _listed(patterns))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _label(number: int, statement: object) -> str:
    sid = statement.get("Sid") if isinstance(statement, dict) else None
    return Note("policy.statement_sid", number=number, sid=str(sid)) if sid else Note("policy.statement", number=number)


OPERATORS: dict[str, Callable[[str, str], Truth]] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringEqualsIgnoreCase": lambda wanted, actual: wanted.lower() == actual.lower(),
    "StringLike": _like,
    # The two are the same [AWS: IAM user guide].
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
}
"""How a condition's value is compared with the request's."""
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
