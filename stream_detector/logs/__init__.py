"""Log lines: setup, redaction and repeats."""
