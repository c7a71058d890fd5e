"""The page of a summary: every report, no script, no request, and nothing that a Region has written is markup."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from findings_analysis.page.summary_page import summary_page
from findings_exporter.model.home_messages import HomeMessage, OwnerNumbers
from findings_exporter.notification.summary_message import page_lines, summary_event
from tests.builders.exporter import config
from tests.builders.summaries import HOME, NOW, OTHER, ended, failed, start, summary


def page(*messages: HomeMessage, language: str = "en") -> str:
    """The page of what came."""
    home = config(HOME_REGION=HOME, REGIONS=f"{HOME},{OTHER}", LANGUAGE=language)
    made = summary(*messages)
    return summary_page(made, summary_event(made, home, None), page_lines(made, home), home, NOW)


class Texts(HTMLParser):
    """Collects texts and tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_report_has_a_row_with_its_numbers_and_its_link(language: str) -> None:
    made = page(start(), ended(HOME, open=1_234, new=5, page_url=ended(HOME).page_url), language=language)
    assert f'lang="{language}"' in made
    assert "1,234" in made
    assert made.index("us-east-1") < made.index('<th scope="row"><bdi>eu-west-1')
    assert str(ended(HOME).page_url).replace("&", "&amp;") in made


@pytest.mark.parametrize(
    ("messages", "title"),
    [
        ([ended(HOME)], "1 Region was not heard from"),
        ([ended(HOME), failed(OTHER)], "1 report needs attention"),
        ([ended(HOME, level="CHANGES"), ended(OTHER)], "All reports have come; findings have changed"),
        ([ended(HOME), ended(OTHER)], "All reports have come; nothing has changed"),
        ([start(HOME, notes=("no file",)), ended(HOME), ended(OTHER)], "A file of reports could not be used"),
    ],
)
def test_the_title_says_what_matters(messages: list[HomeMessage], title: str) -> None:
    assert f"<h1>{title}</h1>" in page(*messages)


def test_owners_that_cannot_be_added_up_are_said_to_be_unknown() -> None:
    made = page(ended(HOME, owners=(OwnerNumbers("shop", 45),), owner_count=51), ended(OTHER))
    assert "Not added up, because a Region did not send all of its owners." in made
    assert "shop" not in made


def test_it_has_no_script_makes_no_request_and_its_style_has_the_policy_s_hash() -> None:
    made = page(ended(HOME), failed(OTHER))
    seen = Texts(made)
    assert not {"script", "img", "link", "iframe", "form"} & set(seen.tags)
    style = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)[0]
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in made
    assert all(each.startswith(("#", "https://")) for each in seen.addresses)


def test_what_a_region_has_written_is_text() -> None:
    hostile = "<script>alert(1)</script><a href=https://evil.example>x</a>"
    made = page(
        failed(HOME, cause=hostile, outcome="NOT_STARTED"),
        ended(OTHER, owners=(OwnerNumbers("<b>x</b>", 1),)),
        start(HOME, notes=(hostile,)),
    )
    assert "<script>" not in made
    assert "<b>x</b>" not in made
    assert "https://evil.example" not in "".join(Texts(made).addresses)
