"""Text as a mail and a chat need it: wrapped lines that can still be pasted, and cuts by rule."""

import re
import textwrap

LINE_CHARACTERS = 76


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Wrap a text. Long words (ARNs, links) stay whole: a broken one cannot be pasted."""
    return textwrap.fill(
        re.sub(r"\s+", " ", text),
        LINE_CHARACTERS,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cut(text: str, most: int) -> str:
    """Cut a text to a length, and show that it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
