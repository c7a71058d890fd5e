"""The embedded AWS of the tests and of the demo: MiniStack with our patches, in a child process. Start with README.md."""
