"""Pure data and rules: no call to AWS, no message to a reader.

Offered: ``config``, ``errors``, ``execution``, ``plan``, ``filter_criteria``, ``wait``, ``run``, ``delivery``, ``layout``,
``records``, ``taxonomy``, ``notes``, ``text``, ``report_completeness``,
``owner_rules``, ``due_dates``, ``reports``, ``home_messages``, ``summary``, ``schedule_times``, ``strict_json``.
The texts of the notes in each language are for ``notes`` alone.
"""
