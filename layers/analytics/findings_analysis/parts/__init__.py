"""A report larger than one function reads: cut into parts, each analyzed on its own, and merged.

Offered: ``cutting``, ``merging``, ``part``, ``part_analysis``, ``part_files``.
"""
