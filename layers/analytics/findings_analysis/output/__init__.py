"""What an analysis leaves: others import document, headline, parquet and storage."""
