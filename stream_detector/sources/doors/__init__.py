"""What shippers put around a log line: JSON envelopes and text headers, opened one at a time."""
