"""Retraining again and again: labels are collected all the time, and trained on when it is due.

``watcher`` is the process, ``schedule`` says when a retraining is due and keeps what a restart must
know, ``watch_metrics`` is what an operator sees. The training is a child process, ``stream-trainer
retrain``: the memory that it takes, or a crash, ends with it.
"""
