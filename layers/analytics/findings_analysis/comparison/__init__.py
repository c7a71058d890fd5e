"""Fingerprints of findings, and what changed since the baseline.

Offered: ``arns``, ``baseline``, ``difference``, ``earlier_files``, ``finding_details``, ``fingerprint_format``,
``fingerprints``, ``identity``, ``run_fingerprints``.
"""
