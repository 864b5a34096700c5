"""Asks which worker serves which model: the workers' metrics pages, or Prometheus."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

from prometheus_client.parser import text_string_to_metric_families

from stream_detector.errors import RetryableError, SettingsError
from stream_detector.events import Kind, ModelRef

_METRIC = "stream_detector_model_info"
_ANSWER_SECONDS = 10.0
_BYTES_MAX = 16 * 1024 * 1024
"""Of an answer: a metrics page has some 100 KB."""


class WorkerModels(NamedTuple):
    """The models that one worker serves."""

    worker: str
    """Its address, or its ``instance`` in Prometheus."""
    models: Mapping[Kind, ModelRef]
    """Empty while it starts."""


def ask_workers(
    pages: Sequence[str], prometheus: Sequence[str]
) -> tuple[list[WorkerModels], list[str]]:
    """Ask the workers with these ``pages``, and those that these ``prometheus`` scrape.

    Returns:
        The workers that answered, each once, and a line for each address that did not.

    Raises:
        SettingsError: an address is not one of HTTP.
    """
    found: dict[str, WorkerModels] = {}
    faults: list[str] = []
    asked = [(url, _ask_worker) for url in pages] + [(url, _ask_prometheus) for url in prometheus]
    for url, ask in asked:
        try:
            found |= {answer.worker: answer for answer in ask(url)}
        except RetryableError as error:
            faults.append(str(error))
    return list(found.values()), faults


def _ask_worker(url: str) -> list[WorkerModels]:
    base = _base(url)
    page = _get(f"{base.removesuffix('/metrics')}/metrics", url)
    try:
        samples = [
            sample.labels
            for family in text_string_to_metric_families(page.decode())
            if family.name == _METRIC
            for sample in family.samples
        ]
    except (ValueError, UnicodeDecodeError) as error:
        raise RetryableError(
            f"{url} has no page of metrics: give a worker's --http-host and --http-port"
        ) from error
    return [WorkerModels(urllib.parse.urlsplit(base).netloc, _models(samples))]


def _ask_prometheus(url: str) -> list[WorkerModels]:
    """One answer for each worker, as of its last scrape."""
    answer = _get(f"{_base(url)}/api/v1/query?{urllib.parse.urlencode({'query': _METRIC})}", url)
    try:
        series = [each["metric"] for each in json.loads(answer)["data"]["result"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RetryableError(
            f"{url} does not answer as Prometheus does: check --prometheus"
        ) from error
    instances = sorted({str(labels.get("instance", "")) for labels in series})
    return [
        WorkerModels(
            instance, _models(labels for labels in series if labels.get("instance", "") == instance)
        )
        for instance in instances
    ]


def _models(series: Iterable[Mapping[str, str]]) -> dict[Kind, ModelRef]:
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return {
        kinds[labels["kind"]]: ModelRef(labels["name"], labels["version"], labels["sha256"])
        for labels in series
        if labels.get("kind") in kinds
    }


def _base(url: str) -> str:
    """The address with a scheme and without a last slash."""
    address = (url if "://" in url else f"http://{url}").rstrip("/")
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise SettingsError(
            "an address of a worker or of Prometheus has the form http://HOST:PORT, without a "
            "password"
        )
    return address


def _get(address: str, url: str) -> bytes:
    """The content at ``address``; an error names ``url``, as it was given."""
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
            content: bytes = response.read(_BYTES_MAX)
            return content
    except urllib.error.HTTPError as error:
        why = f"{error.code} {error.reason}"
        if error.code in {401, 403}:
            why += ", it wants a log-in; Prometheus has one, so ask it by --prometheus"
        raise RetryableError(f"{url} refuses to say what serves ({why})") from error
    except (OSError, ValueError) as error:
        why = str(getattr(error, "reason", None) or error)
        raise RetryableError(f"{url} can't be asked what serves ({why})") from error
