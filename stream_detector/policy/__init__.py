"""What a score means: allow and deny lists, thresholds, remembered decisions, suppression.

Knows nothing of Kafka, log formats or TensorFlow.
"""
