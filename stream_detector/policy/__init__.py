"""From a text to a decision, and from a verdict to an alert; no Kafka, formats or TensorFlow."""
