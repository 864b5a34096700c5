"""The model: bundle on disk, encoding of text to bytes, networks, calibration, the scorer.

Knows nothing of Kafka, log formats or lists. What is trained is what is served: ``trainer``
uses this package's encoding, networks and bundle.
"""
