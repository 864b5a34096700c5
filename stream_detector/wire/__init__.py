"""Encodes and decodes outcomes, labels and comparisons in Kafka."""
