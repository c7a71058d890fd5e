"""Start functions as forks of a process that has imported their libraries: a cold start then takes a tenth of the time.

A process of a function takes 0.4 s of a processor to import boto3 and Powertools, and the tests start some thousand of them. Here
one server for each set of layers imports what the layers hold of them, and is forked for each process of a function. A fork sees
only its layers and its own code, as before: the server ran nothing else, and the function's own modules are imported in the fork.

It runs twice: in the runtime's environment as a server (``serve``), and as each function's bootstrap (``ask``), whose life is that
of its fork. It uses the standard library alone, since neither has anything else.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PRELOADED = (
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.tracing",
    "boto3",
    "botocore.client",
    "botocore.endpoint",
    "botocore.httpsession",
    "botocore.retries.standard",
    "html.parser",
    "http.server",
    "jinja2",
    "logging",
    "msgspec",
    "runpy",
    "tempfile",
    "urllib.request",
    "uuid",
    "zipfile",
    "zoneinfo",
)
"""What functions import, where their layers have it. Nothing of the exporter: its modules are imported as on AWS."""
SOCKET_VARIABLE = "FORKED_RUNTIME_SOCKET"
LONGEST_REQUEST_BYTES = 1 << 20


def ask(path: str) -> int:
    """Have a process forked with this one's environment, folder and output, and return its exit code when it has ended."""
    environment = {name: value for name, value in os.environ.items() if name != SOCKET_VARIABLE}
    request = json.dumps({"environment": environment, "folder": str(Path.cwd())}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(path)
        socket.send_fds(server, [request], [1, 2])
        answer = server.recv(1)
    # A fork that was killed, or ran out of memory, says nothing.
    return answer[0] if answer else 1


def serve(path: str) -> None:
    """Fork a process for each request, until the emulator ends."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    # The forks are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(128)
        # The emulator holds the other end of the input.
        watched: list[Any] = [listening, sys.stdin]
        while listening in select.select(watched, [], [])[0]:
            asking, _ = listening.accept()
            with asking:
                request, outputs, _, _ = socket.recv_fds(asking, LONGEST_REQUEST_BYTES, 2)
                if request and os.fork() == 0:
                    listening.close()
                    run(asking, json.loads(request), outputs)
                for output in outputs:
                    os.close(output)


def run(asking: socket.socket, request: dict[str, Any], outputs: list[int]) -> None:
    """Become the runtime client of a function."""
    # Whoever asked has been killed when the connection closes, and then so is this process, at once.
    fcntl.fcntl(asking, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(asking, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(asking, fcntl.F_SETFL, fcntl.fcntl(asking, fcntl.F_GETFL) | os.O_ASYNC)
    exit_code = 1
    if select.select([asking], [], [], 0)[0]:
        os._exit(exit_code)  # killed before
    try:
        for output, number in zip(outputs, (1, 2), strict=True):
            os.dup2(output, number)
            os.close(output)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        os.chdir(request["folder"])
        sys.path.insert(0, request["folder"])
        sys.argv = ["awslambdaric", os.environ["_HANDLER"]]
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
        exit_code = 0
    except SystemExit as error:
        exit_code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            asking.send(bytes((exit_code & 0xFF,)))
        os._exit(exit_code)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
        sys.exit()
    sys.exit(ask(os.environ[SOCKET_VARIABLE]))
