"""The one place where ``Settings`` becomes a decider or a pipeline, which take plain values."""

from collections.abc import Callable
from datetime import datetime

from stream_detector.batch_reading import BatchReader
from stream_detector.metrics import Metrics
from stream_detector.models.base import TextScorer
from stream_detector.models.thresholds import threshold_overrides
from stream_detector.pipeline import Pipeline, utc_now
from stream_detector.policy.alert_windows import AlertWindows
from stream_detector.policy.decider import Decider
from stream_detector.policy.lists import HostList
from stream_detector.policy.shadow import Shadows
from stream_detector.privacy.outputs import Privacy
from stream_detector.settings.fields import Settings
from stream_detector.sources.json_fields import chosen_fields
from stream_detector.sources.registry import source_named


def decider_of(
    scorer: TextScorer,
    *,
    settings: Settings,
    metrics: Metrics | None,
    shadows: Shadows | None = None,
) -> Decider:
    """A decider with the lists, thresholds and memory of the settings.

    Raises:
        SettingsError: a list can't be read, or thresholds contradict each other.
    """
    return Decider(
        scorer,
        overrides=threshold_overrides(settings),
        cache_entries=settings.cache_entries,
        allow=HostList.load(settings.allow_list) if settings.allow_list else None,
        deny=HostList.load(settings.deny_list) if settings.deny_list else None,
        metrics=metrics,
        shadows=shadows,
    )


def shadows_of(*, settings: Settings, metrics: Metrics) -> Shadows:
    """Shadows with the thresholds of the settings."""
    return Shadows(overrides=threshold_overrides(settings), metrics=metrics)


def pipeline_of(
    *,
    settings: Settings,
    decider: Decider,
    metrics: Metrics,
    cluster: str,
    clock: Callable[[], datetime] = utc_now,
) -> Pipeline:
    """A pipeline with these settings; ``cluster`` begins the ids of its verdicts.

    Raises:
        SettingsError: an unknown format.
        OSError: the key file of the pseudonyms can't be read.
    """
    return Pipeline(
        reader=BatchReader(
            sources={
                topic: source_named(name) for topic, name in settings.formats_by_topic.items()
            },
            json_fields=chosen_fields(settings.json_fields),
            bytes_max=settings.record_bytes_max,
            metrics=metrics,
            cluster=cluster,
            clock=clock,
        ),
        decider=decider,
        alert_windows=AlertWindows(seconds=settings.alert_window),
        privacy=Privacy(
            pseudonyms_in=settings.client_pseudonyms,
            queries_masked_in=settings.mask_queries,
            key=settings.client_key_bytes(),
        ),
        metrics=metrics,
        batch_records=settings.batch_records,
    )
