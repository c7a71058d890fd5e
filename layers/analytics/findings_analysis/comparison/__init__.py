"""Fingerprints of findings, and what changed since the baseline."""
