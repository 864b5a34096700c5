"""What a refusal may be: one line that a person reads."""

__all__ = ["REFUSAL_CHARACTERS_MAX", "check_refusal"]

REFUSAL_CHARACTERS_MAX = 2_000


def check_refusal(error: Exception) -> None:
    """The message of ``error`` is one short line that a terminal can take."""
    assert len(str(error)) <= REFUSAL_CHARACTERS_MAX, error
    assert str(error).isprintable(), error
