"""``/metrics``, ``/healthz`` and ``/readyz``: the server, its TLS and its logins."""
