"""What shadow models say of live traffic, compared with the models that serve.

Workers write it (``stream_detector.policy.shadow``); nothing here announces or loads a model.
"""
