"""What talks to AWS.

Offered: ``handler``, ``clients``, ``table``, ``run_store``, ``lock``, ``inspector``, ``bucket``, ``metrics``, ``alarm_topic``,
``outbox``, ``start_store``, ``summary_store``, ``attempts``.
Nothing is imported here: a function loads only the modules that it needs, and starts sooner.
"""
