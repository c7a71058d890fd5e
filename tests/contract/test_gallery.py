"""docs/gallery shows what goes out today, no more and no less; its numbers agree, and its Japanese is Japanese."""

import json
import re
from pathlib import Path

import pytest

from tests.tools import gallery, pictures

ANALYZED = gallery.analyzed() | {"owners-and-due-dates": gallery.with_owners()} | gallery.of_owners()
ENGLISH_WORDS = re.compile(r"(?<![\w/.:-])[A-Za-z][a-z']*(?: +[A-Za-z][a-z']*){3,}(?![\w/:-])")
"""Four words in a row: a sentence, or a part of one."""
NAMES = re.compile(
    r"「[^」]*」|Inspector のメッセージ: [^\n]*|https?://\S+|s3://\S+|arn:\S+|CVE-\S+[^\n]*|Port 22 is reachable[^\n]*\n?[^\n]*- TCP|\([^()]*\)"
)
"""What Inspector, AWS and people call things, and what AWS says: it is quoted as it is."""


def test_the_gallery_is_current() -> None:
    stored = {path: path.read_text(encoding="utf-8") for path in gallery.FOLDER.rglob("*.*") if path.parent.name != "pictures"}
    rendered = gallery.render()
    assert sorted(set(stored) ^ set(rendered)) == [], "make messages"
    assert [str(path) for path, text in rendered.items() if stored[path] != text] == [], "make messages"


def test_it_has_a_message_of_each_kind_in_each_language() -> None:
    assert set(gallery.runs()) == set(gallery.SHOWN)
    assert set(gallery.of_owners()) == set(gallery.TO_OWNERS)
    assert set(gallery.summaries()) == set(gallery.SUMMARIES)
    subjects = [each.split("\n")[0] for path, each in gallery.render().items() if path.suffix == ".txt"]
    assert len(set(subjects)) == len(gallery.SHOWN | gallery.TO_OWNERS | gallery.SUMMARIES)
    for start in ("Subject: Inspector ", "Subject: ACTION: ", "Subject: FAILED: "):
        assert [each for each in subjects if each.startswith(start)]


@pytest.mark.parametrize("name", ANALYZED)
def test_its_numbers_agree(name: str) -> None:
    analysis = ANALYZED[name].analysis
    assert analysis is not None
    assert analysis["total"] == analysis["open"] == sum(analysis["by_severity"].values()) == sum(analysis["by_status"].values())
    changes = analysis["changes"]
    if changes is None:
        return
    counts = changes["counts"]
    appeared = counts.get("new", 0) + counts.get("additional_resource", 0)
    assert changes["appeared"] == appeared == sum(changes["appeared_by_severity"].values())
    no_longer_open = counts.get("no_longer_reported", 0) + counts.get("resource_removed", 0)
    assert changes["no_longer_open"] == no_longer_open == sum(changes["no_longer_open_by_severity"].values())
    assert analysis["open"] == appeared + counts.get("still_open", 0) + counts.get("rediscovered", 0)
    for kind in ("worst_new", "worst_no_longer_open"):
        of = changes["appeared_by_severity" if kind == "worst_new" else "no_longer_open_by_severity"]
        listed = [each["severity"] for each in analysis[kind]]
        assert all(listed.count(severity) <= of[severity] for severity in listed)
        assert not of or not listed or listed[0] == next(iter(sorted(of, key=list(gallery.OPEN).index)))
    for severity in {each["severity"] for each in analysis["fix_first"]}:
        of_it = [each["resource_count"] for each in analysis["fix_first"] if each["severity"] == severity]
        assert sum(of_it) <= analysis["by_severity"][severity]


@pytest.mark.parametrize("name", gallery.SHOWN | gallery.TO_OWNERS)
def test_a_japanese_message_has_no_english_sentence(name: str) -> None:
    folder = gallery.FOLDER / "ja"
    subject, mail = (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n", 1)
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["chat"]["content"]
    for text in (mail, content["title"], content["description"], *content["nextSteps"]):
        # What is wrapped is one text.
        flat = re.sub(r"\n +", " ", text)
        assert ENGLISH_WORDS.findall(NAMES.sub("", flat)) == []
    assert subject.startswith("Subject: ")
    assert subject.isascii()


@pytest.mark.parametrize("text", ["Inspector does not scan any more: x", "見ました。 It is not known whether it is so."])
def test_an_english_sentence_would_be_found(text: str) -> None:
    assert ENGLISH_WORDS.findall(text)


def test_the_pictures_are_of_what_goes_out_today() -> None:
    stored = json.loads(pictures.SOURCES.read_text(encoding="utf-8"))
    assert stored == pictures.sources(), "make pictures"
    assert {Path(name) for name in stored} == {*pictures.SOURCES.parent.glob("*.png"), *Path("docs").glob("*.png")}
