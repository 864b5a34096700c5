"""The files that examples in help pages and READMEs name, made small."""

import csv
import gzip
import json
import random
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from stream_detector.events import Kind, ModelRef
from stream_detector.models.files import MANIFEST_NAME
from stream_detector.models.store import ModelStore
from support.drifting import END, ordinary
from support.labels import stored_label
from support.processes import ROOT
from trainer.gate.decision import (
    Check,
    GateDecision,
    HoldOutRows,
    encode_decision,
    write_decision,
)
from trainer.labels.store import LabelStore

__all__ = ["SHIPPED", "model_at", "verdicts_before", "write_files"]

SHIPPED: dict[Kind, Path] = {
    "url": ROOT / "data" / "models" / "url",
    "host": ROOT / "data" / "models" / "host",
}

_PART_ROWS = {"train": (300, 150), "val": (200, 100), "test": (1100, 120)}
"""Benign and malicious rows; the gate asks for 1,000 benign ones to measure on."""
_URL_CHARACTERS_MAX = 40
"""One length: a training compiles a graph for each."""


def write_files(folder: Path) -> None:
    """Fill ``folder`` with every file that an example reads."""
    for name in ("data", "deploy"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("srv", "etc/stream-detector", "run"):
        (folder / name).mkdir(parents=True)
    _write_logs(folder)
    _write_rows(folder)
    _write_bundles(folder)
    _write_labels(folder / "label-store")


def _write_logs(folder: Path) -> None:
    urls = "http://paypal-login.example.net/verify\nhttps://www.bbc.co.uk/news\nintranet.example\n"
    for name in ("urls.txt", "proxy.urls"):
        (folder / name).write_text(urls)
    for name in ("urls.gz", "urls.txt.gz"):
        (folder / name).write_bytes(gzip.compress(urls.encode()))
    samples = ROOT / "data" / "samples"
    for name, sample in (("access.log", "squid_access.log"), ("eve.json", "suricata_eve.json")):
        lines = (samples / sample).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[:50]))
    lines = (samples / "zeek_dns.log").read_bytes().splitlines(keepends=True)
    (folder / "dns.log.gz").write_bytes(gzip.compress(b"".join(lines[:50])))
    (folder / "labels.csv").write_text(
        "url,label\nhttp://shop.example/cart,benign\nhttp://198.51.100.4/x.exe,malicious\n"
    )
    (folder / "detector.toml").write_text("batch_records = 2048\nalert_window = 900.0\n")
    (folder / "passed-over.txt").write_text("url-events:0:0-0\n")
    (folder / "admin.properties").write_text("request.timeout.ms=30000\n")
    for name in ("ours.txt", "our-domains.txt"):
        (folder / name).write_text("intranet.example\n")
    verdicts = verdicts_before(datetime.now(UTC), model_at(SHIPPED["url"]))
    (folder / "verdicts.jsonl").write_bytes(b"\n".join(value for _, value in verdicts))


def verdicts_before(end: datetime, model: ModelRef) -> list[tuple[datetime, bytes]]:
    """Verdicts of the eight days before ``end`` by time, as records of the topic."""
    moved = end - END
    records = [
        *ordinary(300, model, hours=(24.1, 8 * 24)),
        *ordinary(200, model, hours=(0.1, 23.9), seed=1),
    ]
    shifted = []
    for written_at, value in sorted(records):
        verdict = json.loads(value)
        verdict["detected_at"] = (written_at + moved).isoformat()
        shifted.append((written_at + moved, json.dumps(verdict).encode()))
    return shifted


def _write_rows(folder: Path) -> None:
    with gzip.open(ROOT / "data" / "labelled" / "urls.csv.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if len(row["url"]) <= _URL_CHARACTERS_MAX]
    draws = random.Random(1)
    benign = [row["url"] for row in rows if row["label"] == "0"]
    malicious = [row["url"] for row in rows if row["label"] == "1"]
    malicious += [f"http://{_letters(draws)}.example/{_letters(draws)}.exe" for _ in range(400)]
    draws.shuffle(benign)
    draws.shuffle(malicious)
    for name in ("urls.csv", "labelled.csv"):
        _write_table(folder / name, "url", benign, malicious)
    _write_table(
        folder / "hosts.csv",
        "host",
        [f"{draws.choice(['www', 'mail', 'cdn'])}.shop{number}.example" for number in range(1700)],
        [f"{_letters(draws)}{number}.example" for number in range(500)],
    )
    _write_generated(folder / "generated.csv", [f"{_letters(draws)}.example" for _ in range(600)])


def _letters(draws: random.Random) -> str:
    return "".join(draws.choices("bcdfghjklmnpqrstvwxz", k=7))


def _write_table(path: Path, kind: Kind, benign: Sequence[str], malicious: Sequence[str]) -> None:
    """Rows of all parts, from two sources of each label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([kind, "label", "source", "part"])
        for label, texts in enumerate((benign, malicious)):
            left = iter(texts)
            for part, counts in _PART_ROWS.items():
                for number in range(counts[label]):
                    rows.writerow([next(left), label, f"feed-{label}-{number % 4 == 0:d}", part])


def _write_generated(path: Path, hosts: Iterable[str]) -> None:
    """As ``generate-names`` writes them, of two classes of algorithms."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["host", "source", "kind", "part"])
        for number, host in enumerate(hosts):
            rows.writerow([host, f"generated_class{number % 4 == 0:d}", "dga", "train"])


def _write_bundles(folder: Path) -> None:
    """Bundles by the names of the examples, and a store; all score as the shipped ones do.

    ``bundles/url`` and ``bundles/next`` have passed the gate against the shipped bundle,
    ``bundles/new`` against ``bundles/url``.
    """
    bundles = folder / "bundles"
    bundles.mkdir()
    versions = {
        "url": ("20261124.162712", SHIPPED["url"]),
        "new": ("20261125.091500", bundles / "url"),
        "next": ("20261126.091500", SHIPPED["url"]),
    }
    store = ModelStore(str(folder / "srv" / "models"))
    for kind, bundle in SHIPPED.items():
        store.put(bundle, kind, model_at(bundle).sha256)
    for name, (version, champion) in versions.items():
        bundle = bundles / name
        shutil.copytree(SHIPPED["url"], bundle)
        manifest = json.loads((bundle / MANIFEST_NAME).read_text())
        (bundle / MANIFEST_NAME).write_text(json.dumps({**manifest, "version": version}))
        write_decision(bundle, _passed(bundle, champion))
    url = bundles / "url"
    decision = encode_decision(_passed(url, SHIPPED["url"]))
    store.put(url, "url", model_at(url).sha256, gate=decision)
    host = bundles / "host"
    shutil.copytree(SHIPPED["host"], host)
    manifest = json.loads((host / MANIFEST_NAME).read_text())
    (host / MANIFEST_NAME).write_text(json.dumps({**manifest, "version": "20261124.162713"}))
    store.put(host, "host", model_at(host).sha256)


def model_at(bundle: Path) -> ModelRef:
    """How verdicts and announcements name a bundle."""
    content = (bundle / MANIFEST_NAME).read_bytes()
    manifest = json.loads(content)
    return ModelRef(manifest["name"], manifest["version"], sha256(content).hexdigest())


def _passed(challenger: Path, champion: Path) -> GateDecision:
    return GateDecision(
        challenger=model_at(challenger),
        champion=model_at(champion),
        kind="url",
        passed=True,
        decided_at=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1),
        rules=None,
        rows=HoldOutRows(1220, 120),
        checks=(Check("loads and scores", True, "it does"),),
    )


def _write_labels(folder: Path) -> None:
    store = LabelStore(folder)
    labels = {
        "http://evil.example/x": "malicious",
        "http://mail.shop.example/cart": "benign",
        "http://dl.freeware.example/setup.exe": "malicious",
    }
    with store.writing():
        store.add(
            stored_label(url, label, offset=number)
            for number, (url, label) in enumerate(labels.items())
        )
