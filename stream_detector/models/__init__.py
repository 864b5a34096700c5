"""The model: bundle on disk, encoding of text to bytes, networks, calibration, the scorer.

Knows nothing of Kafka, log formats or lists. ``trainer`` uses the same encoding, networks and
bundle, so that training and serving compute the same scores.
"""
