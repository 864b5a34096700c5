"""Retraining: from the model that serves, a base corpus and labels to a challenger past the gate.

``one_run`` is one retraining from start to end. ``examples`` chooses the rows to train and to
measure on, ``warm_start`` trains on from the served weights, ``outcome`` says how it ended.
``trainer.watching`` runs retrainings again and again.
"""
