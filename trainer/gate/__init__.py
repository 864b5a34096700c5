"""The gate: whether a challenger may take the champion's place, and the record of that decision.

``rules`` lists every rule and the module that holds it: start there to change or add one.
``options`` are what a user may set of them. ``judging`` scores both models and applies the rules,
``decision`` is the record, and ``admission`` says what a record allows.
"""
