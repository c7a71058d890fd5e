"""What an analysis leaves: the document, its headline and the Parquet file.

Offered: ``document``, ``headline``, ``parquet``, ``storage``.
"""
