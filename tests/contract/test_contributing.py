"""The recipes in CONTRIBUTING.md can be followed: every file exists, and the example is in each of them."""

import re
from pathlib import Path

import pytest

CONTRIBUTING = Path("CONTRIBUTING.md").read_text(encoding="utf-8")
_, *SECTIONS = re.split(r"^### (.+)\n", CONTRIBUTING.partition("## Recipes")[2], flags=re.MULTILINE)
RECIPES = dict(zip(SECTIONS[::2], SECTIONS[1::2], strict=True))
ITEM = re.compile(r"^(\d+)\. (.+(?:\n   .+)*)", re.MULTILINE)
PATH = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.\w+)`")
SOMETIMES = "(only if "


def items(recipe: str) -> list[tuple[int, str]]:
    """The numbered steps of a recipe."""
    return [(int(number), " ".join(text.split())) for number, text in ITEM.findall(RECIPES[recipe])]


def files(text: str) -> list[Path]:
    """The files that a step names before it says what to do: those to touch, by their whole path."""
    return [Path(path) for path in PATH.findall(text.partition(": ")[0])]


def named(recipe: str) -> set[Path]:
    """Every file that a recipe names."""
    return {path for _, text in items(recipe) for path in files(text)}


def has(path: Path, example: str) -> bool:
    """Whether the example occurs in a file, or is what the file is named after."""
    word = re.compile(rf"(?<![a-z]){re.escape(example)}(?![a-z])", re.IGNORECASE)
    return bool(word.search(path.name) or word.search(path.read_text(encoding="utf-8")))


def test_the_recipes_are_these() -> None:
    assert list(RECIPES) == ["A new parameter", "A new language", "A new report format", "A new filter member", "A new message"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_can_be_followed_with_its_example(recipe: str) -> None:
    (example,) = re.findall(r"^Example: `([^`]+)`", RECIPES[recipe], re.MULTILINE)
    steps = items(recipe)
    assert [number for number, _ in steps] == list(range(1, len(steps) + 1))
    for _, text in steps:
        assert files(text), f"no file to touch: {text}"
        assert [path for path in files(text) if not path.is_file()] == []
        if SOMETIMES not in text:
            assert [path for path in files(text) if not has(path, example)] == [], f"{example} is not in it"


def test_a_new_language_is_added_wherever_the_last_one_was() -> None:
    layers = [*Path("layers").rglob("*.py")]
    catalogues = {path for path in layers if path.stem.endswith("_ja")}
    choosing = {
        path for path in layers if path not in catalogues and re.search(r"\bja\b|_ja\b", path.read_text(encoding="utf-8"))
    }
    assert catalogues
    assert catalogues | choosing <= named("A new language")


def test_a_parameter_is_set_wherever_the_last_one_was() -> None:
    deployed = [Path("template.yaml"), Path("samconfig.toml"), Path("docs/configuration.md")]
    assert {path for path in deployed if has(path, "NotifyOn")} <= named("A new parameter")


@pytest.mark.parametrize("name", re.findall(r"`make ([a-z-]+)`", CONTRIBUTING))
def test_a_target_that_is_named_exists(name: str) -> None:
    assert re.search(rf"^{name}:.*## ", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE)
