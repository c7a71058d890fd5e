"""What an analysis leaves: the document, its headline, the Parquet file and the names file.

Offered: ``document``, ``due_table``, ``entries``, ``finding_details``, ``headline``, ``listed``, ``names_format``,
``owned``, ``owner_documents``, ``parquet``, ``storage``.
"""
