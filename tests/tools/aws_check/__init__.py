"""`make aws-check`: asks a real account what the embedded AWS cannot show, and compares the answers with what the code expects."""
