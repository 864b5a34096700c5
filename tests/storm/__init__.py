"""A storm over a real cluster: workers and brokers die at random while records of all kinds pass.

``make storm`` runs it, and proves at its end that every input offset is accounted for. Here lie
the load, the faults, the accounting and the report; brokers and clients are in ``support``. Only
the tests of the accounting are part of ``make test``.
"""
