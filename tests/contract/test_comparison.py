"""Each cell of docs/comparison.md has a source or says unknown, each source a date, and the README's table follows the page."""

import re
from datetime import date
from pathlib import Path

import pytest
from botocore.session import Session

PAGE = Path("docs/comparison.md").read_text(encoding="utf-8")
TABLES, _, SOURCES = PAGE.partition("\n## Sources\n")
UNKNOWN = "unknown (not found)"
DEFINED = dict(re.findall(r"^\[([A-Z]\d+)\]: (\S+)$", SOURCES, re.MULTILINE))
LISTED = dict(re.findall(r"^\| \[([A-Z]\d+)\] \| .+ \| .+ \| (.+) \|$", SOURCES, re.MULTILINE))
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TABLES.splitlines() if line.startswith("| **")]
CHOICES = re.findall(r"^### (.+)$", TABLES, re.MULTILINE)


def test_every_question_is_answered_for_every_choice() -> None:
    assert len(ROWS) > 20
    assert {len(row) for row in ROWS} == {1 + len(CHOICES)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_cell_has_a_source_or_says_unknown(row: list[str]) -> None:
    without = [cell for cell in row[1:] if not re.search(r"\[[A-Z]\d+\]", cell)]
    assert [cell for cell in without if ";" in cell or not cell.endswith(UNKNOWN)] == []


def test_a_source_has_an_address_and_a_date_and_is_used() -> None:
    assert set(re.findall(r"\[([A-Z]\d+)\]", "\n".join(cell for row in ROWS for cell in row))) == set(DEFINED) == set(LISTED)
    assert all(date.fromisoformat(read_on) for read_on in LISTED.values())


def test_a_source_in_this_repository_exists() -> None:
    local = [address.partition("#")[0] for address in DEFINED.values() if not address.startswith("https://")]
    assert local
    assert [address for address in local if not (Path("docs") / address).exists()] == []


def test_the_readme_names_the_same_choices_in_the_same_order() -> None:
    table = Path("README.md").read_text(encoding="utf-8").partition("](docs/comparison.md)")[2].partition("\n\n")[0]
    named = [name.partition(";")[0] for name in re.findall(r"^\| \w[^|]* \| (\w[^|]*) \|$", table, re.MULTILINE)]
    assert [*named, "This exporter"] == CHOICES


def test_export_jobs_of_security_hub_are_still_what_the_page_says() -> None:
    """If this fails after an upgrade of botocore, read the operation again and change the page."""
    model = Session().get_service_model("securityhub")
    jobs = {name for name in model.operation_names if "ExportJob" in name}
    assert jobs == {"StartExportJobV2", "GetExportJobV2", "ListExportJobsV2", "CancelExportJobV2"}
    request = model.operation_model("StartExportJobV2").input_shape
    assert request
    assert set(request.members) == {"Name", "Destination", "OutputConfiguration", "Scopes", "ClientToken"}
    assert model.shape_for("FindingsExportFormat").metadata["enum"] == ["CSV", "OCSF_JSON"]
    assert len(model.shape_for("ExportFailureCode").metadata["enum"]) == 3
    assert not any("Due" in name for name in model.shape_names)
