"""The page beside each analysis: one HTML file that loads nothing else."""

from findings_analysis.page.rendering import LANGUAGES, render

__all__ = ["LANGUAGES", "render"]
