"""All Kafka clients: their options, the chunk transport, the publisher, topics, rights, commands.

The core (``pipeline`` and its imports) never imports from here.
"""
