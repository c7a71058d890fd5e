"""Each question of aws-check is in docs/limits.md, and limits.md names no other; operations.md says what it may need."""

import re
from pathlib import Path

from tests.tools.aws_check.questions import QUESTIONS

LIMITS = Path("docs/limits.md").read_text(encoding="utf-8").partition("## What only a real AWS account can show")[2]
ROWS = [line.strip("| ").split(" | ") for line in LIMITS.splitlines() if line.startswith("| ")]
CELL = re.compile(r"no|partly, there: all|(?:(?:[a-z, ]+: )?`[a-z-]+`(?:[,;] |$))+")


def test_every_row_of_an_open_question_says_whether_aws_check_answers_it() -> None:
    assert len(ROWS) > 50
    assert {len(row) for row in ROWS} == {3}
    assert [row[0] for row in ROWS if row[1] != "open question" and not CELL.fullmatch(row[0])] == []


def test_limits_names_the_questions_of_aws_check_and_no_others() -> None:
    named = {name for row in ROWS if row[1] != "open question" for name in re.findall(r"`([a-z-]+)`", row[0])}
    assert named == QUESTIONS.keys()
