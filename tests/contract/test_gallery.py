"""docs/gallery shows what goes out today, no more and no less."""

import json
from pathlib import Path

from tests import gallery, pictures


def test_the_gallery_is_current() -> None:
    stored = {
        path: path.read_text(encoding="utf-8") for language in gallery.LANGUAGES for path in (gallery.FOLDER / language).iterdir()
    }
    rendered = gallery.render()
    assert sorted(set(stored) ^ set(rendered)) == [], "make messages"
    assert [str(path) for path, text in rendered.items() if stored[path] != text] == [], "make messages"


def test_what_1_1_told_of_an_export_1_2_still_tells() -> None:
    before = json.loads(Path("tests/contract/export-event-1.1.schema.json").read_text(encoding="utf-8"))
    now = json.loads(Path("docs/export-event.schema.json").read_text(encoding="utf-8"))
    added = {"digest", "digest_failure"}
    assert set(now["properties"]) - set(before["properties"]) == added
    assert {name: each for name, each in now["properties"].items() if name not in added | {"version"}} == {
        name: each for name, each in before["properties"].items() if name != "version"
    }


def test_the_pictures_are_of_what_goes_out_today() -> None:
    stored = json.loads(pictures.SOURCES.read_text(encoding="utf-8"))
    assert stored == pictures.sources(), "make pictures"
    assert {Path(name) for name in stored} == {*pictures.SOURCES.parent.glob("*.png"), *Path("docs").glob("*.png")}
