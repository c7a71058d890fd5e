"""Keys and prefixes in the bucket: fixed by the execution, and read back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import analysis_keys, execution_of, report_id_of, run_prefix
from tests.builders.exporter import HOSTILE_NAMES, REPORT_ID, execution

EXECUTION_NAMES = st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1, max_size=80)


@given(
    name=EXECUTION_NAMES | st.sampled_from(HOSTILE_NAMES), report=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True)
)
def test_an_execution_is_read_back_from_its_prefix(name: str, report: str) -> None:
    each = execution(name)
    prefix = run_prefix("inspector", report, each)
    assert prefix.endswith("/")
    assert execution_of(prefix) == each.id


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "inspector/reports/",
        "inspector/reports/nightly/",
        "inspector/reports/nightly/year=2026/month=11/day=23/",
        "inspector/reports/nightly/year=2026/month=11/day=23/run-1",
        "inspector/reports/nightly/year=2026/month=11/day=23/run-1/more/",
        "inspector/reports/nightly/year=26/month=11/day=23/run-1/",
        "inspector/reports/a/b/year=2026/month=11/day=23/run-1/",
        "/reports/nightly/year=2026/month=11/day=23/run-1/",
        "inspectorreports/nightly/year=2026/month=11/day=23/run-1/",
    ],
)
def test_a_prefix_of_another_layout_belongs_to_no_execution(prefix: str) -> None:
    assert execution_of(prefix) is None


def test_the_day_is_the_utc_day_of_the_start() -> None:
    late = Execution(execution().arn, datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert "/year=2026/month=12/day=31/" in run_prefix("inspector", "nightly", late)


def test_the_files_of_an_analysis_lie_in_one_folder_and_its_parquet_in_the_reports_partition() -> None:
    keys = analysis_keys(
        "inspector", "nightly", Execution(execution("run-1").arn, datetime(2026, 1, 2, tzinfo=UTC)), is_regular=True
    )
    folder = "inspector/analyses/nightly/year=2026/month=01/day=02/run-1"
    assert (keys.document, keys.page) == (f"{folder}/analysis.json", f"{folder}/index.html")
    assert (keys.fingerprints, keys.names) == (f"{folder}/findings.fingerprints", f"{folder}/findings.names")
    assert keys.parquet(1) == "inspector/findings/report=nightly/day=2026-01-02/run-1/0001.parquet"
    assert keys.of_part(12, "names") == f"{folder}/parts/0012.names"


def test_the_parquet_of_a_run_that_does_not_stand_for_its_report_lies_beside_it() -> None:
    keys = analysis_keys("inspector", "nightly", execution(), is_regular=False)
    assert "/report=nightly.other/" in keys.parquet(1)
    assert "/analyses/nightly/" in keys.document


@pytest.mark.parametrize(
    ("name", "found"), [(f"{REPORT_ID}.json", REPORT_ID), (f"{REPORT_ID}.csv", REPORT_ID), ("notes.txt", None)]
)
def test_a_report_is_known_by_the_name_of_its_object(name: str, found: str | None) -> None:
    assert report_id_of(f"some/prefix/{name}", "some/prefix/") == found
    assert report_id_of(f"some/prefix/deeper/{name}", "some/prefix/") is None
