"""Fingerprints of findings, and what changed since the baseline.

Offered: ``arns``, ``baseline``, ``difference``, ``due``, ``earlier_files``, ``fingerprint_format``, ``fingerprints``,
``identity``, ``run_fingerprints``, ``sections``, ``sorting``, ``watch``.
"""
