"""Reports how shadow models judge live traffic, compared with the models that serve.

Workers write the comparisons (``stream_detector.policy.shadow``); nothing here announces or loads a
model.
"""
