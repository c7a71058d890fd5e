"""Bytes of a report to batches of columns.

Others import bounded_cache, csv_report, errors, json_report, parquet_columns, resource_names, s3_stream and schema.
"""
