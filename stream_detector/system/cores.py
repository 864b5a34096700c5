"""How many CPU cores this process may use."""

__all__ = ["usable_cores"]


def usable_cores() -> int:
    """CPU cores by affinity and by the limit of the container; a limit of 1.5 counts as 2."""
    # Takes 0.1 s, for which a command that only checks its settings should not wait.
    import joblib  # noqa: PLC0415

    return int(joblib.cpu_count())
