"""The report's life: plan, lock, report, delivery, runs, messages.

Rules are pure functions over dataclasses with the clock passed in; the functions in ``functions/`` make the AWS clients
and call one function here. ``docs/decisions.md`` says why it is so.
"""

RELEASE = 3
"""The release of the events' shape. A step accepts this one and the previous one, so that an execution that started
before a deployment ends well after it."""
