"""All settings and limits, in one place, from flags, environment and a TOML file.

Precedence, highest first: command-line flags, environment (``STREAM_DETECTOR_`` and the
field's name in capitals), the TOML file (``--config`` or ``STREAM_DETECTOR_CONFIG``), default.
Secrets come from the environment or from files, never from flags, and print as ``**********``.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DATA_FOLDER", "ENVIRONMENT_PREFIX", "Settings"]

ENVIRONMENT_PREFIX = "STREAM_DETECTOR_"

_PACKAGE = Path(__file__).resolve().parent
DATA_FOLDER = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent / "data"
"""Default bundles, samples and schemas: inside an installed wheel, or the checkout's ``data/``."""

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseSettings):
    """Everything a worker, a command or a test can set. Each field's description is its help."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True, validate_default=True
    )

    # --- Kafka: how to reach it -------------------------------------------------------------
    bootstrap_servers: list[str] = Field(
        ["localhost:9092"], description="Kafka brokers as host:port, separated by commas."
    )
    group_id: str = Field("stream-detector", description="Consumer group of the workers.")
    cluster: str = Field(
        "", description="Cluster name inside verdict ids; empty: the cluster id Kafka reports."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How clients connect to Kafka."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, where security_protocol has SASL."
    )
    sasl_username: str = Field("", description="SASL user name.")
    sasl_password: SecretStr = Field(
        SecretStr(""), description="SASL password; better give sasl_password_file."
    )
    sasl_password_file: Path | None = Field(None, description="File that holds the SASL password.")
    ssl_cafile: Path | None = Field(None, description="CA certificates (PEM) to trust.")
    ssl_certfile: Path | None = Field(None, description="Client certificate (PEM), mutual TLS.")
    ssl_keyfile: Path | None = Field(None, description="Client key (PEM), mutual TLS.")
    ssl_key_password_file: Path | None = Field(
        None, description="File that holds the client key's password."
    )
    ssl_check_hostname: bool = Field(
        True, description="Check the broker's name in its TLS certificate."
    )
    kafka_options: dict[str, str] = Field(
        default_factory=dict,
        description="Any other client setting, by its kafka-python name, for every client.",
    )

    # --- topics -----------------------------------------------------------------------------
    topic_prefix: str = Field("", description="Put before every topic name below.")
    input_topics: list[str] = Field(["url-events"], description="Topics of log records to read.")
    verdicts_topic: str = Field("url-verdicts", description="Topic for verdicts.")
    alerts_topic: str = Field("url-alerts", description="Topic for alerts.")
    dead_letters_topic: str = Field("url-events-dlq", description="Topic for dead letters.")
    topic_partitions: Positive = Field(8, description="Partitions of topics that are created.")
    topic_replication_factor: int = Field(
        -1, description="Replicas of topics that are created; -1: the broker's default."
    )
    input_formats: dict[str, str] = Field(
        default_factory=dict,
        description="Log format by input topic, such as zeek_dns; a topic not named is detected "
        "record by record.",
    )
    start_at: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a new consumer group starts to read."
    )

    # --- limits of a record and of a batch --------------------------------------------------
    record_bytes_max: Positive = Field(
        1_048_576, description="Longest record that is parsed, bytes; longer: dead letter."
    )
    record_lines_max: Positive = Field(
        10_000, description="Most lines in one record; more: dead letter."
    )
    batch_records: Positive = Field(
        4096, description="Records that make a full batch for the model."
    )
    linger_ms: float = Field(
        5.0, ge=0, description="How long a batch that is not full waits for more, milliseconds."
    )
    chunk_records: Positive = Field(
        2048, description="Most records of one partition delivered at once."
    )
    buffered_bytes_max: Positive = Field(
        64 * 1024 * 1024,
        description="Bytes of records read but not yet committed at which partitions are paused.",
    )
    fetch_bytes_max: Positive = Field(
        1_048_576, description="Bytes fetched from one partition at a time."
    )

    # --- model ------------------------------------------------------------------------------
    url_bundle: Path = Field(
        DATA_FOLDER / "models" / "url", description="Model bundle for URLs (a folder)."
    )
    host_bundle: Path = Field(
        DATA_FOLDER / "models" / "host", description="Model bundle for host names (a folder)."
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where the model runs; auto: a GPU if TensorFlow sees one."
    )
    model_threads: int = Field(
        0, ge=0, description="CPU threads of the model; 0: as many as the process may use."
    )

    # --- policy -----------------------------------------------------------------------------
    url_suspicious_threshold: Probability | None = Field(
        None, description="Overrides the URL bundle's threshold for suspicious."
    )
    url_malicious_threshold: Probability | None = Field(
        None, description="Overrides the URL bundle's threshold for malicious."
    )
    host_suspicious_threshold: Probability | None = Field(
        None, description="Overrides the host bundle's threshold for suspicious."
    )
    host_malicious_threshold: Probability | None = Field(
        None, description="Overrides the host bundle's threshold for malicious."
    )
    allow_list: Path | None = Field(
        None, description="File of domains, hosts or URLs, one a line, that are always benign."
    )
    deny_list: Path | None = Field(
        None, description="File of domains, hosts or URLs, one a line, that are always malicious."
    )
    cache_entries: int = Field(
        200_000, ge=0, description="URLs and hosts whose decision is remembered; 0: none."
    )
    alert_window: Seconds = Field(
        3600.0, description="At most one alert per client and registered domain in so many seconds."
    )
    alert_keys_max: Positive = Field(
        100_000, description="Client and domain pairs remembered; the oldest is forgotten first."
    )

    # --- running ----------------------------------------------------------------------------
    http_host: str = Field("127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    http_port: int = Field(9464, ge=0, le=65535, description="Their port; 0: any free one.")
    commit_interval: Seconds = Field(1.0, description="Seconds between commits of offsets.")
    shutdown_timeout: Seconds = Field(
        30.0, description="Seconds to finish what is in flight after SIGTERM."
    )
    revoke_timeout: Seconds = Field(
        10.0,
        description="Seconds to finish and commit a partition that is revoked.",
    )
    stall_timeout: Seconds = Field(
        120.0, description="Seconds with lag and no commit after which the process ends."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines that are written."
    )

    def topic(self, name: str) -> str:
        """The full name of a topic: prefix and ``name``."""
        return self.topic_prefix + name

    @property
    def input_topic_names(self) -> list[str]:
        """Full names of all input topics."""
        return [self.topic(name) for name in self.input_topics]
