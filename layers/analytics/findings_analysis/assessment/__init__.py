"""Statistics, scan coverage and priorities of a report."""
