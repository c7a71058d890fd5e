"""Statistics, scan coverage and priorities of a report.

Offered: ``coverage``, ``coverage_status``, ``priorities``, ``resumption``, ``statistics``.
"""
