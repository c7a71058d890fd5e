"""Gap: a stack with a saved query of Logs Insights is refused.

Accepts the resource type and does nothing with it: no test queries Logs Insights.

Guards: test_a_stack_may_have_saved_queries.
"""

from typing import Any

from ministack.services.cloudformation import provisioners

type Properties = dict[str, Any]


def _create(_logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    query_id = f"{stack}/{properties['Name']}"
    return query_id, {"QueryDefinitionId": query_id}


def _update(query_id: str, _old: Properties, _new: Properties, _stack: str) -> tuple[str, Properties]:
    return query_id, {"QueryDefinitionId": query_id}


def _delete(_query_id: str, _properties: Properties) -> None:
    """Nothing was kept."""


def install() -> None:
    """Add the resource type."""
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {"create": _create, "update": _update, "delete": _delete}
