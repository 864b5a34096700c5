"""A streaming malicious-URL detector: Kafka log records in, verdicts and alerts out.

A record's way reads top to bottom in ``pipeline``; ``worker`` binds it to Faust and Kafka.
Nothing in here imports ``trainer``.
"""

__version__ = "0.1.0"
