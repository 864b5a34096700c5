"""How outcomes, labels and comparisons look in Kafka."""
