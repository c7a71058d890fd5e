"""Statistics, scan coverage and priorities of a report.

Offered: ``coverage``, ``coverage_status``, ``known_exploited``, ``priorities``, ``resumption``, ``scores``,
``statistics``.
"""
