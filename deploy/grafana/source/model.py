"""The models: which versions serve, whether their traffic is what they were made for, shadows."""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import FULL, limits, lines, number, row, versions
from variables import dashboard

__all__ = ["model"]

_COLUMNS = {
    "kind": "Kind",
    "name": "Name",
    "version": "Version",
    "sha256": "SHA-256",
    "Value": "Workers",
}
_NO_SHADOW = "no shadow is announced"
_RATE = "[$__rate_interval]"


def model() -> Dashboard:
    """What serves and how it does."""
    made = dashboard(
        "stream-detector-model",
        "stream-detector: model",
        "Which models serve, how they score, whether their traffic has moved, and the shadow "
        "beside them.",
        of="detector",
    )
    for add in (_versions, _scores, _drift, _shadow):
        made = add(made)
    return made


def _age(name: str, kind: str) -> stat.Panel:
    return number(
        f"Age of the {name} model",
        "Since it was trained; a ticket at 90 days.",
        f'(time() - min(stream_detector_model_created_timestamp_seconds{{kind="{kind}"}}))',
        unit="s",
        colours=limits(amber=90 * 86_400),
        width=5,
    )


def _versions(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Versions"))
        .with_panel(
            versions(
                "Models that serve",
                "By how many workers. More than one version of a kind for longer than a minute: "
                "a worker has not taken what was announced.",
                "count by (kind, name, version, sha256) (stream_detector_model_info)",
                _COLUMNS,
            )
        )
        .with_panel(
            versions(
                "Models that are announced",
                "By the number of workers that know of it.",
                "count by (kind, name, version, sha256) (stream_detector_announced_model_info)",
                _COLUMNS,
                no_data="none is announced: workers serve the bundles of their settings",
            )
        )
        .with_panel(
            number(
                "Workers on another model",
                "Than was announced last: it was refused, or is not yet loaded. A ticket after 15 "
                "minutes.",
                "count(stream_detector_model_info unless on (job, instance, kind, sha256) "
                "stream_detector_announced_model_info and on (job, instance, kind) "
                "stream_detector_announced_model_info) or vector(0)",
                colours=limits(amber=1),
                width=6,
            )
        )
        .with_panel(_age("URL", "url"))
        .with_panel(_age("host", "host"))
        .with_panel(
            number(
                "Serving for",
                "Since the youngest of them was loaded.",
                "time() - max(stream_detector_model_loaded_timestamp_seconds)",
                unit="s",
                width=4,
            )
        )
        .with_panel(
            number(
                "Workers on a GPU",
                "Of the workers that answer.",
                'count(stream_detector_device_info{device=~"(?i).*gpu.*"}) or vector(0)',
                width=4,
            )
        )
        .with_panel(
            lines(
                "Switches and refusals",
                "Models taken while running, and announced ones that were not taken, by reason, in "
                "an hour.",
                {
                    "switched {{kind}}": "sum by (kind) "
                    "(increase(stream_detector_model_switches_total[1h]))",
                    "refused: {{reason}}": "sum by (reason) "
                    "(increase(stream_detector_model_refusals_total[1h])) > 0",
                },
                width=FULL,
            )
        )
    )


def _scores(made: Dashboard) -> Dashboard:
    quantiles = {
        f"{share} {{{{kind}}}}": f"histogram_quantile({share}, "
        f"sum by (kind, le) (rate(stream_detector_score_bucket{_RATE})))"
        for share in (0.5, 0.9, 0.99)
    }
    return (
        made.with_row(row("Scores"))
        .with_panel(
            lines(
                "Quantiles of the scores",
                "Of texts that were scored for the first time. A step without a new model: the "
                "traffic has changed.",
                quantiles,
                unit="percentunit",
                width=8,
                highest=1,
            )
        )
        .with_panel(
            lines(
                "Texts scored",
                "Per second, by kind.",
                {"{{kind}}": f"sum by (kind) (rate(stream_detector_score_count{_RATE}))"},
                unit="cps",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Time to score a batch",
                "99% of batches, by stage.",
                {
                    "{{stage}}": "histogram_quantile(0.99, sum by (stage, le) "
                    f'(rate(stream_detector_stage_seconds_bucket{{stage=~"score|shadow"}}{_RATE})))'
                },
                unit="s",
                width=8,
            )
        )
    )


def _drift(made: Dashboard) -> Dashboard:
    share = (
        "sum by (bin) (kind_version_statistic_bin:stream_detector_binned_texts:ratio1d"
        '{{kind="{kind}", statistic="score"}}'
        " - kind_version_statistic_bin:stream_detector_reference:ratio)"
    )
    return (
        made.with_row(row("Drift: is the traffic what the model was made for?"))
        .with_panel(
            lines(
                "Drift over a day, all workers",
                "Population stability index of each statistic from the bundle's reference, over "
                "all that this Prometheus scrapes. Your network has a level of its own: look for "
                "what leaves it. A ticket at 0.25 above the week before.",
                {
                    "{{kind}} {{version}} {{statistic}}": "kind_version_statistic:"
                    "stream_detector_stability:index1d"
                },
                no_data="not before 1,000 texts",
            )
        )
        .with_panel(
            lines(
                "Drift of the last texts, the worst worker",
                "The same of what a worker scored last, each text half as heavy as one 20,000 "
                "later: it moves sooner. Of each statistic the worker that has moved most.",
                {
                    "{{kind}} {{statistic}}": "max by (kind, statistic) "
                    "(stream_detector_population_stability_index)"
                },
                no_data="not before 1,000 texts",
            )
        )
        .with_panel(
            lines(
                "Scores of URLs against the reference",
                "Share of the texts of a day in each bin of the score, less the reference's: above "
                "0 there are more than the model was made for.",
                {"{{bin}}": share.format(kind="url")},
                unit="percentunit",
                signed=True,
                no_data="not before 1,000 texts",
            )
        )
        .with_panel(
            lines(
                "Scores of host names against the reference",
                "Share of the texts of a day in each bin of the score, less the reference's: above "
                "0 there are more than the model was made for.",
                {"{{bin}}": share.format(kind="host")},
                unit="percentunit",
                signed=True,
                no_data="not before 1,000 texts",
            )
        )
    )


def _shadow(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Shadow: the model that is tried beside"))
        .with_panel(
            versions(
                "Shadows",
                "By the number of workers. Empty if none is announced, or after it was dropped.",
                "count by (kind, name, version, sha256) (stream_detector_shadow_info)",
                _COLUMNS,
                no_data=_NO_SHADOW,
            )
        )
        .with_panel(
            lines(
                "Disagreement",
                "Share of the texts that both scored on which the shadow's verdict is another; a "
                "ticket above 2% in 6 hours.",
                {
                    "{{kind}}": "sum by (kind) "
                    f"(rate(stream_detector_shadow_disagreements_total{_RATE})) / "
                    f"sum by (kind) (rate(stream_detector_shadow_texts_total{_RATE}))",
                    "6 h {{kind}}": "sum by (kind) "
                    "(increase(stream_detector_shadow_disagreements_total[6h])) / "
                    "sum by (kind) (increase(stream_detector_shadow_texts_total[6h]))",
                },
                unit="percentunit",
                limit=0.02,
                no_data=_NO_SHADOW,
            )
        )
        .with_panel(
            lines(
                "Which way",
                "Texts per minute, by the served verdict and the shadow's.",
                {
                    "{{served}} -> {{shadow}} {{kind}}": "60 * sum by (kind, served, shadow) "
                    f"(rate(stream_detector_shadow_disagreements_total{_RATE})) > 0"
                },
                unit="cpm",
                no_data="no disagreement",
            )
        )
        .with_panel(
            lines(
                "Texts compared",
                "A second, with those that the shadow was too slow for, and shadows dropped in an "
                "hour because of an error.",
                {
                    "compared {{kind}}": "sum by (kind) "
                    f"(rate(stream_detector_shadow_texts_total{_RATE}))",
                    "passed over {{kind}}": "sum by (kind) "
                    f"(rate(stream_detector_shadow_passed_over_texts_total{_RATE}))",
                    "dropped {{kind}}": "sum by (kind) "
                    "(increase(stream_detector_shadow_errors_total[1h]))",
                },
                no_data=_NO_SHADOW,
            )
        )
    )
