"""Words that the glossary retires are refused, in whatever medium they stand."""

import importlib.util
import re
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GLOSSARY = """
| instead of | write |
|---|---|
| dark | this table is of another section |

## Words we do not use

### Nowhere

| instead of | write |
|---|---|
| nobody, somebody | name who |
| dark account | scanning deactivated |
| sweep | hourly cleanup |

### Not in this meaning

| instead of | write | still right |
|---|---|---|
| night | scheduled run | – |
| dark | not scanned | a dark color scheme |
| digest | analysis | an image's digest |
"""  # noqa: RUF001 - the sign that the glossary has


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_words", Path(".ci/check_words.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def found(check: Any, path: str, text: str) -> list[tuple[int, str]]:
    return [(hit.line, hit.word) for hit in check.hits(path, text, check.retired(GLOSSARY))]


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [
        ("a.py", "is_dark = True\n", "dark"),
        ("a.py", "def fooNight(): ...\n", "Night"),
        ("a.py", "class DarkAccount: ...\n", "DarkAccount"),
        ("a.py", "DARK_ACCOUNTS = 0\n", "DARK_ACCOUNTS"),
        ("a.py", "result.digest\n", "digest"),
        ("a.py", 'f"{x} swept, somebody"\n', "somebody"),
        ("a.py", '"""Nobody knows."""\n', "Nobody"),
        ("a.py", "x = 1  # nobody reads it\n", "nobody"),
        ("docs/a.md", "Nobody knows.\n", "Nobody"),
        ("docs/a.schema.json", '{"description": "the dark\\u0020account of nobody"}\n', "nobody"),
        ("template.yaml", "Description: A sweep each hour.\n", "sweep"),
        ("statemachine/a.asl.json", '{"Comment": "Tell nobody."}\n', "nobody"),
        ("page.js", "const lastNight = 1;\n", "Night"),
        ("page.css", ".dark-account { color: red }\n", "dark-account"),
        ("page.html.j2", "<p>Two dark accounts\n", "dark accounts"),
        ("Makefile", "help: ## Run the nights\n", "nights"),
    ],
)
def test_a_planted_word_is_found(check: Any, path: str, text: str, word: str) -> None:
    assert (1, word) in found(check, path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "nightly = midnight = 1\n"),
        ("a.py", "sha256(x).hexdigest()\n"),
        ("a.py", '"a dark colour, and the digest of an image"\n'),
        ("page.css", "@media (prefers-color-scheme: dark) {}\n"),
        ("docs/a.md", "The image's digest, nightly.\n"),
    ],
)
def test_what_is_still_right_stays(check: Any, path: str, text: str) -> None:
    assert found(check, path, text) == []


def test_a_phrase_is_found_across_lines_and_named_with_its_line(check: Any) -> None:
    assert found(check, "docs/a.md", "One.\nTwo dark\naccounts.\n") == [(2, "dark accounts")]


def test_a_hit_says_what_to_write(check: Any) -> None:
    (hit,) = check.hits("a.md", "nobody\n", check.retired(GLOSSARY))
    assert str(hit) == "a.md:1: nobody: write name who"


def test_the_glossary_retires_words(check: Any) -> None:
    words = check.retired(check.GLOSSARY.read_text("utf-8"))
    assert len(words) > 40
    assert {word.only_in_names for word in words} == {True, False}


def test_a_retired_word_fails_the_check(
    check: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    planted = tmp_path / "planted.md"
    planted.write_text("Nobody knows.\n")
    monkeypatch.setattr(check, "files", lambda: iter([str(planted)]))
    assert check.main() == 1
    assert f"{planted}:1: Nobody: write" in capsys.readouterr().out
    planted.write_text("It is unknown.\n")
    assert check.main() == 0


def test_the_files_that_are_not_checked_exist(check: Any) -> None:
    assert [path for path in check.NOT_CHECKED if not Path(path).is_file()] == []


def test_every_exception_is_needed(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = check.retired(check.GLOSSARY.read_text("utf-8"))
    texts = {path: Path(path).read_text("utf-8") for path in check.files()}
    whole = list(check.ALLOWED)

    def is_needed(entry: tuple[str, str, str]) -> bool:
        pattern, where, _ = entry
        monkeypatch.setattr(check, "ALLOWED", [each for each in whole if each is not entry])
        using = (path for path, text in texts.items() if fnmatch(path, where) and re.search(pattern, text))
        return any(next(check.hits(path, texts[path], words), None) for path in using)

    assert [entry for entry in whole if not is_needed(entry)] == []
