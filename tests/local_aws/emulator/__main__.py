"""Run the emulator: `python -m tests.local_aws.emulator`, configured by the environment that LocalAws builds.

It ends when its standard input closes, and its functions' processes with it. So no process is left behind when the
process that started it ends, even by a kill.
"""

import importlib
import importlib.util
import os
import signal
import threading

import ministack.app

# The order matters: a later patch may build on an earlier one.
PATCHES = (
    "control_routes",
    "assumed_tls",
    "bucket_owner",
    "principal_arn",
    "policy_simulation",
    "lambda_runtime",
    "process_lifetime",
    "invocations",
    "asynchronous_invocation",
    "metrics",
    "state_machine_language",
    "state_machine_role",
    "map_states",
    "nested_executions",
    "wait_scales",
    "faults",
    "calls",
    "published_messages",
    "scheduler",
    "cloudformation",
    "region_names",
    "event_source_mappings",
    "athena",
    "logs_insights",
    "table_policies",
    "leading_keys",
    "inspector",
)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Install the patches that EMULATOR_PATCHES names ("all", "none" or a comma list), and serve."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    wanted = os.environ.get("EMULATOR_PATCHES", "all")
    for name in PATCHES:
        module = f"{__package__}.{name}"
        if (wanted == "all" or name in wanted.split(",")) and importlib.util.find_spec(module):
            importlib.import_module(module).install()
    ministack.app.main()


if __name__ == "__main__":
    main()
