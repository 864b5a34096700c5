"""Bundles into the store, onto the topic, and out of the store again."""
