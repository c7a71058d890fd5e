"""What talks to AWS: the handlers' frame, the clients, the table, the lock, Inspector and the metrics."""
