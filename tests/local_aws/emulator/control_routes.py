"""Gap: a test cannot control or read what no AWS API offers, such as faults, waits and recorded calls.

Adds a registry of control routes beside MiniStack's own `/_ministack/...`: a patch registers a function with `route`,
and a POST of JSON to that path calls it. A handler runs on a worker thread, so it may block, with MiniStack's request
account and Region set to the ones that the body names. `on_reset` registers what a reset has to clear as well.

`/_local/batch` {"posts": [[path, body], …]} makes several requests in one.

Guards: every test that posts to a control route, test_control_requests_can_be_sent_in_one.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import ministack.app as gateway
from ministack.core.responses import set_request_account_id, set_request_region

type Handler = Callable[[dict[str, Any], str, str], dict[str, Any]]

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "eu-west-1"

_routes: dict[str, Handler] = {}
_reset_hooks: list[Callable[[], None]] = []


def route(path: str) -> Callable[[Handler], Handler]:
    """Register a function of (body, account, region) as the handler of POST requests to a path."""

    def register(handler: Handler) -> Handler:
        _routes[path] = handler
        return handler

    return register


@route("/_local/batch")
def _batch(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    place = {"account": account, "region": region}
    if unknown := [path for path, _ in body["posts"] if path not in _routes]:
        raise ValueError(f"no such routes: {', '.join(unknown)}")
    return {"answers": [_routes[path]({**place, **each}, account, region) for path, each in body["posts"]]}


def on_reset(hook: Callable[[], None]) -> Callable[[], None]:
    """Call a function before MiniStack clears its state."""
    _reset_hooks.append(hook)
    return hook


def install() -> None:
    """Answer registered paths before MiniStack routes the request to a service."""
    shortcuts, reset = gateway._handle_post_body_shortcuts, gateway._reset_all_state

    def reset_all() -> None:
        for hook in _reset_hooks:
            hook()
        reset()

    async def answer(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str) -> Any:
        handler = _routes.get(path)
        if handler is None or method != "POST":
            return await shortcuts(method, path, headers, body, query, request_id)
        status, result = await asyncio.to_thread(_call, handler, body)
        return status, {"Content-Type": "application/json"}, json.dumps(result).encode()

    gateway._handle_post_body_shortcuts = answer
    gateway._reset_all_state = reset_all


def _call(handler: Handler, raw_body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        body = json.loads(raw_body or b"{}")
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        account = str(body.get("account", DEFAULT_ACCOUNT))
        region = str(body.get("region", DEFAULT_REGION))
        set_request_account_id(account)
        set_request_region(region)
        return 200, handler(body, account, region)
    except ValueError as error:
        return 400, {"error": str(error)}
