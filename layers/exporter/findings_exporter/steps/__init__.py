"""One module for each state of the workflow, named like the state, its function and the module's own function.

Offered: ``plan_export``, ``acquire_lock``, ``start_report``, ``check_report``, ``cancel_report``, ``release_lock``,
``verify_report``, ``record_run``, ``notify``, ``notify_owners``; of Export All Reports
``plan_reports`` and ``finish_reports``; and ``clean_up``, which does what an execution left behind, and ``summarize``.
"""
