"""The names of findings are found by their ARN hashes, and a damaged names file is an error with a reason."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.comparison.sections import DamagedFileError, write_section
from findings_analysis.output import finding_details, names_format, parquet
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.reading.parquet_columns import DETAIL_COLUMNS, DETAIL_SCHEMA
from tests.builders import daily_runs
from tests.builders.daily_runs import batch, finding, names_file


def hashes(names: str) -> frozenset[bytes]:
    return frozenset(exact_hashes([daily_runs.arn(name) for name in names]))


def test_only_what_is_wanted_is_found_with_all_that_names_it() -> None:
    rows = [finding(name, title=f"title of {name}") for name in "abc"]
    found = finding_details.find(names_file(*rows), hashes("axc"))
    assert sorted(each["title"] for each in found.values()) == ["title of a", "title of c"]
    assert {tuple(each) for each in found.values()} == {DETAIL_COLUMNS}
    assert found.keys() == hashes("ac")
    assert finding_details.find(names_file(), hashes("a")) == {}


def test_a_section_without_a_wanted_finding_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    file = names_file(finding("a"))
    monkeypatch.setattr(names_format, "_record", lambda _: pytest.fail("it was read"))
    assert finding_details.find(file, hashes("b")) == {}


def test_findings_of_many_sections_and_of_other_files_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_format, "SECTION_ROWS", 3)
    file = io.BytesIO()
    writer = NamesWriter(file.write)
    for start in range(0, 20, 2):
        rows = [finding(f"{number}") for number in (start, start + 1)]
        writer.add(exact_hashes([row["finding_arn"] for row in rows]), parquet.record_batch(batch(*rows)))
    writer.add_file(names_file(finding("other")))
    writer.finish()
    assert writer.findings == 21
    file.seek(0)
    wanted = frozenset(exact_hashes([daily_runs.arn(name) for name in ("0", "13", "19", "other")]))
    assert finding_details.find(file, wanted).keys() == wanted


def test_what_is_carried_over_is_written_once_and_what_is_listed_is_named() -> None:
    rows = [finding("a"), finding("b", title="own"), finding("b", title="carried before"), finding("c")]
    kept = io.BytesIO()
    writer = NamesWriter(kept.write)
    listed = finding_details.carry_over(names_file(*rows), hashes("ab"), hashes("bc"), writer)
    writer.finish()
    assert {each["title"] for each in listed.values()} == {"CVE-2026-1 - openssl", "own"}
    assert writer.findings == 2
    kept.seek(0)
    carried = finding_details.find(kept, hashes("abc"))
    assert sorted(each["title"] for each in carried.values()) == ["CVE-2026-1 - openssl", "own"]
    assert carried.keys() == hashes("bc")


def table_of(*rows: dict[str, Any]) -> bytes:
    """The Parquet file of a section."""
    file = io.BytesIO()
    parquet.write_records(DETAIL_SCHEMA, [parquet.record_batch(batch(*rows)).select(list(DETAIL_COLUMNS))], file)
    return file.getvalue()


class TestDamage:
    CONTENT = names_file(*(finding(f"{number}") for number in range(50))).getvalue()

    def read(self, content: bytes) -> None:
        finding_details.find(io.BytesIO(content), frozenset(exact_hashes([daily_runs.arn("7")])))

    @given(st.integers(0, len(CONTENT) - 1))
    def test_a_truncated_file_is_refused(self, length: int) -> None:
        with pytest.raises(DamagedFileError, match="truncated"):
            self.read(self.CONTENT[:length])

    @given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
    def test_a_changed_byte_is_found(self, at: int, change: int) -> None:
        damaged = bytearray(self.CONTENT)
        damaged[at] ^= change
        with pytest.raises(DamagedFileError):
            self.read(bytes(damaged))

    @pytest.mark.parametrize(
        "content",
        [
            b"\0\0\0\0",
            b"\0\0\0\1short",
            b"\0\0\0\1" + exact_hashes([daily_runs.arn("7")])[0] + b"PAR1 and no more",
            b"\0\0\0\2" + exact_hashes([daily_runs.arn("7")])[0] * 2 + table_of(finding("7")),
            b"\0\0\0\1" + exact_hashes([daily_runs.arn("7")])[0] + table_of(),
        ],
    )
    def test_a_forged_section_is_refused(self, content: bytes) -> None:
        file = io.BytesIO()
        names_format.NamesWriter(file.write)
        write_section(file.write, names_format.NAMES_SECTION, content)
        write_section(file.write, names_format.END_SECTION, (1).to_bytes(8))
        with pytest.raises(DamagedFileError):
            self.read(file.getvalue())

    def test_a_file_that_holds_another_number_than_it_says_is_refused(self) -> None:
        file = io.BytesIO(self.CONTENT[: -(9 + 8)])
        file.seek(0, io.SEEK_END)
        write_section(file.write, names_format.END_SECTION, (9).to_bytes(8))
        with pytest.raises(DamagedFileError, match="holds 50 findings, where 9 were written"):
            self.read(file.getvalue())
