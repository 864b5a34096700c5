"""From the comparisons of a batch to the records of ``url-shadow``."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from stream_detector.events import Comparison, Counts, Disagreement, Verdict
from stream_detector.policy.shadow import Compared
from stream_detector.privacy.urls import without_nested_credentials
from stream_detector.wire.comparisons import pairs_of


def comparison_records(
    compared: Sequence[Compared], verdicts: Sequence[Verdict], *, batch_id: str
) -> list[Comparison]:
    """The counts of each comparison, and each text that the two models disagree on.

    ``batch_id`` names the batch by its first record, ``verdicts`` are those of the batch.
    """
    if not compared:
        return []
    compared_at = verdicts[0].sighting.detected_at
    counts = (_counts(each, batch_id, compared_at) for each in compared)
    return [*counts, *_disagreements(compared, verdicts)]


def _counts(each: Compared, batch_id: str, compared_at: datetime) -> Counts:
    return Counts(
        f"{batch_id}:{each.kind}",
        compared_at,
        each.kind,
        each.served,
        each.shadow,
        each.share,
        each.texts,
        each.passed_over,
        pairs_of(each.verdicts),
        each.score_difference,
    )


def _disagreements(
    compared: Iterable[Compared], verdicts: Iterable[Verdict]
) -> Iterator[Disagreement]:
    """The texts that two models disagree on, each with the first event of the batch that has it."""
    differing = {
        (each.kind, without_nested_credentials(text)): opinions
        for each in compared
        for text, opinions in each.disagreements.items()
    }
    for verdict in verdicts:
        if not differing:
            return
        sighting, canonical = verdict.sighting, verdict.decision.canonical
        opinions = differing.pop((canonical.kind, canonical.text), None)
        if opinions is not None:
            yield Disagreement(
                sighting.id,
                sighting.detected_at,
                canonical.kind,
                canonical.text,
                canonical.host,
                canonical.registered_domain,
                *opinions,
                sighting.source,
            )
