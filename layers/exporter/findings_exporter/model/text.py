"""Text as a mail and a chat need it: cleaned, wrapped in lines that can still be pasted, and cut by rule."""

import re
import textwrap
import unicodedata
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

LINE_CHARACTERS = 72
"""As wide as a mail is read everywhere, a quoted one included."""
PIECE = re.compile(r"\s+|[^\s\u1100-\U0003ffff]+|[\u1100-\U0003ffff][、。，．・：；！？）」』】〕\u3099-\u309c々ー]*")  # noqa: RUF001 - as Japanese has them
"""What is not broken: a word, or a wide character with the signs that must not begin a line."""
SHOWN_AS = {"Cc": " ", "Zs": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
"""What is shown for a character that cannot be printed, by its category; of the others nothing is."""
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Printable for Python, and yet not seen: joiners, fillers, variation selectors [Unicode: Default_Ignorable_Code_Point]."""
ADDRESS = re.compile(r"://([^\s/]*)")
"""What makes a link of a text, whatever stands before it, and the host."""
S3_URI = re.compile(r"(?:^|[^a-z0-9+.-])s3", re.ASCII | re.IGNORECASE)
"""Before the sign of an address: no client makes a link of that one."""
WWW = re.compile(r"(?<![a-z0-9])(www)\.", re.ASCII | re.IGNORECASE)
SIMILAR_SIGNS = str.maketrans("<>`*@&", "‹›'∗＠＆")  # noqa: RUF001 - signs that only look alike


def clean(text: object, most: int) -> str:
    """Return a text from elsewhere on one line, without what cannot be seen or turns the direction of what follows, cut.

    Unicode lets the characters that go be left out: an emoji is then shown by its parts, a kanji in its standard form.
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable() and len(shown) <= most and shown == shown.strip() and "  " not in shown:
        return shown  # as most are
    if not shown.isprintable():
        shown = "".join(each if each.isprintable() else SHOWN_AS.get(unicodedata.category(each), "") for each in shown)
    return cut(" ".join(INVISIBLE.sub("", shown).split()), most)


def in_mail(text: str) -> str:
    """Return a text in which a mail client finds nothing to link to: ``https[://]example[.]com``, as is usual for such."""
    text = ADDRESS.sub(_without_link, text)
    return WWW.sub(r"\1[.]", text)


def _without_link(found: re.Match[str]) -> str:
    before = found.string[max(found.start() - 3, 0) : found.start()]
    # What went through here before is left as it is.
    return found[0] if S3_URI.fullmatch(before) or before.endswith("[") else f"[://]{found[1].replace('.', '[.]')}"


def in_chat(text: str) -> str:
    """Return a text that a chat shows as it is: it mentions no one, links nowhere and sets nothing in another type."""
    return in_mail(text).translate(SIMILAR_SIGNS).replace("](", "] (")


def each_text(value: Any, change: Callable[[str, str], str], exact: frozenset[str] = frozenset(), name: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return a value of JSON with each text in it changed, names of fields included.

    Parameters
    ----------
    change
        Takes the name of the field that holds a text, and the text.
    exact
        Names of fields that stay as they are, with all that they hold.
    """
    match value:
        case str():
            return change(name, value)
        case Mapping():
            return {change("", key): each if key in exact else each_text(each, change, exact, key) for key, each in value.items()}
        case list() | tuple():
            return [each_text(each, change, exact, name) for each in value]
    return value


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Wrap a text. Long words (ARNs, links) stay whole: a broken one cannot be pasted."""
    text = re.sub(r"\s+", " ", text)
    if not text.isascii() and any(width(each) > 1 for each in text):
        return _wrapped_by_width(text, first, rest)
    return textwrap.fill(
        text,
        LINE_CHARACTERS,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cut(text: str, most: int) -> str:
    """Cut a text to a length, and show that it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut_to_line(text: str, most: int = LINE_CHARACTERS) -> str:
    """Cut a text to the columns of a line, and show that it was."""
    if width(text) <= most:
        return text
    kept = text[:most]  # each character takes a column at least
    while width(kept) > most - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def width(text: str) -> int:
    """Return how many columns a text takes: two for each wide character of East Asia."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def shown_lines(text: str) -> int:
    """Return how many lines a screen of :data:`LINE_CHARACTERS` columns needs for a text: a long link takes several."""
    return sum(max(ceil(width(line) / LINE_CHARACTERS), 1) for line in text.split("\n"))


def _wrapped_by_width(text: str, first: str, rest: str) -> str:
    lines, line = [], first
    for piece in PIECE.findall(text):
        if width(line + piece.rstrip()) > LINE_CHARACTERS and line.strip():
            lines.append(line.rstrip())
            line = rest + piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])
