"""Commands of ``stream-trainer``, a module each; ``trainer.cli`` has train, evaluate and study.

Heavy imports are inside the commands, so that ``--help`` answers at once.
"""
