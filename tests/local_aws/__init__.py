"""The embedded AWS of the tests and of the demo: a child process that runs MiniStack with what it lacks."""
