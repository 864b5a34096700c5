"""Retraining: from the model that serves, a base corpus and labels to a challenger past the gate.

``examples`` makes the parts to train and to measure on, ``warm_start`` trains on from the served
weights, ``run`` does the whole of it once; ``trainer.watching`` does it again and again.
"""
