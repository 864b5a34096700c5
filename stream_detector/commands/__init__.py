"""One module a command of ``stream-detector``; what a command does lives in other packages.

A module is imported when its command is asked for, and imports Kafka and TensorFlow only when
the command runs, so that ``--help`` answers at once.
"""
