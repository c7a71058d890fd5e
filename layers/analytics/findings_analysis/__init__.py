"""What a findings report says: read once as a stream, flattened, counted, compared with an earlier one, left as Parquet."""
