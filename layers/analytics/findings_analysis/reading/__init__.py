"""From bytes to batches: a report in JSON or CSV as rows of one schema.

Offered: ``bounded_cache``, ``csv_report``, ``errors``, ``json_elements``, ``json_report``, ``owner_file``,
``owners``, ``parquet_columns``, ``resource_names``, ``s3_stream``, ``schema``.
"""
