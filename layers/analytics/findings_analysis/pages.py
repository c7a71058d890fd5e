"""What people get of an analysis: the page of the run, those of its owners, and what the messages to owners need."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from findings_analysis.comparison.watch import OpenFindings
from findings_analysis.output.entries import Entries
from findings_analysis.output.headline import StoredAnalysis, make_headline
from findings_analysis.output.listed import Worst, open_rows
from findings_analysis.output.owned import Owned
from findings_analysis.output.owner_documents import owner_document
from findings_analysis.output.storage import put
from findings_analysis.parts.part_files import keys_of
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.model import notes
from findings_exporter.model.layout import AnalysisKeys
from findings_exporter.model.run import Run
from findings_exporter.notification import links as links_to

logger = logging.getLogger(__name__)

HTML = "text/html; charset=utf-8"
OWNER_MESSAGES_VERSION = "1.0"
FOR_THE_NEXT_RUN = frozenset({"fingerprints_key", "fingerprints_etag", "names_key", "names_etag"})
"""Of a headline; no owner needs them."""


class OpenList(NamedTuple):
    """The worst open findings, as pages list them."""

    worst: Worst
    open_findings: OpenFindings
    entries: Entries

    def of(self, owner: str | None) -> list[dict[str, Any]]:
        """Return those of an owner, or of the whole report."""
        return open_rows(self.worst.get(owner, []), self.open_findings, self.entries)


@dataclass(frozen=True, slots=True)
class Pages:
    """Writes them.

    Attributes
    ----------
    run
        With its delivery.
    history
        Gives the lines of the report's history, the newest first.
    owned
        None where the run knows no owners.
    """

    clients: AnalysisClients
    run: Run
    history: Callable[[], Iterable[Mapping[str, Any]]]
    analysis: Mapping[str, Any]
    owned: Owned | None
    open_list: OpenList

    def store(self, stored: StoredAnalysis) -> StoredAnalysis:
        """Write them, and return where they lie; a page that cannot be made is left out.

        Raises
        ------
        RefusedError
            S3 or KMS does not allow it.
        """
        links = self._links(stored)
        owners = self.owned.listed() if self.owned else []
        messages, with_page = [], set()
        for owner in owners:
            assert self.owned
            document, key = owner_document(self.analysis, self.owned, owner), self._keys.owner_page(owner)
            has_page = self._stores_page(key, document, links | {"report_page": self._link(self._keys.page)}, owner)
            if has_page:
                with_page.add(owner)
            if self._is_notified(owner):
                headline = make_headline(document, replace(stored, page_key=key if has_page else None), owner)
                messages.append(_for_owner(headline) | {"last_message": self.owned.has_vanished(owner)})
        stored = replace(stored, owners_with_page=frozenset(with_page))
        # After the owners' pages, since it links to them: a link leads to a page that is there.
        owner_links = {owner: self._link(self._keys.owner_page(owner)) for owner in with_page}
        if self._stores_page(self._keys.page, self.analysis, links, None, owner_links):
            stored = replace(stored, page_key=self._keys.page)
        return self._with_messages(stored, sorted(messages, key=lambda each: each["owner"])) if messages else stored

    def _stores_page(
        self,
        key: str,
        analysis: Mapping[str, Any],
        links: Mapping[str, str | None],
        owner: str | None,
        owner_links: Mapping[str, str] | None = None,
    ) -> bool:
        # Imported here, since its libraries are slow to load: a cold start that fails earlier need not wait for them.
        from findings_analysis.page import run_page  # noqa: PLC0415

        of = run_page.PageOf(owner, owner_links or {}, links, self.open_list.of(owner))
        try:
            history = self.history() if owner is None else ()
            page = run_page.page_of(self.run, self.clients.config, self.clients.now(), analysis, history, of).encode()
        except Exception as error:  # noqa: BLE001 - a template can fail in any way, and the numbers stand without it
            logger.warning("a page could not be made: %s", type(error).__name__)
            return False
        put(self.clients.s3, self.run.require_plan().destination, key, page, HTML)
        return True

    def _is_notified(self, owner: str) -> bool:
        assert self.owned
        which = self.clients.config.owner_messages if self.run.require_plan().notify else "OFF"
        return which == "ALL" or (which == "CHANGES" and self.owned.has_changed(owner))

    def _with_messages(self, stored: StoredAnalysis, headlines: list[dict[str, Any]]) -> StoredAnalysis:
        content = {"schema_version": OWNER_MESSAGES_VERSION, "owners": notes.to_stored(headlines)}
        text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        put(self.clients.s3, self.run.require_plan().destination, self._keys.owner_messages, text, "application/json")
        return replace(stored, owners_key=self._keys.owner_messages, owner_message_count=len(headlines))

    def _links(self, stored: StoredAnalysis) -> dict[str, str | None]:
        config = self.clients.config
        return {
            "report": links_to.report_url(self.run, config),
            "analysis": links_to.object_url(stored.bucket, stored.analysis_key, config),
            "parquet": links_to.object_url(stored.bucket, stored.parquet_prefix, config),
            "execution": links_to.execution_url(self.run, config),
        }

    def _link(self, key: str) -> str:
        return links_to.object_url(self.run.require_plan().destination.bucket, key, self.clients.config)

    @property
    def _keys(self) -> AnalysisKeys:
        return keys_of(self.clients.config, self.run)


def _for_owner(headline: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headline.items() if name not in FOR_THE_NEXT_RUN}
