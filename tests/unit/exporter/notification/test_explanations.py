"""Each error that a run can end with has a reason and a fix, in words that stand by themselves."""

import re
from pathlib import Path

import pytest

from findings_exporter import errors
from findings_exporter.errors import Failure
from findings_exporter.explanations import EXPLANATIONS, UNKNOWN, explain
from tests.builders.exporter import ACCOUNT, BUCKET, KEY, REGION, client, config

EVERY_ERROR = pytest.mark.parametrize("error", [*EXPLANATIONS, "NobodyKnows"])
PACKAGE = Path("layers/exporter/findings_exporter")


@EVERY_ERROR
def test_an_explanation_is_complete_and_filled_in(error: str) -> None:
    explanation = explain(Failure(error, "x"), config())
    assert explanation.fix
    for text in (explanation.why, *explanation.fix):
        assert text.endswith((".", "}."))
        assert not re.search(r"\{\w+\}|\{\{|\}\}", text)
    assert len(explanation.title) <= 45
    assert explanation.title.isascii()
    assert not explanation.title.endswith(".")


def test_the_deployments_own_names_stand_in_it() -> None:
    told = " ".join(
        text for error in EXPLANATIONS for each in [explain(Failure(error, ""), config())] for text in (each.why, *each.fix)
    )
    for name in (ACCOUNT, BUCKET, KEY, REGION):
        assert name in told


def test_an_unknown_error_is_explained_as_such() -> None:
    assert explain(Failure("NobodyKnows", "x"), config()).title == UNKNOWN.title


def test_every_error_code_of_inspectors_model_is_explained() -> None:
    codes = client("inspector2").meta.service_model.shape_for("ReportingErrorCode").enum
    assert {f"Report.{code}" for code in codes} - set(EXPLANATIONS) == {"Report.NO_FINDINGS_FOUND"}


def test_a_missing_bucket_is_explained_alike_whether_inspector_or_s3_tells_of_it() -> None:
    by_s3, by_inspector = (explain(Failure(error, "x"), config()) for error in ("NoSuchBucket", "Report.BUCKET_NOT_FOUND"))
    assert by_s3 == by_inspector
    assert f"The bucket {BUCKET} does not exist" in by_s3.why


def test_every_failure_that_the_package_tells_is_explained_and_no_other() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    told = set(re.findall(r'\bFailure\(\s*"([A-Za-z.]+)"', sources)) | set(re.findall(r'failure_from\("(\w+)"', sources))
    raised = {name for name in vars(errors) if name.endswith("Error")}
    from_aws = {
        error
        for error in EXPLANATIONS
        if error.startswith(("Report.", "States.", "Workflow.", "Lambda.", "Runtime.", "Sandbox.")) or error == "NoSuchBucket"
    }
    assert told | {"AccessDeniedError", "LockLostError", "ServiceUnavailableError"} <= set(EXPLANATIONS)
    assert set(EXPLANATIONS) <= told | raised | from_aws


def test_every_error_that_ends_a_step_is_explained() -> None:
    ahead, leaves = [errors.ExporterError], set[str]()
    while ahead:
        error = ahead.pop()
        ahead += error.__subclasses__()
        if not error.__subclasses__():
            leaves.add(error.__name__)
    assert leaves >= {"ConfigurationError", "ToldElsewhereError"}
    assert leaves <= set(EXPLANATIONS)
