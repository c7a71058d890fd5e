"""Refuse words that docs/glossary.md retired, in names, texts and documents.

The glossary has two lists under *Words we do not use*. A word of the first list, or of the second one where nothing is "still
right", is refused everywhere. Any other word of the second list is refused as a name, or as a part of one, in Python.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from bisect import bisect
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GLOSSARY = Path("docs/glossary.md")
SECTION = "## Words we do not use"
NOTHING_ELSE = "–"  # noqa: RUF001 - the sign that the glossary has
TEXTS = {".css", ".html", ".j2", ".js", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", "", ".cfg"}
"""Endings of the files that hold words; a Makefile has none."""

NOT_CHECKED = {
    "CHANGELOG.md": "history",
    "docs/decisions.md": "history",
    "docs/glossary.md": "names the words",
    ".ci/check_words.py": "names what may stay",
    "tests/unit/test_check_words.py": "plants them",
    "tests/contract/releases.json": "what released code sent",
    "uv.lock": "names of packages",
}

ALLOWED = [
    (r"hexdigest|digest_size|\.digest\(|compare_digest", "*.py", "names of hashlib"),
    (r"imageDigest|image_digest|\bdigest\b", "tests/local_aws/emulator/inspector/*", "AWS' word for the hash of an image"),
    (r"\w*(?:digest|DIGEST)\b", "layers/analytics/findings_analysis/reading/*", "AWS' word for the hash of an image"),
    (r"names\.digest", "tests/builders/plain_csv.py", "AWS' word for the hash of an image"),
    (r"_IMAGE_DIGEST", "layers/analytics/findings_analysis/page/rendering.py", "AWS' word for the hash of an image"),
    (r"\bslots=True|__slots__", "*.py", "Python's name"),
    (r"\bwrong\w*|\w+_wrong\b|\w+_wrong_\w+", "*.py", "a wrong value is one that is refused"),
    (r"\w*look(?:s_like|s_up|ed_up|_up|s?_alikes?|ing_up)\w*", "*.py", "ordinary English"),
    (r"night \{day\}", "tests/local_aws/emulator/inspector/findings.py", "a seed: another text would give other findings"),
    (r"\b\w+\.tell\(", "*.py", "a file's method"),
    (r"_sweep_extract_cache", "tests/local_aws/emulator/process_lifetime.py", "MiniStack's name"),
    (r"look_for_it|to_look_at|look_into|where_to_look|to_look_for|WHERE_TO_LOOK", "*.py", "ordinary English"),
]
"""What may stay: a pattern, where it may stand, and the reason."""


class Hit(NamedTuple):
    """A retired word in a file."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word}: write {self.instead}"


class Word(NamedTuple):
    """A retired word, or several words in a row."""

    pattern: re.Pattern[str]
    instead: str
    only_in_names: bool


def retired(glossary: str) -> list[Word]:
    """Return the words that a glossary retires."""
    rows = [line.strip("| ").split(" | ") for line in glossary.partition(SECTION)[2].splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in row] for row in rows if row[0] != "instead of"]
    return [
        Word(_pattern(word.strip("` ")), row[1], len(row) > 2 and row[2] != NOTHING_ELSE)  # noqa: PLR2004 - the third column
        for row in rows
        for word in row[0].split(", ")
    ]


def _pattern(words: str) -> re.Pattern[str]:
    """Match words in prose, ``in_names``, ``inCamelCase`` and ``IN_CONSTANTS``, also with an ending."""

    def one(word: str, *, is_last: bool) -> str:
        ending = r"(?:s|d|ed|ing|er|ers)?(?![a-z])" if is_last else ""
        lower, capital = re.escape(word.lower()), re.escape(word.capitalize())
        upper = rf"(?<![A-Za-z]){re.escape(word.upper())}(?:S|ED|ING)?(?![A-Za-z])"
        return rf"(?:(?<![A-Za-z])(?:{lower}|{capital}){ending}|(?<=[a-z0-9]){capital}{ending}|{upper})"

    parts = re.split(r"[ -]", words)
    between = r"(?:[\s_-]+|(?=[A-Z]))"
    return re.compile(between.join(one(part, is_last=number == len(parts) - 1) for number, part in enumerate(parts)))


def hits(path: str, text: str, words: Sequence[Word]) -> Iterator[Hit]:
    """Yield the retired words of a file."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    allowed = [match.span() for pattern, where, _ in ALLOWED if fnmatch(path, where) for match in re.finditer(pattern, text)]
    for offset, part, is_name in _parts(path, text, starts):
        for word in words:
            if word.only_in_names and not is_name:
                continue
            for match in word.pattern.finditer(part):
                begin, end = offset + match.start(), offset + match.end()
                if not any(first <= begin and end <= last for first, last in allowed):
                    yield Hit(path, bisect(starts, begin), " ".join(match[0].split()), word.instead)


def _parts(path: str, text: str, starts: Sequence[int]) -> Iterator[tuple[int, str, bool]]:
    """Yield each part of a file with its offset, and whether it is a name."""
    if not path.endswith(".py"):
        yield 0, text, False
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME or token.string.strip():
            yield starts[token.start[0] - 1] + token.start[1], token.string, token.type == tokenize.NAME


def files() -> Iterator[str]:
    """Yield the paths of the files that are checked."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)  # noqa: S607 - the git of the PATH
    for path in filter(None, listed.stdout.split("\n")):
        is_text = Path(path).suffix in TEXTS and Path(path).is_file()
        if is_text and path not in NOT_CHECKED:
            yield path


def main() -> int:
    """Print the retired words of all files."""
    words = retired(GLOSSARY.read_text("utf-8"))
    found = [hit for path in files() for hit in hits(path, Path(path).read_text("utf-8"), words)]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
