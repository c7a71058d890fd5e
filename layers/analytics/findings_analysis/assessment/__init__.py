"""What the findings of a report mean: statistics, scan coverage, and what to fix first.

Others import coverage, coverage_status, priorities, resumption and statistics.
"""
