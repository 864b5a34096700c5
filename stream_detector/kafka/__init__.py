"""Everything that speaks Kafka: client settings, chunk transport, publisher, topics.

The core (``pipeline`` and what it uses) never imports from here.
"""
