"""Worker processes on a real Kafka, with all that they read and write, for tests of guarantees."""

import urllib.request
from collections.abc import Sequence
from pathlib import Path

from support.accounting import CLUSTER, Account, Outputs
from support.processes import ROOT, ChildProcess, free_port, start_module, wait_for_http
from support.records import committed_offsets, end_offsets

__all__ = ["Bench"]

PARTITIONS = 4
FINISH_SECONDS = 150


class Bench:
    """One input topic, its outputs, and workers of one group on it.

    ``command`` is a module and its arguments; ``environment`` is added to the workers' own.
    """

    def __init__(
        self,
        bootstrap_servers,
        topics,
        folder: Path,
        *,
        command: Sequence[str] = ("support.rule_worker",),
        **environment: str,
    ) -> None:
        self.command = command
        self.ports: list[int] = []
        self.bootstrap_servers = bootstrap_servers
        self.folder = folder
        self.input = topics("events", partitions=PARTITIONS)
        self.verdicts = topics("verdicts", partitions=PARTITIONS)
        self.alerts = topics("alerts", partitions=PARTITIONS)
        self.dead_letters = topics("dlq", partitions=PARTITIONS, max_message_bytes="2000000")
        self.group = f"group-{self.input}"
        self.account = Account(bootstrap_servers, self.input)
        self.workers: list[ChildProcess] = []
        self.environment = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "STREAM_DETECTOR_BOOTSTRAP_SERVERS": bootstrap_servers,
            "STREAM_DETECTOR_GROUP_ID": self.group,
            "STREAM_DETECTOR_CLUSTER": CLUSTER,
            "STREAM_DETECTOR_INPUT_TOPICS": self.input,
            "STREAM_DETECTOR_VERDICTS_TOPIC": self.verdicts,
            "STREAM_DETECTOR_ALERTS_TOPIC": self.alerts,
            "STREAM_DETECTOR_DEAD_LETTERS_TOPIC": self.dead_letters,
            # A killed worker's partitions are free again after 1.5 s instead of 20.
            "STREAM_DETECTOR_KAFKA_OPTIONS": "session_timeout_ms=1500,heartbeat_interval_ms=300,"
            # Small slow batches, so that faults meet work under way.
            "max_poll_records=250",
            "STREAM_DETECTOR_BATCH_RECORDS": "500",
            "RULE_SECONDS": "0.03",
            **environment,
        }

    def start_worker(self, *, ready: bool = True) -> ChildProcess:
        """One more worker; back when it is ready, or at once without ``ready``."""
        number, port = len(self.workers), free_port()
        worker = start_module(
            *self.command,
            log=self.folder / f"worker-{number}.log",
            environment={**self.environment, "STREAM_DETECTOR_HTTP_PORT": str(port)},
        )
        self.workers.append(worker)
        self.ports.append(port)
        if ready:
            wait_for_http(worker, f"http://127.0.0.1:{port}/readyz", timeout=FINISH_SECONDS)
        return worker

    def metrics(self) -> str:
        """What the newest worker's /metrics shows."""
        url = f"http://127.0.0.1:{self.ports[-1]}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.read().decode()

    def written(self, topic: str) -> int:
        """Records that were ever written to ``topic``."""
        return sum(end_offsets(self.bootstrap_servers, topic).values())

    def wait_for_verdicts(self, count: int, worker: ChildProcess) -> None:
        """Until there are ``count`` verdicts; fails if ``worker`` ends first."""
        worker.wait_until(
            lambda: self.written(self.verdicts) >= count,
            timeout=FINISH_SECONDS,
            what=f"{count} verdicts",
        )

    def wait_until_committed(self, worker: ChildProcess) -> None:
        """Until the group has committed all input; fails if ``worker`` ends first."""

        def all_committed() -> bool:
            ends = end_offsets(self.bootstrap_servers, self.input)
            committed = committed_offsets(self.bootstrap_servers, self.group)
            return all(committed.get(tp, 0) == end for tp, end in ends.items())

        worker.wait_until(all_committed, timeout=FINISH_SECONDS, what="all input committed")

    def prove(self) -> Outputs:
        """All outputs, once they are shown to account for every record that was sent."""
        outputs = Outputs(self.bootstrap_servers, self.verdicts, self.dead_letters)
        outputs.prove(self.account)
        return outputs

    def close(self) -> None:
        """Kill every worker."""
        for worker in self.workers:
            worker.kill()
