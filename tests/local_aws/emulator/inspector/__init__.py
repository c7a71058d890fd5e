"""Gap: MiniStack's Inspector has no findings reports (its status answers SUCCEEDED to anything), and lists findings of its own.

Generates findings, takes time for a report, checks bucket and key as the service does, writes the file, and can be made to
fail. The docstrings say how each behavior is known: "AWS" is its documentation or service model, "seen by third parties" is
what others observed, and the rest is named as a guess.

Guard: test_plain_ministack_still_lacks_findings_reports.
"""


def install() -> None:
    """Register the calls, where MiniStack enforces IAM, and the control routes."""
    # Here, because the pure modules of this package are also imported where there is no MiniStack.
    from tests.local_aws.emulator.inspector import details, reports, routes, scanning

    reports.install()
    scanning.install()
    details.install()
    routes.install()
