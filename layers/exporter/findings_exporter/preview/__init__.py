"""Preview an export: what its filter matches now, and what such an export took. Nothing is changed.

Offered: ``preview_export``, ``reading``.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from findings_exporter.aws.attempts import Attempts, schedules
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.plan import make_plan
from findings_exporter.preview.counting import matches
from findings_exporter.preview.message import Seen, invalid, previewed
from findings_exporter.preview.reading import PreviewClients, in_progress, recent_runs


def preview_export(clients: PreviewClients, run_input: object, now: Callable[[], datetime], until: datetime) -> dict[str, Any]:
    """Answer what an execution with an input would export.

    Parameters
    ----------
    run_input
        As an execution takes it; ``{}`` exports with the defaults.
    until
        When the function is surely over.

    Returns
    -------
    dict
        Its JSON Schema is docs/preview.schema.json.
    """
    config, at = clients.config, now()
    plan = make_plan(run_input, config, Execution(f"{config.state_machine_arn}:preview", at))
    if isinstance(plan, Failure):
        return invalid(plan, config, at)
    attempts = Attempts(now, until)
    # In this order: a history can be long.
    seen = Seen(
        matches=matches(clients.inspector2, plan.filter_criteria, attempts),
        in_progress=in_progress(clients, attempts),
        schedules=schedules(clients.scheduler, config, attempts),
        recent_runs=recent_runs(clients, plan, attempts),
    )
    return previewed(plan, seen, config, at)
