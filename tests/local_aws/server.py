"""Starts and stops the process of the embedded AWS, and makes clients for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "eu-west-1"

IDLE_SECONDS = 20.0
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class LocalAwsError(Exception):
    """The embedded AWS did not start, or refused a control request."""


class Batch:
    """Control requests whose answers are not needed."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Mapping[str, Any]]] = []

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Keep a request until the batch is sent."""
        self.posts.append((path, body or {}))
        return {}


class LocalAws:
    """An embedded AWS in a child process, for as long as the context lasts.

    Parameters
    ----------
    log
        File for everything the emulator and its functions print.
    patches
        Which patches of MiniStack to install: "all", "none" (plain MiniStack) or a comma list of module names.
    wait_scale
        Factor on the state machines' waits and retry pauses; 0 leaves them out.
    processes
        How many processes a function may have at once; further invocations wait for one. 0 sets no bound.
    concurrency
        How many functions may run at once in all; further invocations are throttled, as AWS does it. 0 sets no bound.
    idle_seconds
        After which a function's process that is not used ends. The fault matrix would hold some 400 of them, 20 GB.
    """

    def __init__(
        self,
        log: Path,
        *,
        patches: str = "all",
        wait_scale: float = 1.0,
        processes: int = 0,
        concurrency: int = 0,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._log = log
        self._patches = patches
        self._wait_scale = wait_scale
        self._processes, self._concurrency, self._idle_seconds = processes, concurrency, idle_seconds
        self._port = _free_port()
        self._scratch = tempfile.TemporaryDirectory(prefix="local-aws-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process_id(self) -> int:
        """The emulator's process, which leads the group of its functions' processes."""
        if self._process is None:
            raise LocalAwsError("the embedded AWS is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [REPOSITORY / ".venv-emulator/bin/python", "-m", "tests.local_aws.emulator"],
                cwd=REPOSITORY,
                env=self._environment(),
                # Never written to. It closes when this process ends, and that ends the emulator.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
                raise LocalAwsError(f"the embedded AWS did not start; the end of {self._log}:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the emulator and its functions' processes."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        # The functions' processes are in the emulator's group, which outlives it while one of them does.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None
        self._scratch.cleanup()

    def client(self, service: str, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> Any:
        """Return a client with all rights in an account. Accounts are isolated from each other."""
        return self._client(service, region, account, "test")

    def role_client(self, service: str, role_arn: str, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> Any:
        """Return a client that may do what a role may do."""
        sts = self.client("sts", account=account, region=region)
        session = sts.assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return self._client(service, region, session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Post JSON to one of the emulator's own routes and return its answer.

        Raises
        ------
        LocalAwsError
            When the route refuses the request.
        """
        request = urllib.request.Request(self.endpoint_url + path, json.dumps(body or {}).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise LocalAwsError(f"{path}: {error.read().decode(errors='replace')}") from error

    def set_wait_scale(self, scale: float) -> None:
        """Change the factor on waits and retry pauses, also for executions that run."""
        name = "stepfunctions._SFN_WAIT_SCALE"
        if self.control("/_ministack/config", {name: scale})["applied"] != {name: scale}:
            raise LocalAwsError(f"the emulator refused the wait scale {scale}")

    def log_text(self) -> str:
        """Return everything that the emulator and its functions have printed."""
        return self._log.read_text(errors="replace")

    def reset(self) -> None:
        """Forget all accounts' resources and end what runs."""
        self.control("/_ministack/reset")

    @contextlib.contextmanager
    def batch(self, account: str, region: str = DEFAULT_REGION) -> Iterator[Batch]:
        """Collect control requests of one account in a Region, and send them as one when the context ends."""
        batch = Batch()
        yield batch
        self.control("/_local/batch", {"account": account, "region": region, "posts": batch.posts})

    def _environment(self) -> dict[str, str]:
        # Built from nothing, so that no AWS or emulator setting of the developer's shell changes a test.
        return {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "EMULATOR_PATCHES": self._patches,
            "GATEWAY_PORT": str(self._port),
            "HOME": self._scratch.name,
            "IOT_MTLS_ENABLED": "0",
            **({"LAMBDA_ACCOUNT_CONCURRENCY": str(self._concurrency)} if self._concurrency else {}),
            "LAMBDA_PROCESSES": str(self._processes),
            "LAMBDA_IDLE_SECONDS": str(self._idle_seconds),
            "LAMBDA_RUNTIME_PYTHON": str(REPOSITORY / ".venv-runtime/bin/python"),
            "MINISTACK_REGION": DEFAULT_REGION,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
            "SFN_WAIT_SCALE": str(self._wait_scale),
            "TMPDIR": self._scratch.name,
            "TZ": "UTC",
        }

    def _client(self, service: str, region: str, key: str, secret: str, token: str | None = None) -> Any:
        # The stubs type a client by a literal name; here the name is a variable.
        make: Any = boto3.client
        return make(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False


def location_of(region: str) -> dict[str, Any]:
    """Return what CreateBucket takes beside the name. In us-east-1, and only there, S3 refuses to be given the Region."""
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
