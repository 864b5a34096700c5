"""How many CPU cores this process may use."""


def usable_cores() -> int:
    """CPU cores by affinity and by the limit of the container; a limit of 1.5 counts as 2."""
    # The import takes 0.1 s; a command that only checks its settings should not wait for it.
    import joblib  # noqa: PLC0415

    return int(joblib.cpu_count())
