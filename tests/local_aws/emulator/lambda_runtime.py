"""Gap: functions run on a runtime client of MiniStack's own, inside MiniStack's environment.

With it every exception arrives as `Runtime.HandlerError`, a dependency that the layer forgot is found among the
emulator's packages, and JSON logging does nothing. This patch runs functions on AWS' own runtime client, awslambdaric,
in an environment that holds nothing else: error names, log lines and missing modules then show as on AWS. A process of a function
is a fork of one that has its layers' libraries (:mod:`tests.local_aws.emulator.forked_runtime`).

A burst of invocations starts a process for each one, which takes a laptop far longer than AWS. LAMBDA_PROCESSES limits the
processes of a function. A further invocation then waits for one of them, which looks like a slow cold start.

Guards: test_a_function_s_exception_keeps_its_class_name, test_a_function_sees_only_its_layers_and_its_own_code,
test_a_function_that_cannot_be_imported_says_so, test_a_function_has_lambda_s_environment,
test_a_burst_of_invocations_shares_a_few_processes, test_a_function_that_is_timed_out_works_no_more,
test_processes_of_functions_have_hash_seeds_and_modules_of_their_own.
"""

import io
import itertools
import os
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as workers
from ministack.services import lambda_svc, sts

from tests.local_aws.emulator import forked_runtime

_PYTHON = os.environ.get("LAMBDA_RUNTIME_PYTHON", "python3")
_BOOTSTRAP = f'#!/bin/sh\nexec "{_PYTHON}" -I -S "{forked_runtime.__file__}"\n'
_SERVERS_OF_LAYERS = 2
"""Each has another seed for hashes, as processes of a function have: what depends on the order of a set shows."""
_SERVER_START_SECONDS = 30
_KILL_SECONDS = 5

_TURN_SECONDS = 0.01

# What Lambda itself sets and MiniStack knows; everything else of the emulator's environment stays outside.
_RUNTIME_NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
)


class RuntimeClientWorker(workers.ProvidedWorker):  # type: ignore[misc]  # MiniStack is untyped
    """An execution environment whose process is AWS' runtime client."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        package = io.BytesIO(code_zip)
        with zipfile.ZipFile(package, "a") as archive:
            # A fixed date, so that equal code keeps its hash and is unpacked once.
            archive.writestr(zipfile.ZipInfo("bootstrap"), _BOOTSTRAP)
        super().__init__(func_name, config, package.getvalue())

    def kill(self) -> None:
        """Kill the process, and return when it is dead: the fork ends after the process that asked for it."""
        process, output = self._proc, self._log_thread
        process.kill()
        # Their output ends with the last of them.
        output.join(_KILL_SECONDS)

    def _build_handler_class(self, *arguments: Any) -> Any:
        handler = super()._build_handler_class(*arguments)
        # The event's headers and body are two writes: else the second one waits 40 ms for the first one's ACK.
        handler.disable_nagle_algorithm = True
        return handler

    def _await_init(self, init_timeout: float | None = None) -> None:
        try:
            super()._await_init(init_timeout)
        except RuntimeError as error:
            if isinstance(self._init_error, dict):
                message, name = self._init_error["errorMessage"], self._init_error["errorType"]
                raise workers.ProvidedRuntimeError(message, name) from error
            raise


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _layer_path(config: dict[str, Any]) -> str:
    directories = []
    # A later layer lies over an earlier one in /opt.
    for layer in reversed(config.get("Layers", [])):
        root = lambda_svc._provided_runtime_code_dir(lambda_svc._resolve_layer_zip(layer))
        directories += [f"{root}/python", f"{root}/python/lib/{config['Runtime']}/site-packages"]
    return os.pathsep.join(directories)


def _environment(config: dict[str, Any], code_dir: str, inherited: dict[str, str]) -> dict[str, str]:
    own = lambda_svc._runtime_env_vars(config)
    logging = config.get("LoggingConfig") or {}
    log_format = logging.get("LogFormat", "Text")
    level = {"AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", "INFO")} if log_format == "JSON" else {}
    return {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        **level,
        **own,
        **{name: inherited[name] for name in _RUNTIME_NAMES if name in inherited},
        # Not Lambda's: these two make up for /opt and for AWS' own addresses.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (code_dir, _layer_path(config)))),
        forked_runtime.SOCKET_VARIABLE: _server_of(_layer_path(config), config["Runtime"]),
    }


_servers: dict[str, Iterator[str]] = {}
"""The sockets of the servers of each set of layers, in turn."""
_starting_server = threading.Lock()


def _server_of(layer_path: str, runtime: str) -> str:
    with _starting_server:
        if layer_path not in _servers:
            started = [_start_server(layer_path, runtime) for _ in range(_SERVERS_OF_LAYERS)]
            _servers[layer_path] = itertools.cycle(started)
        return next(_servers[layer_path])


def _start_server(layer_path: str, runtime: str) -> str:
    path = tempfile.mkdtemp(prefix="runtime-") + "/socket"
    server = subprocess.Popen(
        # Without the folder of the script, and without the emulator's own environment.
        [_PYTHON, "-P", forked_runtime.__file__, "serve", path],
        env={
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": layer_path,
            "TZ": ":UTC",
        },
        # Never written to. It closes when the emulator ends, and that ends the server.
        stdin=subprocess.PIPE,
    )
    deadline = time.monotonic() + _SERVER_START_SECONDS
    while not Path(path).exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server of forked runtimes did not start")
        time.sleep(_TURN_SECONDS)
    return path


def install() -> None:
    """Run Python functions on the runtime client."""
    worker_class, environment = workers._worker_class_for, lambda_svc._provided_worker_env
    execute, acquire = lambda_svc._execute_function_warm, lambda_svc.acquire_worker
    register_session, registering = sts.register_session, threading.Lock()

    def register_alone(access_key: str, session: dict[str, Any]) -> None:
        # MiniStack walks through all sessions at each cold start. Another one's, meanwhile, would break the walk off:
        # "dictionary changed size during iteration", and the invocation would fail as none does on AWS.
        with registering:
            register_session(access_key, session)

    def acquire_in_turn(*arguments: Any, **options: Any) -> Any:
        while (acquired := acquire(*arguments, **options))[0] is None:
            time.sleep(_TURN_SECONDS)
        return acquired

    def python_environment(config: dict[str, Any], code_dir: str, port: int) -> Any:
        inherited = environment(config, code_dir, port)
        return _environment(config, code_dir, inherited) if _is_python(config) else inherited

    def execute_python(function: dict[str, Any], event: Any, request_id: str) -> Any:
        if _is_python(function.get("config") or function):
            return lambda_svc._execute_function_provided_warm(function, event, request_id)
        return execute(function, event, request_id)

    workers._worker_class_for = lambda config: RuntimeClientWorker if _is_python(config) else worker_class(config)
    lambda_svc._provided_worker_env = python_environment
    lambda_svc._execute_function_warm = execute_python
    sts.register_session = register_alone
    if processes := int(os.environ.get("LAMBDA_PROCESSES", "0")):
        workers._LOCAL_MAX_WORKERS = processes
        lambda_svc.acquire_worker = acquire_in_turn
