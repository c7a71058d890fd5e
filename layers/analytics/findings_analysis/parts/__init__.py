"""A report larger than one function reads: cut into parts, each analyzed on its own, and merged.

Offered: ``merging``, ``part``, ``part_analysis``, ``part_files``, ``report_reader``.
"""
