"""Lines that a mail client leaves as they are, in letters of one column and of two."""
# ruff: noqa: RUF001 - signs of Japanese, and those that only look alike

import time

import pytest

from findings_exporter.model.text import (
    LINE_CHARACTERS,
    clean,
    cut_to_line,
    each_text,
    in_chat,
    in_mail,
    shown_lines,
    width,
    wrapped,
)
from tests.builders.report_builders import hang_guard


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("shop/api", "shop/api"),
        ("  a \t b\r\n\n c\u2028d\x85e\u3000f ", "a b c d e f"),
        ("a\x00b\x1b[31mc\x7f", "a b [31mc"),
        ("user\u202egpj.exe\u2066\u061c\u200f", "usergpj.exe"),
        ("<!chan\u200bnel\u2060>\ufeff", "<!channel>"),
        ("pay\u00adpal", "paypal"),
        ("a\U000e0041\U000e007fb\u180ec\u115fd\u3164e\uffa0f\u034fg\u2800h", "abcdefgh"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("\ufffe\U0010ffffx\ue000", "x"),
        ("検出結果、（重大）「夜」々ー", "検出結果、（重大）「夜」々ー"),
        ("が ﾊﾟ e\u0301", "が ﾊﾟ e\u0301"),
        ("葛\U000e0100飾", "葛飾"),
        ("👨\u200d👩\u200d👧 ☎\ufe0f 👍🏽", "👨👩👧 ☎ 👍🏽"),
        ("สวัสดี שלום مرحبا", "สวัสดี שלום مرحبا"),
        (7, "7"),
        ("", ""),
    ],
)
def test_a_text_from_elsewhere_is_shown_on_one_line_with_nothing_hidden(text: object, shown: str) -> None:
    assert clean(text, 100) == shown
    assert clean(shown, 100) == shown


def test_a_text_from_elsewhere_is_cut_when_it_is_clean() -> None:
    assert clean("\u200b" * 1_000 + "x" * 9, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("text", "mail", "chat"),
    [
        ("CVE-2026-1 (openssl)", "CVE-2026-1 (openssl)", "CVE-2026-1 (openssl)"),
        ("s3://bucket/a.b/c", "s3://bucket/a.b/c", "s3://bucket/a.b/c"),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/∗"),
        ("https://evil.example/a.b?c", "https[://]evil[.]example/a.b?c", "https[://]evil[.]example/a.b?c"),
        (
            "-https://a.b 1https://c.d ://e.f",
            "-https[://]a[.]b 1https[://]c[.]d [://]e[.]f",
            "-https[://]a[.]b 1https[://]c[.]d [://]e[.]f",
        ),
        ("(s3://b/k) xs3://a.b .s3://c.d", "(s3://b/k) xs3[://]a[.]b .s3[://]c[.]d", "(s3://b/k) xs3[://]a[.]b .s3[://]c[.]d"),
        ("HTTP://user@evil.example", "HTTP[://]user@evil[.]example", "HTTP[://]user＠evil[.]example"),
        (
            "slack://x ms-settings:// a+b.c-d://h",
            "slack[://]x ms-settings[://] a+b.c-d[://]h",
            "slack[://]x ms-settings[://] a+b.c-d[://]h",
        ),
        ("WWW.evil.example _www.a www.b", "WWW[.]evil.example _www[.]a www[.]b", "WWW[.]evil.example _www[.]a www[.]b"),
        ("[in](https://evil.example)", "[in](https[://]evil[.]example)", "[in] (https[://]evil[.]example)"),
        (
            "<!here> <@U1> <#C1> <https://e.e|x>",
            "<!here> <@U1> <#C1> <https[://]e[.]e|x>",
            "‹!here› ‹＠U1› ‹#C1› ‹https[://]e[.]e|x›",
        ),
        ("@channel @babel/core a@b", "@channel @babel/core a@b", "＠channel ＠babel/core a＠b"),
        ("`a` *b* &lt;!here&gt;", "`a` *b* &lt;!here&gt;", "'a' ∗b∗ ＆lt;!here＆gt;"),
    ],
)
def test_a_text_is_escaped_for_its_medium(text: str, mail: str, chat: str) -> None:
    assert (in_mail(text), in_chat(text)) == (mail, chat)
    assert (in_mail(mail), in_chat(chat)) == (mail, chat)


@pytest.mark.parametrize("text", ["a" * 200_000, "a://" * 50_000, "www." * 50_000, "\u200b \u202e" * 50_000, "](" * 100_000])
def test_a_text_of_any_length_takes_time_in_proportion(text: str) -> None:
    begun = time.process_time()
    in_chat(clean(text, 10**9))
    assert time.process_time() - begun < 2


def test_each_text_of_a_value_is_changed_but_what_is_to_stay() -> None:
    value = {"a": ["x", {"b": "y", "n": 1}], "c": {"d": "z"}, "e": None}
    assert each_text(value, lambda name, text: f"{name}={text}", frozenset({"c"})) == {
        "=a": ["a=x", {"=b": "b=y", "=n": 1}],
        "=c": {"d": "z"},
        "=e": None,
    }
