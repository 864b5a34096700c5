"""Retraining again and again: labels are collected all the time, and trained on when it is due.

``watcher`` is the process, ``schedule`` says when it is due, ``state`` what a restart has to know,
``metrics`` what an operator sees. The training itself is a child process, ``stream-trainer
retrain``: what it does to memory, or to itself, ends with it.
"""
