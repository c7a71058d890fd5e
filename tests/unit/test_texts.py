"""Lines that a mail client leaves as they are, in letters of one column and of two."""

import pytest

from findings_exporter.texts import LINE_CHARACTERS, cut_to_line, shown_lines, width, wrapped
from tests.unit.report_builders import hang_guard


def test_a_wide_letter_takes_two_columns() -> None:
    assert (width("abc"), width("新規"), width("ｱ")) == (3, 4, 1)


def test_japanese_is_wrapped_by_columns_and_nothing_is_lost() -> None:
    text = "検出結果レポートは、Inspector の「アカウント管理」で確認してください。" * 5
    lines = wrapped(text, "- ", "  ").splitlines()
    assert all(width(line) <= LINE_CHARACTERS for line in lines)
    assert "".join(line[2:] for line in lines).replace(" ", "") == text.replace(" ", "")


def test_a_line_does_not_begin_with_a_sign_that_ends_a_sentence() -> None:
    text = "あ" * 36 + "。" + "い" * 40
    assert all(line[0] not in "。、」" for line in wrapped(text).splitlines())


@pytest.mark.parametrize("before", ["", "日本語の文章。"])
def test_a_link_stays_whole(before: str) -> None:
    link = "https://example.com/" + "x" * 100
    assert link in wrapped(f"{before} {link} word").splitlines()


def test_a_text_is_cut_to_a_line_and_shows_it() -> None:
    assert cut_to_line("x" * 72) == "x" * 72
    assert cut_to_line("x" * 73) == "x" * 71 + "…"
    assert width(cut_to_line("新" * 40)) <= 72


def test_a_long_text_is_cut_in_time_that_grows_as_it_does() -> None:
    with hang_guard():
        assert cut_to_line("新" * 300_000) == "新" * 35 + "…"


def test_a_screen_counts_a_long_line_as_often_as_it_is_wide() -> None:
    assert shown_lines("a\n\n" + "x" * 145) == 5
