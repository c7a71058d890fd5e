"""What the documents name exists: commands, their options, links, and every step and state in docs/architecture.md."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.session import Session

from findings_exporter.aws import run_store
from tests.contract.parts import TASKS, folder_of
from tests.tools import workflow_picture

DOCUMENTS = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"(?<!`)`((?:aws|make|\.venv-sam/bin/sam) [^`\n]+)`(?!`)")
GLOBAL = {"query", "output", "region", "profile", "cli-binary-format", "no-cli-pager", "max-items"}
"""Options that every command of the AWS CLI has, or every one that gives its answer in pages."""
OF_THE_CLI_ALONE = {"cloudformation deploy", "logs tail", "s3 cp", "s3 mb", "s3 rb"}
"""Commands that the AWS CLI makes of several calls."""
RENAMED = {"s3api": "s3", "notification-endpoint": "endpoint"}
"""What the AWS CLI calls otherwise than the API."""
ARCHITECTURE = TEXTS[Path("docs/architecture.md")]


def joined(block: str) -> list[str]:
    """The lines of a block, with those that go on in the next one."""
    return re.sub(r" *\\\n *", " ", block).splitlines()


def commands(program: str) -> list[str]:
    """Every command of a program in the documents, in blocks and within sentences."""
    lines = [line.strip() for text in TEXTS.values() for block in BLOCK.findall(text) for line in joined(block)]
    lines += [line for text in TEXTS.values() for line in TYPED.findall(text)]
    return sorted({line.partition("  #")[0].strip() for line in lines if line.startswith(f"{program} ")})


@pytest.mark.parametrize("command", commands("aws"))
def test_a_command_of_the_aws_cli_is_one_that_aws_has(command: str) -> None:
    words = shlex.split(re.sub(r"<[^>]*>", "X", command))
    _, service, operation, *rest = words[: words.index("|")] if "|" in words else words
    if f"{service} {operation}" in OF_THE_CLI_ALONE:
        return
    try:
        model = Session().get_service_model(RENAMED.get(service, service))
    except UnknownServiceError:
        pytest.fail(f"AWS has no service {service}")
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{service} has no {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(member, "-") for member in (shape.members if shape else {})}
    members |= {
        f"no-{xform_name(name, '-')}" for name, each in (shape.members if shape else {}).items() if each.type_name == "boolean"
    }
    result = {part[2:].partition("=")[0] for part in rest if part.startswith("--")}
    options = {RENAMED.get(option, option) for option in result}
    assert options <= members | GLOBAL, f"{service} {operation} has {', '.join(sorted(members))}"


def test_a_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {command.split()[1] for command in commands("make")} <= targets


def test_a_command_of_the_sam_cli_is_one_that_it_has() -> None:
    found = commands(".venv-sam/bin/sam")
    assert found
    for subcommand in {command.split()[1] for command in found}:
        printed = subprocess.run([".venv-sam/bin/sam", subcommand, "--help"], capture_output=True, text=True, check=True).stdout
        options = {option for each in found if each.split()[1] == subcommand for option in re.findall(r"--[a-z0-9-]+", each)}
        assert options <= set(re.findall(r"--[a-z0-9-]+", printed)), subcommand


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_a_link_within_the_documents_leads_somewhere(document: Path) -> None:
    for target, _, place in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document])):
        if target.startswith("http"):
            continue
        path = document if not target else (document.parent / target)
        assert path.exists(), f"{document} leads to {target}"
        if place and path.suffix == ".md":
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}
            assert place in anchors, f"{document} leads to {target}#{place}"


@pytest.mark.parametrize("document", DOCUMENTS[1:], ids=str)
def test_a_document_is_found_from_the_readme(document: Path) -> None:
    assert f"]({document}" in TEXTS[Path("README.md")]


@pytest.mark.parametrize("task", TASKS)
def test_every_step_is_in_the_architecture(task: str) -> None:
    assert f"| {task} | `{folder_of(task)}` |" in ARCHITECTURE


def test_the_diagrams_are_drawn_from_the_definitions() -> None:
    assert workflow_picture.redrawn(ARCHITECTURE) == ARCHITECTURE, "make pictures"


@pytest.mark.parametrize("definition", sorted(Path("statemachine").iterdir()), ids=lambda path: path.name)
def test_a_diagram_has_every_state_and_every_way(definition: Path) -> None:
    states = json.loads(definition.read_text(encoding="utf-8"))["States"]
    inner = [each["ItemProcessor"]["States"] for each in states.values() if each["Type"] == "Map"]
    states = {name: state for part in [states, *inner] for name, state in part.items()}
    diagram = ARCHITECTURE.split(f"<!-- {definition.name}: make pictures -->")[1].split("<!-- end -->")[0]
    names = dict(re.findall(r"^    (?:subgraph )?(\w+)\W+\"(.+)\"\W+$", diagram, re.MULTILINE))
    drawn = {
        (names[begin], names[end]) for begin, end in re.findall(r"^    (\w+) -\.?->(?:\|[^|]*\|)? (\w+)$", diagram, re.MULTILINE)
    }
    assert sorted(names.values()) == sorted(states)
    assert drawn == {
        (name, way)
        for name, state in states.items()
        for part in [state, *state.get("Choices", []), *state.get("Catch", [])]
        for way in [part.get("Next"), part.get("Default")]
        if way
    }


def test_the_architecture_says_how_long_items_are_kept() -> None:
    kept = {"EXECUTION#": run_store.EXECUTION_KEPT, "REPORT#": run_store.HISTORY_KEPT, "SCHEDULED#": run_store.CLAIM_KEPT}
    for item, time in kept.items():
        assert re.search(rf"^\| `{item}.*\| after {time.days} days \|$", ARCHITECTURE, re.MULTILINE), item


def test_the_glossary_has_one_meaning_a_word_and_uses_no_retired_one() -> None:
    words, _, retired = TEXTS[Path("docs/glossary.md")].partition("## Words we do not use")
    defined = [
        word for names in re.findall(r"^\| ([^|`-][^|]*) \|", words, re.MULTILINE) for word in names.split(", ") if word != "word"
    ]
    assert len(defined) > 50
    assert sorted(defined) == sorted(set(defined))
    rows = [line.strip("| ").split(" | ") for line in retired.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row[0] == "instead of"] == [["instead of", "write"], ["instead of", "write", "still right"]]
    refused = [word for row in rows if row[0] != "instead of" for word in row[0].split(", ")]
    assert len(refused) == len(set(refused)) > 40
    assert set(refused) & set(defined) == set()
