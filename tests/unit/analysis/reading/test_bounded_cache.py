"""What is remembered is bounded by bytes: values come from a report, and may be of any length."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from findings_analysis.comparison.fingerprints import Fingerprinter
from findings_analysis.comparison.identity import LogicalHashes
from findings_analysis.reading import json_findings, resource_names
from findings_analysis.reading.bounded_cache import ENTRY_BYTES, Remembered, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_a_value_is_made_once_as_long_as_there_is_room() -> None:
    made: list[str] = []
    remembered = Remembered[str, str](lambda value: made.append(value) or value.upper(), most_bytes=10_000)  # type: ignore[func-returns-value]
    assert remembered.of(["a", "b", "a", "b"]) == ["A", "B", "A", "B"]
    assert made == ["a", "b"]


@pytest.mark.parametrize("length", [1, 100, 3000])
def test_no_more_than_so_many_bytes_are_kept_whatever_the_values_length(length: int) -> None:
    remembered = Remembered[str, int](len, most_bytes=100_000)
    most = 0
    for number in range(2000):
        assert remembered[f"{number:0{length}}"] == max(length, len(str(number)))
        assert remembered.bytes == sum(ENTRY_BYTES + size_of(value) for value in remembered)
        most = max(most, remembered.bytes)
    assert 90_000 < most <= 100_000


def test_a_value_larger_than_the_bound_is_not_kept_and_forgets_no_other() -> None:
    remembered = Remembered[str, int](len, most_bytes=10_000)
    assert remembered.of(["a", "b" * 20_000, "c"]) == [1, 20_000, 1]
    assert set(remembered) == {"a", "c"}


def test_a_tuple_is_as_large_as_its_texts() -> None:
    assert size_of(("x" * 1000, None, "y" * 2000)) > 3000


def resource(number: int, tags: list[str]) -> bytes:
    place = {"awsEcrContainerImage": {"imageTags": [f"{number}-{tag}" for tag in tags]}}
    return json.dumps([{"id": f"r{number}", "details": place}]).encode()


def images(tags: list[str]) -> Iterator[bytes]:
    return (resource(number, tags) for number in range(30))


BOUND = 4 << 20
KEYS, RECORDER = LogicalHashes(), Fingerprinter(0)
CACHES: dict[str, tuple[Remembered[Any, Any], Callable[[], Iterator[Any]]]] = {
    "resources with long tags": (json_findings._resources, lambda: images(["t" * 128] * 1000)),
    "resources with short tags": (json_findings._resources, lambda: images(["t"] * 10_000)),
    "scores": (json_findings._nvd_cvss3, lambda: (json.dumps([{"source": f"{n}" + "s" * 30_000}]).encode() for n in range(200))),
    "names of resources": (resource_names._remembered, lambda: (f"{n}" + "n" * 50_000 for n in range(200))),
    "identities of resources": (KEYS._resources, lambda: ((f"{n}" + "n" * 50_000, None) for n in range(200))),
    "identities of vulnerabilities": (KEYS._vulnerabilities, lambda: (f"{n}" + "n" * 50_000 for n in range(200))),
    "identities of packages": (KEYS._packages, lambda: ((f"{n}", *[f"{n}{i}" for i in range(1000)]) for n in range(200))),
    "marks": (RECORDER._marks, lambda: ((f"{n}" + "n" * 50_000, *[None] * 5) for n in range(200))),
}


@pytest.mark.parametrize("name", CACHES)
def test_each_cache_takes_no_more_memory_than_its_bound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered, values = CACHES[name]
    monkeypatch.setattr(remembered, "_most_bytes", BOUND)
    remembered.clear()
    remembered.bytes = 0
    gc.collect()
    tracemalloc.start()
    try:
        most = 0
        for value in values():
            remembered[value]
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        remembered.clear()
        remembered.bytes = 0
        # Beside it there is the value that is being looked up.
    assert most < 1.25 * BOUND
