"""The watch: collects labels all the time, and retrains when it is due.

``watcher`` is the process, ``schedule`` decides when a retraining is due and saves the state for a
restart, ``watch_metrics`` are for the operator. The training is a child process, ``stream-trainer
retrain``: its memory, or a crash, ends with it.
"""
