"""What of clients and queries is written, by the settings: the last step before encoding.

Lists, models, shadows and alert windows decide on what was read; here it is taken out of what they
decided. User names and passwords in URLs never get here: ``decisions`` masks them in any case.
Dead letters are the exception, bytes that nobody could read, and are seen to here.
"""

from collections.abc import Iterable

import msgspec

from stream_detector.events import DeadLetter, Decision, Sighting, Verdict
from stream_detector.privacy.letter_cutting import cut_letter, cut_masked_letter
from stream_detector.privacy.lines import line_without_secrets
from stream_detector.privacy.pseudonyms import Pseudonyms, client_key
from stream_detector.privacy.records import before_query, without_credentials
from stream_detector.privacy.urls import with_query_masked
from stream_detector.settings.fields import Settings
from stream_detector.wire.comparisons import Disagreement

__all__ = ["QUERY_MASKED", "Privacy", "letter_without_credentials"]

QUERY_MASKED = "query_masked"
"""The note of a verdict whose texts are not those that were read."""


class Privacy:
    """Masks what ``settings.client_pseudonyms`` and ``settings.mask_queries`` name.

    A verdict's query is masked once for all sightings of the text, a client once while it is
    remembered. Not safe for several threads. Where a setting does not name an output, it passes
    through as it is.
    """

    def __init__(self, settings: Settings) -> None:
        names, masks = frozenset(settings.client_pseudonyms), frozenset(settings.mask_queries)
        self._names, self._masks = names, masks
        self._of = Pseudonyms(client_key(settings)).of if names else str

    def verdicts(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Verdicts as they are to be written."""
        named, masked = "verdicts" in self._names, "verdicts" in self._masks
        if not named and not masked:
            return verdicts
        return [self._verdict(verdict, named=named, masked=masked) for verdict in verdicts]

    def alerting(self, verdict: Verdict) -> Verdict:
        """A verdict as the alert on it is to hold it."""
        named, masked = "alerts" in self._names, "alerts" in self._masks
        return self._verdict(verdict, named=named, masked=masked) if named or masked else verdict

    def disagreement(self, disagreement: Disagreement) -> Disagreement:
        """A shadow's disagreement as it is to be written."""
        if "comparisons" not in self._masks:
            return disagreement
        return msgspec.structs.replace(
            disagreement, canonical=with_query_masked(disagreement.canonical)
        )

    def dead_letters(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Dead letters as they are to be written.

        Bytes that no parser made sense of can't be masked field by field. Of clients the key
        becomes a pseudonym, which keeps it in its partition, and the value is withheld; of queries
        all from the first one on is.
        """
        return [self._dead_letter(letter) for letter in letters]

    def _verdict(self, verdict: Verdict, *, named: bool, masked: bool) -> Verdict:
        sighting, decision = verdict.sighting, verdict.decision
        if named and sighting.client:
            sighting = Sighting(
                sighting.id,
                sighting.event_time,
                sighting.detected_at,
                sighting.source,
                sighting.format,
                self._of(sighting.client),
                sighting.log_id,
            )
        return Verdict(sighting, _masked(decision) if masked else decision)

    def _dead_letter(self, letter: DeadLetter) -> DeadLetter:
        letter = cut_letter(letter)
        key, value = letter.key, letter.value
        withheld = []
        if "dead_letters" in self._names and (key or value):
            withheld.append("clients")
            key = key and self._of(key.decode(errors="surrogateescape")).encode()
            value = value and b""
        elif "dead_letters" in self._masks:
            shown = key and before_query(key), value and before_query(value)
            if shown != (key, value):
                withheld.append("queries")
                key, value = shown
        if withheld:
            letter = msgspec.structs.replace(letter, key=key, value=value, withheld=withheld)
        return letter_without_credentials(letter)


def letter_without_credentials(letter: DeadLetter) -> DeadLetter:
    """A dead letter with all masked that looks like the user info of a URL.

    What is too long is cut, before that and after.
    """
    letter = cut_letter(letter)
    key, value = _without_credentials(letter.key), _without_credentials(letter.value)
    detail = line_without_secrets(letter.detail, with_queries=True)
    if (key, value, detail) == (letter.key, letter.value, letter.detail):
        return letter
    return cut_masked_letter(
        msgspec.structs.replace(
            letter, key=key, value=value, detail=detail, withheld=[*letter.withheld, "credentials"]
        )
    )


def _without_credentials(part: bytes | None) -> bytes | None:
    if not part:
        return part
    masked = without_credentials(part)
    return b"" if masked is None else masked


def _masked(decision: Decision) -> Decision:
    """The decision with its query masked, kept with it: most texts are seen again and again."""
    if decision.masked is not None:
        return decision.masked
    canonical = decision.canonical
    observed = with_query_masked(decision.observed)
    text = with_query_masked(canonical.text)
    if observed == decision.observed and text == canonical.text:
        return decision
    masked = msgspec.structs.replace(
        decision,
        observed=observed,
        canonical=msgspec.structs.replace(
            canonical, text=text, notes=(*canonical.notes, QUERY_MASKED)
        ),
        written=None,
    )
    msgspec.structs.force_setattr(decision, "masked", masked)
    return masked
