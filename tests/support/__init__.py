"""What tests share: a real Kafka, processes, records in and out of topics.

Import it as ``from support.broker import KafkaBroker``; fixtures are in ``tests/conftest.py``.
"""
