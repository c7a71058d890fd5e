"""The fingerprint file: written and read as a stream, small, and never believed when it is damaged."""

import io
import json
import random
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_analysis.comparison import fingerprint_format
from findings_analysis.comparison.fingerprint_format import (
    FingerprintReader,
    FingerprintWriter,
    Header,
    Summary,
)
from findings_analysis.comparison.fingerprints import DAY_MS, FINGERPRINT_BYTES, MARKS, SCAN_TYPE, Fingerprinter
from findings_analysis.comparison.sections import DamagedFileError, write_section
from findings_exporter.model.taxonomy import SCAN_TYPES, SEVERITIES
from tests.builders import daily_runs
from tests.builders.daily_runs import TODAY, batch, finding

HEADER = Header(
    "nightly", "run-1", "2026-11-23T03:00:00+00:00", "0123abcd", {"severity": []}, {daily_runs.ACCOUNT: {"ec2": "on"}}
)


def written(records: list[bytes], piece: int = 1_000, findings: int | None = None) -> bytes:
    file = io.BytesIO()
    writer = FingerprintWriter(file.write, HEADER)
    for at in range(0, len(records), piece):
        writer.add(records[at : at + piece])
    writer.finish(Summary(writer.findings if findings is None else findings, {daily_runs.ACCOUNT: {"ec2": len(records)}}, {}))
    return file.getvalue()


def read(content: bytes) -> list[bytes]:
    return list(chain.from_iterable(FingerprintReader(io.BytesIO(content)).blocks()))


def daily_run(count: int) -> list[bytes]:
    """Findings as they are: 60 on a resource, 3 of a vulnerability, analyses at random."""
    dice = random.Random(1)
    rows = [
        finding(
            f"{dice.getrandbits(128):032x}",
            resource_name=f"r{dice.randrange(count // 60)}",
            vulnerability_id=f"v{dice.randrange(count // 3)}",
            severity=dice.choices(["MEDIUM", "HIGH", "CRITICAL"], [50, 45, 5])[0],
            fix_available=dice.choices(["YES", "NO"], [9, 1])[0],
            first_observed_at=int((TODAY - dice.expovariate(1 / 120)) * DAY_MS),
        )
        for _ in range(count)
    ]
    return sorted(Fingerprinter(TODAY).of(batch(*rows)))


def possible(record: bytes) -> bytes:
    """A record whose severity and scan type there are."""
    return record[:MARKS] + bytes([record[MARKS] % (len(SEVERITIES) << 5), record[SCAN_TYPE] % len(SCAN_TYPES)]) + record[26:]


records = st.lists(st.binary(min_size=FINGERPRINT_BYTES, max_size=FINGERPRINT_BYTES).map(possible), max_size=30).map(sorted)


@given(records, st.integers(1, 31))
def test_what_is_written_is_read(given: list[bytes], piece: int) -> None:
    content = written(given, piece)
    reader = FingerprintReader(io.BytesIO(content))
    assert reader.header == HEADER
    assert list(chain.from_iterable(reader.blocks())) == given
    assert reader.summary == Summary(len(given), {daily_runs.ACCOUNT: {"ec2": len(given)}}, {})


def test_more_findings_than_a_block_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_format, "BLOCK_RECORDS", 64)
    many = [number.to_bytes(FINGERPRINT_BYTES) for number in range(1_000)]
    content = written(many, piece=150)
    assert read(content) == many
    assert max(len(block) for block in FingerprintReader(io.BytesIO(content)).blocks()) == 64


def test_a_finding_takes_about_18_bytes() -> None:
    many = daily_run(6_000)
    assert 15 < len(written(many)) / len(many) < 19


def test_a_stream_may_give_less_than_it_was_asked_for() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    many = daily_run(300)
    assert list(chain.from_iterable(FingerprintReader(Slow(written(many))).blocks())) == many


def forged(**values: Any) -> bytes:
    """A header with other values."""
    return json.dumps(asdict(HEADER) | values).encode()


def test_a_file_that_was_read_through_can_be_read_again_and_is_of_the_run_that_was_said(tmp_path: Path) -> None:
    many = daily_run(300)
    path = tmp_path / "keys"
    path.write_bytes(written(many))
    found = fingerprint_format.checked(path, "nightly", "run-1")
    for _ in range(2):
        assert list(chain.from_iterable(found.blocks())) == many
    assert (found.header, found.summary.findings) == (HEADER, 300)
    for report, execution in (("weekly", "run-1"), ("nightly", "run-2")):
        with pytest.raises(DamagedFileError, match="of another run"):
            fingerprint_format.checked(path, report, execution)
    path.write_bytes(written(many)[:-1])
    with pytest.raises(DamagedFileError, match="truncated"):
        fingerprint_format.checked(path, "nightly", "run-1")


class TestDamage:
    CONTENT = written(daily_run(300))

    @given(st.integers(0, len(CONTENT) - 1))
    def test_a_truncated_file_is_refused(self, length: int) -> None:
        with pytest.raises(DamagedFileError, match="truncated"):
            read(self.CONTENT[:length])

    @given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
    def test_a_changed_byte_is_found(self, at: int, change: int) -> None:
        damaged = bytearray(self.CONTENT)
        damaged[at] ^= change
        with pytest.raises(DamagedFileError):
            read(bytes(damaged))

    @given(st.binary(max_size=200), st.booleans())
    def test_anything_else_is_refused(self, content: bytes, begins_well: bool) -> None:
        with pytest.raises(DamagedFileError):
            read((fingerprint_format.MAGIC if begins_well else b"") + content)

    def test_the_message_says_where_it_broke_off(self) -> None:
        with pytest.raises(DamagedFileError, match=r"truncated at its finding 301"):
            read(self.CONTENT[:-10])

    def test_another_version_is_named_as_such(self) -> None:
        with pytest.raises(DamagedFileError, match="version 2, of another release"):
            read(fingerprint_format.MAGIC[:-1] + b"\x02" + self.CONTENT[8:])

    def test_other_rules_of_identity_are_named_as_such(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fingerprint_format, "IDENTITY_VERSION", 3)
        with pytest.raises(DamagedFileError, match="rules of another release"):
            read(self.CONTENT)

    def test_a_file_that_holds_another_number_than_it_says_is_refused(self) -> None:
        with pytest.raises(DamagedFileError, match="holds 3 findings, where 4 were written"):
            read(written(daily_run(300)[:3], findings=4))

    def test_findings_that_are_not_sorted_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fingerprint_format, "BLOCK_RECORDS", 2)
        with pytest.raises(DamagedFileError, match="damaged at its finding 3"):
            read(written(daily_run(300)[:4][::-1]))

    @pytest.mark.parametrize(
        "content",
        [
            (0).to_bytes(4),  # no finding at all
            (1).to_bytes(4) + b"not zlib",
            (2).to_bytes(4) + fingerprint_format._packed([bytes(FINGERPRINT_BYTES)])[4:],  # fewer than it says
            (1).to_bytes(4) + fingerprint_format._packed([bytes(FINGERPRINT_BYTES)] * 2)[4:],  # more than it says
            (fingerprint_format.BLOCK_RECORDS + 1).to_bytes(4),
            fingerprint_format._packed([bytes(SCAN_TYPE) + bytes([len(SCAN_TYPES)]) + bytes(8)]),  # a scan type that there is not
            fingerprint_format._packed([bytes(MARKS) + b"\xe0" + bytes(9)]),  # a severity that there is not
        ],
    )
    def test_a_block_that_does_not_hold_what_it_should_is_refused(self, content: bytes) -> None:
        file = io.BytesIO()
        FingerprintWriter(file.write, HEADER)
        write_section(file.write, fingerprint_format.BLOCK, content)
        with pytest.raises(DamagedFileError, match="damaged at its finding 1"):
            read(file.getvalue())

    @pytest.mark.parametrize(("kind", "content", "expected"), [
        (fingerprint_format.SUMMARY, b"{}", "does not begin with its header"),
        (fingerprint_format.HEADER, b"{}", "header cannot be understood"),
        (fingerprint_format.HEADER, b"no json", "header cannot be understood"),
        (fingerprint_format.HEADER, b"[]", "header cannot be understood"),
        (fingerprint_format.HEADER, b"\xff", "header cannot be understood"),
        (fingerprint_format.HEADER, forged(scanning=7), "header cannot be understood"),
        (fingerprint_format.HEADER, forged(scanning={"1": {"ec2": 1}}), "header cannot be understood"),
        (fingerprint_format.HEADER, forged(filter_criteria=[]), "header cannot be understood"),
        (fingerprint_format.HEADER, forged(report=None), "header cannot be understood"),
        (fingerprint_format.HEADER, forged(filter_criteria="DEEP").replace(b'"DEEP"', b'{"a":' * 9_000 + b"1" + b"}" * 9_000), "header cannot be understood"),
    ])  # fmt: skip
    def test_a_header_must_be_one(self, kind: bytes, content: bytes, expected: str) -> None:
        file = io.BytesIO()
        FingerprintWriter(file.write, HEADER)
        write_section(file.write, kind, content)
        whole = file.getvalue()
        second = whole.index(kind + len(content).to_bytes(4), len(fingerprint_format.MAGIC) + 9)
        with pytest.raises(DamagedFileError, match=expected):
            read(fingerprint_format.MAGIC + whole[second:])

    @pytest.mark.parametrize(
        "content",
        [
            b'{"findings": 0}',
            b'{"findings":0,"open":{"1":{"ec2":-1}},"status_unknown":{}}',
            b'{"findings":0,"open":{"1":{"ec2":1e999}},"status_unknown":{}}',
            b'{"findings":"0","open":{},"status_unknown":{}}',
            b'{"findings":0,"open":{"1":["ec2"]},"status_unknown":{}}',
        ],
    )
    def test_a_summary_that_is_none_is_refused(self, content: bytes) -> None:
        file = io.BytesIO()
        FingerprintWriter(file.write, HEADER)
        write_section(file.write, fingerprint_format.SUMMARY, content)
        with pytest.raises(DamagedFileError, match="summary cannot be understood"):
            read(file.getvalue())

    def test_a_damaged_length_costs_no_memory(self) -> None:
        with pytest.raises(DamagedFileError, match="damaged at its header"):
            read(fingerprint_format.MAGIC + fingerprint_format.HEADER + b"\xff" * 8)
