"""Inspector's findings in this process, for tests that count them: pages and filters as the embedded AWS has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import ParamValidator

from tests.local_aws.emulator.inspector import aggregation, criteria

MODEL = get_session().get_service_model("inspector2")
ANY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": each} for each in ("ACTIVE", "SUPPRESSED", "CLOSED")]}


@dataclass
class FakeFindings:
    """ListFindings and ListFindingAggregations over findings, with what goes wrong at which call.

    Attributes
    ----------
    faults
        By operation and number of its call, from 1: the error instead of an answer.
    most_rows
        Of a page of accounts, whatever is asked for.
    """

    findings: Sequence[Mapping[str, Any]]
    faults: dict[tuple[str, int], ClientError] = field(default_factory=dict)
    most_rows: int = 100
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(endpoint_url="https://fake"))
    _matching: dict[str, list[Any]] = field(default_factory=dict)

    def list_findings(self, **request: Any) -> dict[str, Any]:
        """ListFindings: of every status, unless the filter names some."""
        self._called("ListFindings", request)
        wanted = request["filterCriteria"]
        if (key := str(wanted)) not in self._matching:
            matcher = criteria.matcher(ANY_STATUS | wanted)
            self._matching[key] = list(filter(matcher, self.findings))  # type: ignore[arg-type]
        return self._page("findings", self._matching[key], request, request["maxResults"])

    def list_finding_aggregations(self, **request: Any) -> dict[str, Any]:
        """ListFindingAggregations by account."""
        self._called("ListFindingAggregations", request)
        assert aggregation.problems(request) == []
        rows = [{"accountAggregation": row} for row in aggregation.by_account(self.findings, request)]  # type: ignore[arg-type]
        return self._page("responses", rows, request, self.most_rows)

    def times(self, operation: str) -> int:
        """How often an operation was called."""
        return sum(name == operation for name, _ in self.calls)

    def _called(self, operation: str, request: dict[str, Any]) -> None:
        shape: Any = MODEL.operation_model(operation).input_shape
        found = ParamValidator().validate(request, shape)
        assert not found.has_errors(), found.generate_report()
        self.calls.append((operation, request))
        if error := self.faults.get((operation, self.times(operation))):
            raise error

    def _page(self, name: str, found: list[Any], request: dict[str, Any], most: int) -> dict[str, Any]:
        start = int(request.get("nextToken") or 0)
        more = {"nextToken": str(start + most)} if start + most < len(found) else {}
        return {name: found[start : start + most], **more}
