"""Masks clients and queries in the outcomes of a batch: the last step before encoding.

Lists, models, shadows and alert windows work on the original values. This step masks once, in all
outcomes, the parts that the settings withhold. The decider has already masked user names and
passwords of URLs; only dead letters, which no parser could read, still hold them here.
"""

from collections.abc import Collection

import msgspec

from stream_detector.events import (
    Alert,
    Comparison,
    DeadLetter,
    Decision,
    Disagreement,
    Outcomes,
    Sighting,
    Verdict,
)
from stream_detector.privacy.letter_bytes import (
    before_query,
    cut_letter,
    letter_without_credentials,
)
from stream_detector.privacy.pseudonyms import Pseudonyms
from stream_detector.privacy.urls import with_query_masked

QUERY_MASKED = "query_masked"
"""The note of a verdict with a masked query."""


class Privacy:
    """Masks clients and queries in the outputs that the settings name.

    A query is masked once for all sightings of its text, a client once while it is remembered. Not
    safe for several threads.
    """

    def __init__(
        self, *, pseudonyms_in: Collection[str], queries_masked_in: Collection[str], key: bytes
    ) -> None:
        """The outputs are ``verdicts``, ``alerts``, ``dead_letters`` and ``comparisons``.

        ``key`` makes the clients' pseudonyms.
        """
        self._names, self._masks = frozenset(pseudonyms_in), frozenset(queries_masked_in)
        self._of = Pseudonyms(key).of if self._names else str

    def masked(self, outcomes: Outcomes) -> Outcomes:
        """The outcomes, masked.

        No parser understood the bytes of a dead letter, so they can't be masked field by field.
        Where clients are withheld, its key becomes a pseudonym, which keeps it in its partition,
        and its value is left out. Where queries are withheld, both end at the first one.
        """
        verdicts, alerts, dead_letters, comparisons = outcomes
        if self._withholds("verdicts"):
            verdicts = [self._verdict(verdict, "verdicts") for verdict in verdicts]
        if self._withholds("alerts"):
            alerts = [self._alert(alert) for alert in alerts]
        dead_letters = [self._dead_letter(letter) for letter in dead_letters]
        if "comparisons" in self._masks:
            comparisons = [_comparison(comparison) for comparison in comparisons]
        return Outcomes(verdicts, alerts, dead_letters, comparisons)

    def _withholds(self, output: str) -> bool:
        return output in self._names or output in self._masks

    def _alert(self, alert: Alert) -> Alert:
        verdict = self._verdict(alert.verdict, "alerts")
        return Alert(verdict, alert.folded, alert.window_seconds)

    def _verdict(self, verdict: Verdict, output: str) -> Verdict:
        sighting, decision = verdict.sighting, verdict.decision
        if output in self._names and sighting.client:
            sighting = Sighting(
                sighting.id,
                sighting.event_time,
                sighting.detected_at,
                sighting.source,
                sighting.format,
                self._of(sighting.client),
                sighting.log_id,
                sighting.unwrapped,
            )
        return Verdict(sighting, _masked(decision) if output in self._masks else decision)

    def _dead_letter(self, letter: DeadLetter) -> DeadLetter:
        letter = cut_letter(letter)
        key, value = letter.key, letter.value
        withheld = list(letter.withheld)
        if "dead_letters" in self._names and (key or value):
            withheld.append("clients")
            key = key and self._of(key.decode(errors="surrogateescape")).encode()
            value = value and b""
        elif "dead_letters" in self._masks:
            shown = key and before_query(key), value and before_query(value)
            if shown != (key, value):
                withheld.append("queries")
                key, value = shown
        if len(withheld) > len(letter.withheld):
            letter = msgspec.structs.replace(letter, key=key, value=value, withheld=withheld)
        return letter_without_credentials(letter)


def _comparison(comparison: Comparison) -> Comparison:
    if not isinstance(comparison, Disagreement):
        return comparison
    return msgspec.structs.replace(comparison, canonical=with_query_masked(comparison.canonical))


def _masked(decision: Decision) -> Decision:
    """The decision with its query masked, cached on it since most texts repeat."""
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
