"""The page beside each analysis: one HTML file that loads nothing else.

Offered beside the names below: ``run_page``, ``summary_page``.
"""

from findings_analysis.page.rendering import PAGE_LANGUAGES, render

__all__ = ["PAGE_LANGUAGES", "render"]
