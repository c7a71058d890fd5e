"""Messages to the home Region are read with care: whoever may send may write anything."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from findings_exporter.model.home_messages import (
    MOST_MESSAGE_BYTES,
    MOST_OWNERS_SAID,
    HomeMessage,
    HomeMessageError,
    OwnerNumbers,
    from_json,
    to_json,
)
from tests.builders.summaries import NOW, ended, failed, start

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=20), each, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "message",
    [
        start(),
        start("us-gov-west-1", "a", "b", notes=("no file",)),
        ended(),
        failed(),
        ended(owners=(OwnerNumbers("shop", 3, 1, 0, 2),)),
    ],
)
def test_a_message_comes_as_it_was_sent(message: HomeMessage) -> None:
    assert from_json(to_json(message), NOW) == message


@given(JSON)
def test_any_json_is_read_or_refused(content: Any) -> None:
    with pytest.raises(HomeMessageError):
        from_json(json.dumps(content), NOW)


@example(field="cause", value=" ", kind=ended())  # nothing is left of it
@given(field=st.sampled_from(sorted(json.loads(to_json(ended())))), value=JSON, kind=st.sampled_from([ended(), start()]))
def test_any_value_of_a_field_is_read_or_refused(field: str, value: Any, kind: HomeMessage) -> None:
    try:
        read = from_json(json.dumps(json.loads(to_json(kind)) | {field: value}), NOW)
    except HomeMessageError:
        return
    assert from_json(to_json(read), NOW) == read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", "https://evil.example"),
        ("region", "../eu-west-1"),
        ("report", "a/b"),
        ("report", None),
        ("scheduled_for", "2026-11-30T03:00:00"),
        ("scheduled_for", (NOW + timedelta(days=2)).isoformat()),
        ("scheduled_for", "2020-01-01T00:00:00+00:00"),
        ("outcome", "FINE"),
        ("level", "GOOD"),
        ("open", -1),
        ("open", True),
        ("open", 10**15),
        ("by_severity", [1]),
        ("execution", "a" * 1_000),
        ("owners", [{"owner": ""}]),
        ("owners", [{"owner": "a", "open": 1}] * (MOST_OWNERS_SAID + 1)),
        ("version", "2.0"),
        ("type", "order"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(HomeMessageError, match=rf"^{'owner' if field == 'owners' else field}"):
        from_json(json.dumps(json.loads(to_json(ended())) | {field: value}), NOW)


def test_what_a_later_release_adds_is_left_out() -> None:
    assert from_json(json.dumps(json.loads(to_json(ended())) | {"version": "1.7", "mood": "fine"}), NOW) == ended()


@pytest.mark.parametrize(
    "url", ["https://evil.example/s3", "javascript:alert(1)", "https://eu-west-1.console.aws.amazon.com.evil/x", 7]
)
def test_a_link_leads_to_a_console_of_aws_or_nowhere(url: Any) -> None:
    read = from_json(json.dumps(json.loads(to_json(ended())) | {"page_url": url}), NOW)
    assert read == replace(ended(), page_url=None)


def test_texts_are_cleaned_and_cut() -> None:
    read = from_json(json.dumps(json.loads(to_json(failed())) | {"cause": "a\u202e\nb" + "c" * 9_999}), NOW)
    assert getattr(read, "cause", "").startswith("a bc")
    assert len(getattr(read, "cause", "")) == 400


def test_a_message_stays_small_and_a_large_one_is_refused() -> None:
    owners = tuple(OwnerNumbers("ü" * 63, 10**12, 10**12, 10**12, 10**12) for _ in range(MOST_OWNERS_SAID))
    large = ended(owners=owners, page_url="https://eu-west-1.console.aws.amazon.com/" + "a" * 1_900, cause="ü" * 400)
    assert len(to_json(large).encode()) <= MOST_MESSAGE_BYTES
    with pytest.raises(HomeMessageError, match="bytes"):
        from_json(" " * (MOST_MESSAGE_BYTES + 1), NOW)
