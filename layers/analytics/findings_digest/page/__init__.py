"""The page of a night: one HTML file that asks for nothing else, beside each digest."""

from findings_digest.page.rendering import LANGUAGES, render

__all__ = ["LANGUAGES", "render"]
