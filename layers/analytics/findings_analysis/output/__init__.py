"""What an analysis leaves: the document, its headline, the Parquet file and the names file.

Offered: ``document``, ``finding_details``, ``headline``, ``names_format``, ``parquet``, ``storage``.
"""
