"""``/metrics``, ``/healthz`` and ``/readyz``: the server, TLS and logins."""
