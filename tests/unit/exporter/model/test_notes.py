"""A note is its English text, and keeps what it takes to say it in another language: in memory, in a record, cut or nested."""
# ruff: noqa: RUF001 - full-width punctuation is how Japanese is written

import copy
import json
import re
from pathlib import Path
from string import Formatter

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model import notes
from findings_exporter.model.config import Config
from findings_exporter.model.errors import ConfigurationError
from findings_exporter.model.notes import NOTE_TEXTS, RAISED, Note, recognized
from tests.builders.exporter import execution, planned

ME = execution("me")
WAITED = Note("run.waited", run="other")
NESTED = Note(
    "lost.accounts",
    count=1204,
    places=[
        Note("place.types", account="1", types=[notes.named("scan_type", "ec2"), "newType"]),
        Note("place.all", account="2"),
        Note("place.more", count=1202),
    ],
)


def names(text: str) -> set[str]:
    """The names in braces of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_language_has_every_note_with_the_same_names_in_it() -> None:
    english, japanese = NOTE_TEXTS["en"], NOTE_TEXTS["ja"]
    assert list(japanese) == list(english)
    assert {name: names(text) for name, text in japanese.items()} == {name: names(text) for name, text in english.items()}
    same = {
        name
        for name, text in japanese.items()
        if text == english[name] and not re.match(r"priority|scan_type|kind.quoted|policy.quote|owners.fault", name)
    }
    assert same == set()


def test_every_note_is_used_somewhere() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in Path("layers").rglob("*.py") if not path.name.endswith(("_en.py", "_ja.py"))
    )
    groups = set(re.findall(r'f"([a-z_]+)\.\{', code)) | {"severity", "scan_type", "name"}
    ids = {name.removesuffix(".one") for name in NOTE_TEXTS["en"]}
    ids.remove("cause.unknown_answer")  # the state machine says it, see below
    assert [name for name in ids if f'"{name}"' not in code and name.split(".")[0] not in groups] == []


@pytest.mark.parametrize(
    ("note", "english", "japanese"),
    [
        (WAITED, "The run waited: the run other was exporting.", "別の実行 other がエクスポート中だったため、この実行は待機しました。"),
        (Note("read.values", count=1, column="title"), "1 value of title could not be read and was left out.",
         "title の値 1 件を読み取れなかったため、除外しました。"),
        (Note("read.values", count=1204, column="{x}"), "1,204 values of {x} could not be read and were left out.",
         "{x} の値 1,204 件を読み取れなかったため、除外しました。"),
        (NESTED, "Inspector no longer scans everything in 1,204 accounts: 1 (EC2, newType), 2 (all scan types), 1,202 more.",
         "1,204 アカウントで、スキャンされないスキャンタイプがあります: 1（EC2、newType）、2（すべてのスキャンタイプ）、ほか 1,202。"),
        (Note("baseline.filter_changed", at="2026-11-22T03:00:00+00:00"),
         ("The filter differs from that of the earlier reports of this name (the last one is of 22 Nov 2026, 03:00 UTC), so changes are"
         " unknown. The next report with this filter is compared with this one."),
         ("この名前の以前のレポート（最新は 2026年11月22日 03:00 UTC）とフィルターが異なるため、変化は不明です。"
         "同じフィルターの次回のレポートは、今回と比較します。")),
    ],
)  # fmt: skip
def test_it_is_said_in_each_language(note: Note, english: str, japanese: str) -> None:
    assert note == english
    for each in (note, copy.deepcopy(note), notes.from_text(notes.to_text(note)), notes.from_stored(notes.to_stored([note]))[0]):
        assert (notes.in_language(each, "en"), notes.in_language(each, "ja")) == (english, japanese)
        assert notes.in_language(each, "xx") == english


def test_a_text_without_an_id_is_shown_as_it_is() -> None:
    assert notes.in_language("As it is.", "ja") == "As it is."
    assert (notes.to_text("As it is."), notes.from_text("As it is."), notes.cut("As\nit is.", 99)) == ("As it is.",) * 3


@pytest.mark.parametrize(
    "stored",
    [
        {"note": "of.a.newer.release", "values": {}, "text": "Said before."},
        {"note": "run.waited", "values": {"another": 1}, "text": "Said before."},
        {"note": "baseline.filter_changed", "values": {"at": "never"}, "text": "Said before."},
        {"note": "lost.accounts", "values": {"count": 1}, "text": "Said before."},
    ],
)
def test_a_note_of_another_release_is_its_text(stored: dict[str, object]) -> None:
    assert notes.from_text(json.dumps(stored)) == "Said before."
    assert notes.in_language(notes.from_stored(stored), "ja") == "Said before."


@pytest.mark.parametrize("text", ['{"note"', '{"note": 7}', '{"note": ' + "[" * 9_000, '{"note": "x", "values": {}}'])
def test_what_only_begins_like_a_note_is_a_text(text: str) -> None:
    assert notes.from_text(text) == text


def test_one_that_is_cut_stays_a_note_with_short_values() -> None:
    long = Note("run.cancelled_external", report="r" * 500, place="\u202e" + "p" * 500)
    made = notes.cut(long, 200)
    assert isinstance(made, Note)
    assert len(made) <= 200
    assert made.isprintable()
    assert made.endswith("because on_busy is cancel.")
    assert "rrr…" in made.said("ja")
    nested = notes.cut(
        Note("lost.accounts", count=9, places=[Note("place.types", account="x" * 900, types=["y" * 900])] * 3), 300
    )
    assert isinstance(nested, Note)
    assert len(nested) <= 300
    assert len(notes.cut(Note("lost.accounts", count=9, places=["z"] * 900), 100)) == 100


def test_a_record_keeps_it(table: Table) -> None:
    planned(table, ME)
    for note in (WAITED, WAITED, Note("run.create_failed", code="\ud800" * 900), "plain"):
        run_store.note(table, ME, note)
    run_store.note_analysis(table, ME, {"error": "X", "sentence": NESTED})
    run = run_store.load(table, ME)
    assert len(run.notes) == 3
    assert notes.in_language(run.notes[run.notes.index(WAITED)], "ja") == WAITED.said("ja")
    assert run.analysis is not None
    assert notes.in_language(run.analysis["sentence"], "ja") == NESTED.said("ja")


@pytest.mark.parametrize("name", [name for name in NOTE_TEXTS["en"] if name.startswith(RAISED) and name != "cause.input"])
def test_a_cause_is_recognized_by_its_english_text(name: str) -> None:
    values = {each: f"<{each} 1.>" for each in names(NOTE_TEXTS["en"][name])}
    made = Note(name, **values)
    found = recognized(str(made))
    assert isinstance(found, Note)
    assert (found.name, found.values) == (name, values)
    assert found.said("ja") == made.said("ja") != str(made)


@pytest.mark.parametrize("text", ["", "x", "AWS", "The report is late.", "AWS refused", "RequestId: 1 Error: exited"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert recognized(text) is text


def test_what_the_state_machine_says_of_an_unknown_answer_is_recognized() -> None:
    machine = Path("statemachine/export_findings.asl.json").read_text(encoding="utf-8")
    said = set(re.findall(r"'cause': '([^']+)' & ", machine))
    assert len(said) >= 9
    for text in said:
        found = recognized(f"{text}ODD")
        assert isinstance(found, Note)
        assert (found.name, found.values["text"]) == ("cause.unknown_answer", "ODD")


def test_an_exception_of_the_package_is_recognized_by_its_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.from_env({})
    found = recognized(str(caught.value))
    assert isinstance(found, Note)
    assert "環境変数" in found.said("ja")
