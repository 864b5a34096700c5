"""The rules for names that others write: of models, versions, sources, analysts, feeds.

They become metric labels, log lines, parts of every verdict and cells of tables, so each is checked
where it enters: a bundle's manifest, an announcement, a label, the settings, a flag.
"""

import re

NAME_CHARACTERS_MAX = 200
"""A verdict holds two names and an alert both twice: far from Kafka's limit for a record."""

_NOT_SHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\U000e0000-\U000e007f]"
)
"""Control characters, line breaks, invisible characters, and those that turn the direction of a
text. The schemas have the same pattern."""


def name_fault(text: str) -> str | None:
    """What keeps ``text`` from being a name, as "is empty"; None if it is one."""
    if not text.strip():
        return "is empty"
    if len(text) > NAME_CHARACTERS_MAX:
        return f"is longer than {NAME_CHARACTERS_MAX} characters"
    if _NOT_SHOWN.search(text):
        return "holds a control character, a line break or an invisible character"
    return None
