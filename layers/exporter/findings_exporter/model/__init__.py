"""Pure data and rules: no call to AWS, no text for a reader."""
