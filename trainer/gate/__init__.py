"""The gate: whether a challenger may take the place of the champion, and the record of it.

``judging`` puts the checks together: ``detection`` (true-positive rates, paired), ``calibration``,
``label_checks`` (the newest labels; who changed what) and ``lists`` (what must and must not alert).
``decision`` is the record, ``rules`` what a user may set, ``admission`` what a record allows.
"""
