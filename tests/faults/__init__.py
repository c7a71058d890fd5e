"""Everything is broken on purpose, and the exporter's six rules are checked afterwards: `python -m tests.faults`."""
