"""Two identities of a finding, its fingerprint, and what changed since the baseline.

Others import arns, baseline, difference, earlier_files, finding_details, fingerprint_format, fingerprints, identity and
run_fingerprints.
"""
