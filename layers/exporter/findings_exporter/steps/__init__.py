"""One module for each state of the workflow, named like the state and its function; and the cleanup after it."""
