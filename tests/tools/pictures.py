"""Pictures of messages, of a preview and of the page: `make pictures`, which needs Chromium.

sources.json has the hash of what each picture was drawn from, so that a test finds an outdated one without drawing it.
"""

from __future__ import annotations

import html
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from findings_analysis.page import render
from findings_exporter import notification
from findings_exporter.preview.message import previewed
from tests.builders import exporter, page_samples, previews
from tests.tools import gallery
from tests.tools.screenshot import ARGUMENTS, chromium

if TYPE_CHECKING:
    from findings_exporter.model.run import Run

DOCS = Path("docs")
SOURCES = DOCS / "gallery/pictures/sources.json"
SHOWN = ("changes", "no-changes", "scan-coverage-lost", "coverage-unknown", "failed-policy")
"""Of the gallery's messages, in English: not every machine has letters for Japanese."""
SIZES = {"page-desktop.png": (1100, 1000), "page-phone.png": (390, 844)}
MESSAGE_SIZE = (1240, 760)
PREVIEW_SIZE = (1100, 820)
SIGNS = {":white_check_mark:": "✔", ":warning:": "⚠", ":rotating_light:": "✖"}
"""A chat shows these as coloured signs, for which not every machine has letters."""
STYLE = """
body { margin: 0; padding: 24px; background: #eef0f3; font: 15px/1.45 sans-serif; color: #1d2530; display: grid;
  grid-template-columns: 700px 1fr; gap: 24px; align-items: start; }
article { background: #fff; border: 1px solid #d5dae1; border-radius: 8px; overflow: hidden; }
header { padding: 12px 18px; border-bottom: 1px solid #d5dae1; font-weight: 700; }
small { display: block; color: #5a6572; font-weight: 400; }
pre { margin: 0; font: 13px/1.4 monospace; white-space: pre-wrap; overflow-wrap: anywhere; padding: 14px 18px; }
div { padding: 14px 18px; overflow-wrap: anywhere; } div pre { background: #f5f6f8; padding: 6px; }
ol { margin: 4px 0 0; padding-left: 20px; }
"""


def message(run: Run) -> str:
    """Return a mail and a chat message side by side, as HTML."""
    of = gallery.LANGUAGES["en"]
    content = notification.chat_message(run, of)["content"]
    steps = "".join(f"<li>{_chat_text(step)}</li>" for step in content["nextSteps"])
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
        f"<article><header><small>Mail</small>{html.escape(notification.subject(run, of))}</header>"
        f"<pre>{html.escape(notification.email(run, of))}</pre></article>"
        f"<article><header><small>Chat</small>{_chat_text(content['title'])}</header>"
        f"<div>{_chat_text(content['description'])}</div>{steps and f'<div><b>Next steps</b><ol>{steps}</ol></div>'}</article>"
    )


def preview() -> str:
    """Return the answer of a preview as the Lambda console shows it, indented JSON from its beginning, as HTML."""
    run_input = json.loads(Path("events/test_export.json").read_text(encoding="utf-8"))
    answer = previewed(exporter.plan(run_input), previews.seen(), exporter.config(TIME_ZONE="Europe/Berlin"), exporter.START)
    shown = json.dumps(answer, indent=2, ensure_ascii=False)
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE} body {{ display: block; }} pre {{ white-space: pre; }}</style>"
        f"<article><header><small>Test event: events/test_export.json</small>Response</header>"
        f"<pre>{html.escape(shown)}</pre></article>"
    )


def _chat_text(text: str) -> str:
    shown = html.escape(text)
    for sign, letter in SIGNS.items():
        shown = shown.replace(sign, letter)
    shown = re.sub(r"```(.*?)```", r"<pre>\1</pre>", shown, flags=re.DOTALL)
    return re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", shown).replace("\n", "<br>")


def pages() -> dict[Path, tuple[str, tuple[int, int]]]:
    """Return what each picture is drawn from, and its size."""
    daily_run = page_samples.ordinary()
    page = render(daily_run, page_samples.trend(daily_run), page_samples.facts())
    found = {DOCS / name: (page, size) for name, size in SIZES.items()}
    found[DOCS / "preview.png"] = (preview(), PREVIEW_SIZE)
    runs = gallery.runs()
    return found | {SOURCES.with_name(f"{name}.png"): (message(runs[name]), MESSAGE_SIZE) for name in SHOWN}


def sources() -> dict[str, str]:
    """Return the analysis of what each picture should be drawn from."""
    return {str(path): sha256(text.encode()).hexdigest() for path, (text, _) in pages().items()}


def main() -> None:
    """Draw all pictures."""
    from playwright.sync_api import sync_playwright

    SOURCES.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for path, (text, (width, height)) in pages().items():
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            tab.set_content(text)
            tab.screenshot(path=path)
            tab.close()
        browser.close()
    SOURCES.write_text(json.dumps(sources(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
