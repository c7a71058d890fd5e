"""Each patch says which gap it closes and which tests guard it, and the README lists the patches."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("sealed")

LOCAL_AWS = Path(__file__).parents[1]
EMULATOR = LOCAL_AWS / "emulator"


def patches() -> list[str]:
    tree = ast.parse((EMULATOR / "__main__.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(each.targets[0]): each.value for each in tree.body if isinstance(each, ast.Assign)}
    names: list[str] = list(ast.literal_eval(assigned["PATCHES"]))
    return names


def docstring(patch: str) -> str:
    path = EMULATOR / f"{patch}.py"
    text = (path if path.exists() else EMULATOR / patch / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def guards(patch: str) -> set[str]:
    return set(re.findall(r"\btest_\w+", docstring(patch).partition("Guard")[2]))


def existing_tests() -> set[str]:
    files = list((LOCAL_AWS / "tests").glob("test_*.py"))
    return {file.stem for file in files} | {
        node.name
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("patch", patches())
def test_a_patch_says_which_gap_it_closes_and_names_guards_that_exist(patch: str) -> None:
    assert docstring(patch).startswith("Gap: ")
    assert guards(patch)
    assert guards(patch) <= existing_tests()


def test_the_readme_lists_every_patch_in_the_order_of_installation() -> None:
    table = (LOCAL_AWS / "README.md").read_text(encoding="utf-8").partition("| patch in `emulator/`")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == patches()
