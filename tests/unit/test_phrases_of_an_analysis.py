"""What an analysis says is English, and keeps what it takes to say it in Japanese: in memory, in a record, cut or nested."""
# ruff: noqa: RUF001 - full-width punctuation is how Japanese is written

import copy
import json
import re
from pathlib import Path
from string import Formatter

import pytest

from findings_exporter import phrases_analysis_en, phrases_analysis_ja, runs
from findings_exporter.phrase import Phrase, from_stored, localized, named, phrase, shortened, to_stored
from findings_exporter.table import Table
from tests.unit.builders import execution, planned

ME = execution("me")
ENGLISH, JAPANESE = phrases_analysis_en.PHRASES, phrases_analysis_ja.PHRASES
NESTED = phrase(
    "lost.accounts",
    count=1204,
    places=[
        phrase("place.types", account="1", types=[named("scan_type", "ec2"), "newType"]),
        phrase("place.all", account="2"),
        phrase("place.more", count=1202),
    ],
)


def names(text: str) -> set[str]:
    """The names in braces of a text, with how a number is written."""
    return {f"{name}:{form}" for _, name, form, _ in Formatter().parse(text) if name}


def test_every_language_has_every_phrase_with_the_same_names_in_it() -> None:
    assert list(JAPANESE) == list(ENGLISH)
    assert {name: names(text) for name, text in JAPANESE.items()} == {name: names(text) for name, text in ENGLISH.items()}
    assert [name for name, text in JAPANESE.items() if text == ENGLISH[name] and not re.match(r"priority|scan_type", name)] == []


def test_every_phrase_is_used_somewhere() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path("layers/analytics").rglob("*.py"))
    groups = {*re.findall(r'f"([a-z_]+)\.\{', code), "severity", "scan_type"}
    ids = {name.removesuffix(".one") for name in ENGLISH}
    assert [name for name in ids if f'"{name}"' not in code and name.split(".")[0] not in groups] == []


@pytest.mark.parametrize(
    ("said", "english", "japanese"),
    [
        (phrase("read.values", count=1, column="title"), "1 value of title could not be read and was left out.",
         "title の値 1 件を読み取れなかったため、除外しました。"),
        (phrase("read.values", count=1204, column="{x}"), "1,204 values of {x} could not be read and were left out.",
         "{x} の値 1,204 件を読み取れなかったため、除外しました。"),
        (NESTED, "Inspector no longer scans everything in 1,204 accounts: 1 (EC2, newType), 2 (all scan types), 1,202 more.",
         "1,204 アカウントで、スキャンされないスキャンタイプがあります: 1（EC2、newType）、2（すべてのスキャンタイプ）、ほか 1,202。"),
        (phrase("baseline.filter_changed", at="2026-11-22T03:00:00+00:00"),
         ("The filter differs from that of the earlier reports of this name (the last one is of 22 Nov 2026, 03:00 UTC), so changes are"
          " unknown. The next report with this filter is compared with this one."),
         "この名前の以前のレポート（最新は 2026年11月22日 03:00 UTC）とフィルターが異なるため、変化は不明です。同じフィルターの次回のレポートは、今回と比較します。"),
    ],
)  # fmt: skip
def test_it_is_said_in_each_language(said: Phrase, english: str, japanese: str) -> None:
    assert said == english
    for each in (said, copy.deepcopy([said])[0], from_stored(json.loads(json.dumps(to_stored([said]))))[0]):
        assert (localized(each, "en"), localized(each, "ja")) == (english, japanese)


@pytest.mark.parametrize(
    "stored",
    [
        {"id": "of.a.newer.release", "values": {}, "text": "Said before."},
        {"id": "read.values", "values": {"another": 1}, "text": "Said before."},
        {"id": "baseline.filter_changed", "values": {"at": "never"}, "text": "Said before."},
    ],
)
def test_a_phrase_of_another_release_is_its_text(stored: dict[str, object]) -> None:
    assert from_stored({"sentences": [stored]}) == {"sentences": ["Said before."]}


@pytest.mark.parametrize("value", [{"id": 7, "values": {}}, {"id": "x", "values": 7}, {"a": [1, None, "x"]}, "plain", None])
def test_what_is_no_phrase_is_read_as_it_was_stored(value: object) -> None:
    assert from_stored(to_stored(value)) == value


def test_one_that_is_cut_stays_a_phrase_with_short_values() -> None:
    made = shortened(phrase("compared.details_unread", key="k" * 500, why="\u202e" + "w" * 500), 200)
    assert isinstance(made, Phrase)
    assert len(made) <= 200
    assert made.isprintable()
    assert "kkk…" in localized(made, "ja")
    places = [phrase("place.types", account="x" * 900, types=["y" * 900])] * 3
    nested = shortened(phrase("lost.accounts", count=9, places=places), 300)
    assert isinstance(nested, Phrase)
    assert len(nested) <= 300
    assert len(shortened(phrase("lost.accounts", count=9, places=["z"] * 900), 100)) == 100
    assert shortened("As\nit is.", 99) == "As it is."


def test_a_record_keeps_it(table: Table) -> None:
    planned(table, ME)
    runs.note_digest(table, ME, {"error": "X", "sentence": NESTED})
    digest = runs.load(table, ME).digest
    assert digest is not None
    assert localized(digest["sentence"], "ja") == localized(NESTED, "ja")
