"""All settings and limits, in one place; ``loading`` reads their values.

Secrets come from the environment or from files, never from flags, and print as ``**********``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr

from stream_detector.events import Kind
from stream_detector.limits import RECORD_BYTES_MAX
from stream_detector.settings.kinds import (
    Address,
    FileOf,
    GivenFile,
    Positive,
    Probability,
    Seconds,
    SecretFile,
    SettingsGroup,
)

ENVIRONMENT_PREFIX = "STREAM_DETECTOR_"

_PACKAGE = Path(__file__).resolve().parents[1]
DATA_FOLDER = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent / "data"
"""Default bundles, samples and schemas: inside an installed wheel, or the checkout's ``data/``."""


_Output = Literal["verdicts", "alerts", "dead_letters"]
_Maskable = Literal["verdicts", "alerts", "dead_letters", "comparisons"]


def _listening_address(value: str) -> str:
    # An empty one would listen on all interfaces without a word.
    if not value or "*" in value or any(map(str.isspace, value)):
        raise ValueError("should be an address such as 127.0.0.1, or 0.0.0.0 for all interfaces")
    return value


class _Kafka(SettingsGroup):
    """Kafka: how to reach it"""

    bootstrap_servers: list[Address] = Field(["localhost:9092"], min_length=1)
    """Kafka brokers as host:port, separated by commas; one that answers will do."""
    group_id: str = "stream-detector"
    """Consumer group of the workers."""
    labels_group_id: str = "stream-detector-labels"
    """Consumer group that collects labels; one for each label store."""
    cluster: str = ""
    """Cluster name inside verdict ids; empty: the cluster id Kafka reports."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How clients connect to Kafka."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """SASL mechanism, where security_protocol has SASL."""
    sasl_username: str = ""
    """SASL user name."""
    sasl_password: SecretStr = SecretStr("")
    """SASL password; better give sasl_password_file."""
    sasl_password_file: SecretFile = None
    """File that holds the SASL password."""
    ssl_cafile: GivenFile = None
    """CA certificates (PEM) to trust."""
    ssl_certfile: GivenFile = None
    """Client certificate (PEM), mutual TLS."""
    ssl_keyfile: SecretFile = None
    """Client key (PEM), mutual TLS."""
    ssl_key_password_file: SecretFile = None
    """File that holds the client key's password."""
    ssl_check_hostname: bool = True
    """Check the broker's name in its TLS certificate."""
    kafka_options: dict[str, str] = Field(default_factory=dict)
    """Any other client setting, by its kafka-python or aiokafka name, for every client that knows
    it."""


class _Topics(SettingsGroup):
    """Topics"""

    topic_prefix: str = ""
    """Prefix of every topic name below."""
    input_topics: list[str] = Field(["url-events"], min_length=1)
    """Topics of log records to read."""
    verdicts_topic: str = "url-verdicts"
    """Topic for verdicts."""
    alerts_topic: str = "url-alerts"
    """Topic for alerts."""
    dead_letters_topic: str = "url-events-dlq"
    """Topic for dead letters."""
    labels_topic: str = "url-labels"
    """Topic for labels that analysts write."""
    feed_labels_topic: str = "url-label-feeds"
    """Topic for labels that feeds write without an analyst."""
    label_feeds: list[str] = Field(default_factory=list)
    """Names of the feeds whose labels count; empty: all feeds."""
    label_keys: dict[str, str] = Field(default_factory=dict)
    """Ed25519 public keys (PEM files) of those who sign their labels, such as
    analyst:kim=kim.pub,feed:urlhaus=feeds.pub; analyst:* and feed:* for all without a key of their
    own. Labels of these names that their key has not signed are refused."""
    labels_dead_letters_topic: str = "url-labels-dlq"
    """Topic for labels that can't be used."""
    topic_partitions: Positive = 8
    """Partitions of topics that are created."""
    topic_replication_factor: int = Field(-1, ge=-1)
    """Replicas of topics that are created; -1: 3 if there are 3 brokers."""
    input_formats: dict[str, str] = Field(default_factory=dict)
    """Log format by input topic, such as zeek_dns; a topic not named is detected record by
    record."""
    json_fields: dict[str, str] = Field(default_factory=dict)
    """Where JSON objects have url, host, client, time and id, if not under these names; dots lead
    into nested objects. Such as url=request.url,client=src.addr or host=domain."""
    start_at: Literal["earliest", "latest"] = "earliest"
    """Where a new consumer group starts to read."""


class _Limits(SettingsGroup):
    """Limits of a record and of a batch"""

    record_bytes_max: Positive = RECORD_BYTES_MAX
    """Longest record that is parsed, bytes; longer: dead letter."""
    batch_records: Positive = 4096
    """Records that make a full batch for the model."""


class _Model(SettingsGroup):
    """Model"""

    url_bundle: Path = DATA_FOLDER / "models" / "url"
    """Model bundle for URLs (a folder)."""
    host_bundle: Path = DATA_FOLDER / "models" / "host"
    """Model bundle for host names (a folder)."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where the model runs; auto: a GPU if TensorFlow sees one."""
    model_threads: int = Field(0, ge=0)
    """CPU threads of the model; 0: as many as the process may use."""


class _Announced(SettingsGroup):
    """Announced models"""

    model_store: str = ""
    """URL of the folder of published bundles: a path, s3://bucket/models or any other URL of
    fsspec. If set, workers follow models_topic and fetch announced models from here;
    url_bundle and host_bundle serve where no model is announced."""
    models_topic: str = "url-models"
    """Topic of announced models (compacted)."""
    shadow_topic: str = "url-shadow"
    """Topic for what a shadow model and the one that serves disagree on."""
    model_public_key: GivenFile = None
    """Ed25519 public key (PEM); if set, bundles and announcements that its private key has not
    signed are refused, and announcements older than one seen before."""
    model_load_timeout: Seconds = 120.0
    """Seconds to fetch, build and warm up an announced model while another serves; slower:
    refused."""


class _Policy(SettingsGroup):
    """Policy"""

    url_suspicious_threshold: Probability | None = None
    """Overrides the URL bundle's threshold for suspicious."""
    url_malicious_threshold: Probability | None = None
    """Overrides the URL bundle's threshold for malicious."""
    host_suspicious_threshold: Probability | None = None
    """Overrides the host bundle's threshold for suspicious."""
    host_malicious_threshold: Probability | None = None
    """Overrides the host bundle's threshold for malicious."""
    allow_list: GivenFile = None
    """File of domains, hosts, URLs or networks, one a line, that are always benign."""
    deny_list: GivenFile = None
    """File of domains, hosts, URLs or networks, one a line, that are always malicious."""
    cache_entries: int = Field(200_000, ge=0)
    """URLs and hosts whose decision is remembered; 0: none."""
    alert_window: Seconds = 3600.0
    """At most one alert per client and registered domain in so many seconds."""


class _Privacy(SettingsGroup):
    """Privacy"""

    client_pseudonyms: list[_Output] = Field(default_factory=list)
    """Outputs in which clients are keyed pseudonyms: verdicts, alerts, dead_letters (whose values
    are withheld)."""
    client_key: SecretStr = SecretStr("")
    """Key of the pseudonyms, 16 bytes or more; better give client_key_file."""
    client_key_file: SecretFile = None
    """File that holds the key of the pseudonyms, the same for all workers; such as openssl rand
    -hex 32 makes."""
    mask_queries: list[_Maskable] = Field(default_factory=list)
    """Outputs in which the values of URL queries are masked: verdicts, alerts, dead_letters (cut at
    the query), comparisons (with shadow models)."""


class _Running(SettingsGroup):
    """Running"""

    http_host: Annotated[str, AfterValidator(_listening_address)] = "127.0.0.1"
    """Address of /metrics, /healthz and /readyz."""
    http_port: int = Field(9464, ge=0, le=65535)
    """Their port; 0: any free one."""
    http_web_config: GivenFile = None
    """Web configuration file (YAML) in the format of Prometheus' exporters: TLS and basic
    authentication for all three."""
    shutdown_timeout: Seconds = 30.0
    """Seconds to finish and commit batches after SIGTERM."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level of log lines."""
    log_format: Literal["auto", "json", "pretty"] = "auto"
    """Format of log lines; auto: pretty on a terminal, else JSON."""
    log_queries: bool = False
    """Let log lines hold the query strings of URLs."""


class Settings(_Kafka, _Topics, _Limits, _Model, _Announced, _Policy, _Privacy, _Running):
    """Everything a worker, a command or a test can set. Each field's description is its help.

    ``Settings(field=...)`` reads neither the environment nor a file: ``load_settings`` does.
    """

    _places: Mapping[str, str] = PrivateAttr(default_factory=dict)
    """Where each value came from, of those that are not defaults."""

    def with_place(self, name: str) -> str:
        """The setting's name for an error message, with where its value came from if it is set."""
        place = self._places.get(name)
        return f"{name} (from {place})" if place else name

    def bundle_of(self, kind: Kind) -> Path:
        """The folder of the model that is set for ``kind``."""
        return self.url_bundle if kind == "url" else self.host_bundle

    def topic(self, name: str) -> str:
        """The full name of a topic: prefix and ``name``."""
        return self.topic_prefix + name

    def client_key_bytes(self) -> bytes:
        """The key of the clients' pseudonyms, by value or by file; empty if there is none.

        Raises:
            OSError: the file can't be read.
        """
        if self.client_key_file is not None:
            return self.client_key_file.read_bytes().strip()
        return self.client_key.get_secret_value().strip().encode(errors="surrogatepass")

    @property
    def verdicts_topic_name(self) -> str:
        """Full name of the topic for verdicts."""
        return self.topic(self.verdicts_topic)

    @property
    def alerts_topic_name(self) -> str:
        """Full name of the topic for alerts."""
        return self.topic(self.alerts_topic)

    @property
    def dead_letters_topic_name(self) -> str:
        """Full name of the topic for dead letters."""
        return self.topic(self.dead_letters_topic)

    @property
    def shadow_topic_name(self) -> str:
        """Full name of the topic for comparisons of shadows."""
        return self.topic(self.shadow_topic)

    @property
    def models_topic_name(self) -> str:
        """Full name of the topic for announced models."""
        return self.topic(self.models_topic)

    @property
    def input_topic_names(self) -> list[str]:
        """Full names of all input topics."""
        return [self.topic(name) for name in self.input_topics]

    @property
    def formats_by_topic(self) -> dict[str, str]:
        """``input_formats`` by full topic name."""
        return {self.topic(topic): name for topic, name in self.input_formats.items()}

    @property
    def output_topic_names(self) -> list[str]:
        """Full names of the topics for verdicts, alerts and dead letters."""
        return [self.verdicts_topic_name, self.alerts_topic_name, self.dead_letters_topic_name]

    @property
    def label_topic_names(self) -> list[str]:
        """Full names of the topics for labels of analysts, of feeds, and for those that can't be
        used. A worker needs none of them.
        """
        names = (self.labels_topic, self.feed_labels_topic, self.labels_dead_letters_topic)
        return [self.topic(name) for name in names]

    @property
    def announcement_topic_names(self) -> list[str]:
        """Full name of the topic of announced models; none where no model store is set."""
        return [self.models_topic_name] if self.model_store else []

    @property
    def shadow_topic_names(self) -> list[str]:
        """Full name of the topic of comparisons; none where no model store is set."""
        return [self.shadow_topic_name] if self.model_store else []


SETTING_GROUPS: Mapping[str, tuple[str, ...]] = {
    group.__doc__ or "": tuple(group.__annotations__)
    for group in (_Kafka, _Topics, _Limits, _Model, _Announced, _Policy, _Privacy, _Running)
}
"""Names of the settings by the title of their group, in the order to show them."""

SECRETS = frozenset(
    name for name, field in Settings.model_fields.items() if field.annotation is SecretStr
)
"""Settings whose value is never shown and which no flag sets."""


def _files(*marks: FileOf) -> tuple[str, ...]:
    fields = Settings.model_fields.items()
    return tuple(name for name, field in fields if set(marks).intersection(field.metadata))


FILES = _files(FileOf.PUBLIC, FileOf.SECRET)
"""Settings that name a file."""

SECRET_FILES = _files(FileOf.SECRET)
"""Settings that name a file whose content is never shown."""
