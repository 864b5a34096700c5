"""What shadow models said of live traffic, beside the models that serve: read and summed up.

Workers write it (``stream_detector.policy.shadow``); nothing here announces or loads a model.
"""
