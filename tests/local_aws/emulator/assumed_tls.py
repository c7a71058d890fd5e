"""Gap: local traffic is plain HTTP, so a bucket or topic policy that denies `aws:SecureTransport: false` blocks all of it.

Treats each request as one over TLS, so that the product's policies stay as they are deployed. A request with the header
`x-forwarded-proto: http`, which a proxy would set, counts as plain HTTP.

Guards: test_policies_that_demand_tls_let_local_traffic_through, test_a_request_may_say_that_it_came_by_plain_http.
"""

from contextvars import ContextVar
from typing import Any

import ministack.app as gateway
from ministack.core import iam_evaluator

_PLAIN = (b"x-forwarded-proto", b"http")
_is_plain: ContextVar[bool] = ContextVar("is_plain", default=False)


def install() -> None:
    """Mark each request as TLS, unless it says otherwise."""
    serve = gateway.app

    async def serve_noting_transport(scope: dict[str, Any], receive: Any, send: Any) -> None:
        _is_plain.set(_PLAIN in scope.get("headers", ()))
        await serve(scope, receive, send)

    gateway.app = serve_noting_transport
    gateway.pin_request_origin = lambda address, _tls: iam_evaluator.pin_request_origin(address, not _is_plain.get())
