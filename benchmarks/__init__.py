"""`make bench`: what is measured, each beside its baseline in the same run."""
