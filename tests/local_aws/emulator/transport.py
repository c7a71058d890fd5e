"""Gap: local traffic is plain HTTP, so a bucket or topic policy that denies `aws:SecureTransport: false` blocks all of it.

Counts every request as TLS, as every request to AWS is, so that the product's policies stay as they are deployed.

Guard: test_policies_that_demand_tls_let_local_traffic_through.
"""

import ministack.app as gateway
from ministack.core import iam_evaluator


def install() -> None:
    """Mark each request as TLS."""
    gateway.pin_request_origin = lambda address, _tls: iam_evaluator.pin_request_origin(address, True)
