"""Gap: the process of a function ends when its code is replaced, also while it is at work; an idle one does not end.

AWS lets an invocation that is in progress end with the code that it began with: an update concerns later ones [AWS: Lambda
developer guide, the execution environment]. MiniStack kills the process, and the invocation fails as `Runtime.Unknown`. It also
deletes code that no function names any more, which a process may be about to start with.

And MiniStack keeps one process of each function for good. With a dozen stacks, hundreds of them would lie in memory and wake up
twice a second. Here each process ends when it was not used for LAMBDA_IDLE_SECONDS.

Guards: test_an_update_lets_an_invocation_in_progress_end_with_its_code, test_a_process_that_is_not_used_ends_and_another_one_comes.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime as workers
from ministack.services import lambda_svc

_outgoing: list[Any] = []
"""Processes of replaced code that are at work, or were just now."""
_update = threading.local()


def _end_idle_processes(idle_seconds: float) -> None:
    """End the processes of functions that were not used for so long, again and again."""
    while True:
        time.sleep(idle_seconds / 2)
        since = time.time() - idle_seconds
        with workers._lock:
            idle = [
                (entries, each)
                for entries in [*workers._workers.values(), _outgoing]
                for each in entries
                if not each.in_use and each.last_used < since
            ]
            for entries, each in idle:
                entries.remove(each)
        workers.kill_workers([each for _, each in idle])


def _set_aside(name: str) -> None:
    """Take the processes of a function that are at work out of the pool, so that nothing ends them and no one uses them again."""
    with workers._lock:
        for key, entries in workers._workers.items():
            if key.split(":")[-2] == name:
                _outgoing.extend(each for each in entries if each.in_use)
                entries[:] = [each for each in entries if not each.in_use]


def install() -> None:
    """Let processes end when nothing needs them any more, and not before."""
    invalidate = lambda_svc.invalidate_worker

    def as_an_update(update: Callable[..., Any]) -> Callable[..., Any]:
        def updated(*arguments: Any, **options: Any) -> Any:
            _update.is_on = True
            try:
                return update(*arguments, **options)
            finally:
                _update.is_on = False

        return updated

    def invalidate_idle(name: str, *arguments: Any, **options: Any) -> None:
        # An invocation that fails invalidates its own process: that one is to end.
        if getattr(_update, "is_on", False):
            _set_aside(name)
        invalidate(name, *arguments, **options)

    lambda_svc.invalidate_worker = invalidate_idle
    lambda_svc._update_code = as_an_update(lambda_svc._update_code)
    lambda_svc._update_config = as_an_update(lambda_svc._update_config)
    # The folder of all code is deleted with the emulator.
    lambda_svc._sweep_extract_cache = lambda: None
    threading.Thread(target=_end_idle_processes, args=(float(os.environ["LAMBDA_IDLE_SECONDS"]),), daemon=True).start()
