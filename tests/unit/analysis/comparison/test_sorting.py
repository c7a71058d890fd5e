"""Sorting, merging, and walking two runs side by side."""

from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_analysis.comparison import sorting
from findings_analysis.comparison.fingerprints import FINGERPRINT_BYTES
from findings_analysis.comparison.sorting import SortedFingerprints, merged, windows

FIRST = slice(0, 1)


def record(number: int) -> bytes:
    return number.to_bytes(FINGERPRINT_BYTES)


def in_blocks(records: list[bytes], sizes: int) -> Iterator[list[bytes]]:
    return (records[at : at + sizes] for at in range(0, len(records), sizes))


numbers = st.lists(st.integers(0, 40), max_size=60)
texts = st.lists(st.binary(min_size=2, max_size=2).map(lambda two: bytes((two[0] % 5, two[1] % 3))), max_size=40).map(sorted)


@given(numbers, st.integers(1, 20), st.integers(1, 9))
def test_whatever_is_put_in_comes_out_sorted_and_once(given: list[int], block: int, piece: int) -> None:
    records = SortedFingerprints(block_records=block)
    for at in range(0, len(given), piece):
        records.add([record(number) for number in given[at : at + piece]])
    for _ in range(2):
        blocks = list(records.blocks())
        assert all(blocks)
        assert list(chain.from_iterable(blocks)) == sorted(record(number) for number in given)


def test_more_than_memory_holds_is_an_error() -> None:
    records = SortedFingerprints(most=2)
    records.add([record(2), record(1)])
    with pytest.raises(match="more than 2 findings"):
        records.add([record(3)])


@given(st.lists(texts, max_size=40), st.integers(1, 7), st.integers(1, 30))
def test_merging_keeps_every_copy(streams: list[list[bytes]], size: int, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "MERGED_AT_ONCE", at_once)
        found = list(merged(in_blocks(stream, size) for stream in streams))
    assert list(chain.from_iterable(found)) == sorted(chain.from_iterable(streams))
    assert all(found)


@pytest.mark.parametrize("streams", [1, 2, 300])
def test_merging_yields_blocks_of_a_useful_size_and_holds_about_one_block_of_each_stream(streams: int) -> None:
    each, count = 50, 60_000
    read = 0

    def counted(blocks: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
        nonlocal read
        for block in blocks:
            read += len(block)
            yield block

    given = [record(number * 7_919 % count) for number in range(count)]
    sizes, held = [], []
    for block in merged(counted(in_blocks(sorted(given[number::streams]), each)) for number in range(streams)):
        sizes.append(len(block))
        held.append(read - sum(sizes))
    assert max(held) <= streams * each
    assert len(sizes) <= count / sorting.MERGED_AT_ONCE + 2
    assert max(sizes) <= streams * each + sorting.MERGED_AT_ONCE + each
    assert sum(sizes) == count


@given(texts, texts, st.integers(1, 7), st.integers(1, 7))
def test_windows_hold_whole_groups_and_know_their_neighbours(
    baseline: list[bytes], current: list[bytes], size: int, other_size: int
) -> None:
    found = list(windows(in_blocks(baseline, size), in_blocks(current, other_size), FIRST))
    assert list(chain.from_iterable(window.baseline for window in found)) == baseline
    assert list(chain.from_iterable(window.current for window in found)) == current
    groups = [{each[FIRST] for each in (*window.baseline, *window.current)} for window in found]
    assert sum(map(len, groups)) == len({each[FIRST] for each in (*baseline, *current)}), "a group was cut"
    at = 0
    for window in found:
        assert window.previous == (current[at - 1] if at else b"")
        at += len(window.current)
        assert window.following == (current[at] if at < len(current) else b"")


def test_windows_stay_small_however_long_a_run_is() -> None:
    daily_run = [record(number) for number in range(1_000)]
    found = list(windows(in_blocks(daily_run, 10), in_blocks(daily_run[::2], 10), slice(0, FINGERPRINT_BYTES)))
    assert max(len(window.baseline) + len(window.current) for window in found) <= 20


def test_a_group_that_is_longer_than_many_blocks_comes_in_one_window() -> None:
    group = [b"b" + record(number)[1:] for number in range(1_000)]
    baseline, current = [b"a" * FINGERPRINT_BYTES, *group, b"c" * FINGERPRINT_BYTES], [*group, b"d" * FINGERPRINT_BYTES]
    found = list(windows(in_blocks(baseline, 3), in_blocks(current, 7), FIRST))
    assert [window.current for window in found if group[0] in window.baseline] == [group]
    assert list(chain.from_iterable(window.current for window in found)) == current
