"""Mail and chat speak two languages: the same messages, the same names in them, numbers and times as each writes them."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from string import Formatter

import pytest

from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.notification import remediation, remediation_ja
from findings_exporter.notification.localization import LANGUAGES, Localization
from tests.builders.exporter import START, VARIABLES, config

ENGLISH, JAPANESE = LANGUAGES["en"], LANGUAGES["ja"]
SOURCES = "".join(
    path.read_text(encoding="utf-8") for path in Path("layers/exporter/findings_exporter/notification").glob("*.py")
)


def names(text: str) -> set[str]:
    """The names in braces of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_language_has_every_message_with_the_same_names_in_it() -> None:
    assert list(JAPANESE) == list(ENGLISH)
    assert {key: names(text) for key, text in JAPANESE.items()} == {key: names(text) for key, text in ENGLISH.items()}


def test_every_message_says_something() -> None:
    assert [
        key for texts in LANGUAGES.values() for key, text in texts.items() if not text.strip() and key != "sentence_end"
    ] == []


def test_what_becomes_a_subject_is_ascii_in_english() -> None:
    assert [key for key, text in ENGLISH.items() if not text.isascii()] == []


def test_japanese_is_not_english_left_over() -> None:
    same = {key for key, text in JAPANESE.items() if text == ENGLISH[key]}
    assert same == set()


def test_every_message_is_used_somewhere() -> None:
    used = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)?)"', SOURCES.split("TEXTS = {")[0] + "".join(SOURCES.split("}\n")[1:])))
    groups = set(re.findall(r"""f['"]([a-z_]+)\.""", SOURCES)) | {"severity", "kind"}
    counted = {"account", "resource", "image", "instance", "function", "found", "sum.new", "sum.findings"}
    counted |= {"due.unknown", "owner.missing", "owners.more", "owners.unowned"}
    assert [
        key for key in ENGLISH if key not in used and key.split(".")[0] not in groups and key.rsplit("_", 1)[0] not in counted
    ] == []


def test_every_remediation_is_there_in_japanese_with_the_same_names_in_it() -> None:
    assert set(remediation_ja.REMEDIATIONS) == set(remediation.REMEDIATIONS)
    for error, english in remediation.REMEDIATIONS.items():
        japanese = remediation_ja.REMEDIATIONS[error]
        assert len(japanese.fix) == len(english.fix), error
        assert names(japanese.why) == names(english.why), error
        assert [names(step) for step in japanese.fix] == [names(step) for step in english.fix], error
        assert japanese.title != english.title


@pytest.mark.parametrize(
    ("language", "zone", "expected"),
    [
        ("en", "UTC", "23 Nov 2026, 03:00 UTC"),
        ("en", "Europe/Berlin", "23 Nov 2026, 04:00 CET"),
        ("ja", "Asia/Tokyo", "2026年11月23日 12:00 JST"),
        ("en", "America/Sao_Paulo", "23 Nov 2026, 00:00 UTC-03"),
        ("en", "Mars/Olympus", "23 Nov 2026, 03:00 UTC"),
        ("en", "../etc", "23 Nov 2026, 03:00 UTC"),
    ],
)
def test_a_time_is_written_in_the_schedules_time_zone(language: str, zone: str, expected: str) -> None:
    assert Localization(language, zone).time(START) == expected


@pytest.mark.parametrize(
    ("language", "one", "many"), [("en", "1 resource", "1,204 resources"), ("ja", "1 リソース", "1,204 リソース")]
)
def test_numbers_and_plurals_are_the_languages_own(language: str, one: str, many: str) -> None:
    localization = Localization(language)
    assert (localization.counted("resource", 1), localization.counted("resource", 1204)) == (one, many)


def test_severities_are_listed_worst_first_and_unknown_ones_as_they_are() -> None:
    assert Localization().severities({"LOW": 1, "DREADFUL": 2, "CRITICAL": 3, "HIGH": 0}) == "3 critical, 1 low, 2 DREADFUL"
    assert all(Localization("ja").severity(each) != each for each in SEVERITIES)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0.5, "30 min earlier"), (1, "1 h earlier"), (24, "24 h earlier"), (47, "47 h earlier"), (72, "3 days earlier")],
)
def test_the_age_of_a_baseline_is_written_in_minutes_hours_or_days(hours: float, expected: str) -> None:
    assert Localization().before(timedelta(hours=hours)) == expected


@pytest.mark.parametrize(("written", "spoken"), [("ja", "ja"), ("en", "en"), ("fr", "en"), ("", "en")])
def test_a_language_that_is_not_known_is_english(written: str, spoken: str) -> None:
    assert Localization.of(config(LANGUAGE=written)).language == spoken


def test_a_step_without_messages_does_not_load_languages() -> None:
    code = (
        "import sys, findings_exporter.notification\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'babel', 'zoneinfo'} or name.endswith('remediation_ja')])"
    )
    environment = VARIABLES | {"PYTHONPATH": "layers/exporter"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout == "[]\n"
