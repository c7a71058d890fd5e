"""From bytes to batches: a report in JSON or CSV as rows of one schema."""
