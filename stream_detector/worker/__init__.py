"""The worker: a Faust app, its process, its batches, and the announced models."""
