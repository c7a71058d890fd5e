"""Release Lock: let the next run have its turn."""

from datetime import datetime

from findings_exporter.aws.lock import Lock
from findings_exporter.model.execution import Execution
from findings_exporter.steps._results import Result


def release_lock(lock: Lock, execution: Execution, now: datetime) -> Result:
    """Release the run's lock; a lock that the run does not hold counts as released.

    Raises
    ------
    StillCreatingError
        A function of the run may still be creating a report.
    """
    lock.release(execution, now)
    return {"state": "RELEASED"}
