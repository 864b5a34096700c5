"""deploy/kubernetes, as it is written: valid by schema, restricted, and true to the code.

There is no cluster here. Kinds of Kubernetes itself are held to the schemas of its API that
kubernetes-validate brings, custom resources to custom-resources.json beside this file.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from stream_detector import __version__
from stream_detector.commands.group import group
from stream_detector.kafka.rights import PARTS, Part
from stream_detector.settings.fields import ENVIRONMENT_PREFIX, Settings
from stream_detector.settings.loading import load_settings
from support.processes import ROOT
from support.prometheus import shipped_rules
from trainer.cli import cli as trainer

KUBERNETES = ROOT / "deploy" / "kubernetes"
CUSTOM = json.loads((Path(__file__).parent / "custom-resources.json").read_text())
KUBERNETES_VERSIONS = ("1.31", "1.37")
"""The oldest version that vendors still support, and the newest with published schemas."""
WARM_UP_SECONDS = 60
FORCED_END_SECONDS = 15
"""After ``shutdown_timeout``: process.py."""

FOLDERS = {"base": KUBERNETES / "base"} | {
    folder.name: folder for folder in (KUBERNETES / "overlays").iterdir()
}


def kustomization(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDERS[name] / "kustomization.yaml").read_text())


def documents(name: str) -> Iterator[dict[str, Any]]:
    """The documents in the files of a folder, without patches and kustomizations."""
    for file in kustomization(name)["resources"]:
        if not file.startswith(".."):
            yield from yaml.safe_load_all((FOLDERS[name] / file).read_text())


BASE = {
    (document["kind"], document["metadata"]["name"]): document for document in documents("base")
}
SETTINGS: dict[str, str] = BASE["ConfigMap", "settings"]["data"]
DETECTOR = BASE["Deployment", "detector"]["spec"]
TRAINER = BASE["Deployment", "trainer"]["spec"]
[SCALED] = [each["spec"] for each in documents("keda") if each["kind"] == "ScaledObject"]


def pod_specs() -> dict[str, dict[str, Any]]:
    return {
        "detector": DETECTOR["template"]["spec"],
        "topics": BASE["Job", "topics"]["spec"]["template"]["spec"],
        "trainer": TRAINER["template"]["spec"],
    }


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


every_pod = pytest.mark.parametrize("pod", pod_specs().values(), ids=pod_specs())
every_container = pytest.mark.parametrize(
    "container",
    [each for pod in pod_specs().values() for each in containers(pod)],
    ids=lambda container: container["name"],
)
every_folder = pytest.mark.parametrize("name", FOLDERS)


def validate(document: dict[str, Any], version: str) -> None:
    if document["kind"] in CUSTOM:
        jsonschema.validate(document, CUSTOM[document["kind"]])
    else:
        kubernetes_validate.validate(document, version, strict=True)


def test_all_promised_objects_exist() -> None:
    assert {kind for kind, _ in BASE} == {
        *("Namespace", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim", "Service", "Job"),
        *("Deployment", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"),
        "PrometheusRule",
    }
    assert set(FOLDERS) == {"base", "keda", "gpu"}


@every_folder
@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_every_document_is_valid_by_its_schema(name: str, version: str) -> None:
    found = list(documents(name))
    for document in found:
        validate(document, version)
    assert found or name == "gpu"


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "detector", "spec.template.spec.containres", []),
        ("Deployment", "detector", "spec.replicas", "two"),
        ("NetworkPolicy", "metrics", "spec.ingres", []),
        ("ServiceMonitor", "detector", "spec.endpoint", []),
        ("PrometheusRule", "stream-detector", "spec.group", []),
        ("PrometheusRule", "stream-detector", "spec.groups", [{"name": "a", "rules": [{}]}]),
    ],
)
def test_a_typing_error_is_not_valid(kind: str, name: str, path: str, value: object) -> None:
    document = json.loads(json.dumps(BASE[kind, name]))
    *way, last = path.split(".")
    place = document
    for step in way:
        place = place[step]
    place[last] = value
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(document, KUBERNETES_VERSIONS[-1])


@every_folder
def test_a_kustomization_lists_each_file_of_its_folder(name: str) -> None:
    content = kustomization(name)
    patches = [patch["path"] for patch in content.get("patches", ()) if "path" in patch]
    listed = {*content["resources"], *patches} - {"../../base"}

    assert listed == {path.name for path in FOLDERS[name].iterdir()} - {"kustomization.yaml"}
    assert content["namespace"] == BASE["Namespace", "stream-detector"]["metadata"]["name"]
    assert name == "base" or "../../base" in content["resources"]


@pytest.mark.parametrize("name", sorted(FOLDERS.keys() - {"base"}))
def test_patches_apply_to_objects_of_the_base(name: str) -> None:
    patches = kustomization(name)["patches"]
    assert patches
    for patch in patches:
        if "path" in patch:
            document = yaml.safe_load((FOLDERS[name] / patch["path"]).read_text())
            target = (document["kind"], document["metadata"]["name"])
            base = {each["name"] for each in containers(pod_specs()[target[1]])}
            changed = document["spec"]["template"]["spec"]
            assert {each["name"] for each in changed["containers"]} <= base
            # A patch is incomplete, so validate it merged into its object, if the kind allows it.
            validate(merged(BASE[target], document), KUBERNETES_VERSIONS[-1])
        else:
            target = (patch["target"]["kind"], patch["target"]["name"])
            for operation in yaml.safe_load(patch["patch"]):
                place = BASE[target]
                for step in operation["path"].strip("/").split("/"):
                    place = place[step]
        assert target in BASE


def merged(base: Any, patch: Any) -> Any:
    """The part of a strategic merge that these patches need: merge lists of named items by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: merged(base.get(key), value) for key, value in patch.items()}
    if isinstance(base, list) and isinstance(patch, list) and all("name" in each for each in base):
        by_name = {each["name"]: each for each in base}
        for each in patch:
            by_name[each["name"]] = merged(by_name.get(each["name"]), each)
        return list(by_name.values())
    return patch


# --- rights ---------------------------------------------------------------------------------


def test_the_namespace_enforces_the_restricted_standard() -> None:
    labels = BASE["Namespace", "stream-detector"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@every_pod
def test_a_pod_has_no_more_rights_than_it_needs(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert ("ServiceAccount", pod["serviceAccountName"]) in BASE
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    dockerfile = (ROOT / "deploy" / "detector" / "Dockerfile").read_text()
    user = f"{security['runAsUser']}:{security['runAsGroup']}"
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == [user]
    for right in ("hostNetwork", "hostPID", "hostIPC"):
        assert right not in pod
    for volume in pod["volumes"]:
        assert set(volume) - {"name"} <= {"emptyDir", "secret", "persistentVolumeClaim"}


@every_container
def test_a_container_has_no_more_rights_than_it_needs(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@every_pod
def test_mounts_name_volumes_of_the_pod(pod: dict[str, Any]) -> None:
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"] for each in containers(pod) for mount in each["volumeMounts"]}
    assert mounted == set(volumes)
    for volume in volumes.values():
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            assert ("PersistentVolumeClaim", claim) in BASE
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


def test_only_the_trainer_writes_the_model_store() -> None:
    for name, pod in pod_specs().items():
        for mount in (mount for each in containers(pod) for mount in each["volumeMounts"]):
            if mount["name"] == "models":
                assert mount["mountPath"] == SETTINGS["STREAM_DETECTOR_MODEL_STORE"]
                assert mount.get("readOnly", False) is (name == "detector")


def test_policies_allow_only_prometheus_in_and_dns_and_kafka_out() -> None:
    policies = {
        name: each["spec"] for (kind, name), each in BASE.items() if kind == "NetworkPolicy"
    }
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [ingress] = [rule for spec in policies.values() for rule in spec.get("ingress", ())]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    assert all(peer["namespaceSelector"]["matchLabels"] for peer in ingress["from"])
    ports = {
        port["port"]
        for spec in policies.values()
        for rule in spec.get("egress", ())
        for port in rule["ports"]
    }
    kafka = int(SETTINGS["STREAM_DETECTOR_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    assert ports == {53, kafka}
    # NodeLocal DNSCache listens at an address of the node, which no selector of pods matches.
    [dns] = [rule for rule in policies["dns-and-kafka"]["egress"] if rule["ports"][0]["port"] == 53]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in dns["to"]


# --- true to the code -----------------------------------------------------------------------


def settings_of(pod: dict[str, Any]) -> dict[str, str]:
    """The variables of the only container of a pod."""
    [container] = containers(pod)
    return SETTINGS | {each["name"]: each["value"] for each in container["env"]}


@every_pod
def test_settings_exist_and_are_valid(pod: dict[str, Any], tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    given = settings_of(pod)
    # The Secret does not exist here.
    environment = given | {
        f"{ENVIRONMENT_PREFIX}SASL_PASSWORD_FILE": str(password),
        f"{ENVIRONMENT_PREFIX}SSL_CAFILE": certifi.where(),
    }
    settings, origins = load_settings({}, environment, None)

    assert {name for name, origin in origins.items() if origin == "environment"} == {
        name.removeprefix(ENVIRONMENT_PREFIX).lower() for name in given
    }
    assert settings.security_protocol == "SASL_SSL"


USERS: dict[str, Part] = {"detector": "detector", "topics": "topic-maker", "trainer": "trainer"}
"""The Kafka user of each pod, which has the name of its part."""


def test_every_part_has_its_own_user_and_mounts_only_its_own_secret() -> None:
    assert USERS.keys() == pod_specs().keys()
    for name, pod in pod_specs().items():
        [container] = containers(pod)
        part = USERS[name]
        assert settings_of(pod)["STREAM_DETECTOR_SASL_USERNAME"] == part
        program, *words = container["command"]
        assert " ".join([program, *words]) in PARTS[part]
        secrets = [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each]
        assert secrets == [f"kafka-{part}"]
        assert pod["serviceAccountName"] == name
    [authentication] = [each for each in documents("keda") if each["kind"] != "ScaledObject"]
    secrets = {each["name"] for each in authentication["spec"]["secretTargetRef"]}
    assert secrets == {"kafka-scaler"}
    readme = (KUBERNETES / "README.md").read_text()
    assert f"for PART in {' '.join(USERS.values())} scaler; do" in readme
    assert all(f"--part {part}" in readme for part in (*USERS.values(), "scaler"))


def test_the_secret_is_a_file_and_never_a_variable() -> None:
    [mount] = {
        mount["mountPath"]
        for pod in pod_specs().values()
        for each in containers(pod)
        for mount in each["volumeMounts"]
        if mount["name"] == "kafka"
    }
    for name in ("SASL_PASSWORD_FILE", "SSL_CAFILE"):
        assert Path(SETTINGS[ENVIRONMENT_PREFIX + name]).parent == Path(mount)
    assert "secretRef" not in str(BASE)
    assert "secretKeyRef" not in str(BASE)


@every_container
def test_commands_and_their_options_exist(container: dict[str, Any]) -> None:
    program, *words = [*container["command"], *container.get("args", ())]
    command: click.Command = {"stream-detector": group, "stream-trainer": trainer}[program]
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words} <= options


@pytest.mark.parametrize("name", ["detector", "trainer"])
def test_probes_allow_for_the_warm_up(name: str) -> None:
    pod = pod_specs()[name]
    [container] = pod["containers"]
    [port] = container["ports"]
    assert str(port["containerPort"]) == settings_of(pod)["STREAM_DETECTOR_HTTP_PORT"]
    assert SETTINGS["STREAM_DETECTOR_HTTP_HOST"] == "0.0.0.0"
    paths = {
        probe: container[f"{probe}Probe"]["httpGet"]
        for probe in ("startup", "liveness", "readiness")
    }
    assert {probe["port"] for probe in paths.values()} == {port["name"]}
    assert {probe: each["path"] for probe, each in paths.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    health = (ROOT / "stream_detector" / "web" / "server.py").read_text()
    assert all(f'"{probe["path"]}"' in health for probe in paths.values())
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 2 * WARM_UP_SECONDS


def test_a_rolling_update_waits_for_a_warm_up_of_each_worker_in_turn() -> None:
    assert DETECTOR["progressDeadlineSeconds"] > WARM_UP_SECONDS + DETECTOR["minReadySeconds"]


def test_the_worker_has_time_to_stop_in_order() -> None:
    timeout = float(SETTINGS["STREAM_DETECTOR_SHUTDOWN_TIMEOUT"])
    seconds = DETECTOR["template"]["spec"]["terminationGracePeriodSeconds"]
    assert seconds > timeout + FORCED_END_SECONDS
    process = (ROOT / "stream_detector" / "worker" / "process.py").read_text()
    assert f"_STOP_MARGIN_SECONDS = {FORCED_END_SECONDS}.0" in process


@pytest.mark.parametrize("name", ["detector", "trainer"])
def test_selectors_and_ports_meet_and_prometheus_scrapes_it(name: str) -> None:
    deployment = BASE["Deployment", name]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    service = BASE["Service", f"{name}-metrics"]
    monitor = BASE["ServiceMonitor", name]["spec"]
    assert labels == {"app.kubernetes.io/name": name}
    assert deployment["selector"]["matchLabels"] == labels
    [expression] = BASE["NetworkPolicy", "metrics"]["spec"]["podSelector"]["matchExpressions"]
    assert expression["operator"] == "In"
    assert labels[expression["key"]] in expression["values"]
    assert service["spec"]["selector"] == labels
    assert monitor["selector"]["matchLabels"] == service["metadata"]["labels"]
    # Rules and dashboards select the job by this name.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == name
    [port], [endpoint] = service["spec"]["ports"], monitor["endpoints"]
    assert service["spec"]["clusterIP"] == "None"
    assert endpoint["port"] == port["name"]
    assert str(port["port"]) == settings_of(pod_specs()[name])["STREAM_DETECTOR_HTTP_PORT"]
    assert endpoint["path"] == "/metrics"


def test_no_drain_evicts_all_workers_while_kafka_is_down() -> None:
    budget = BASE["PodDisruptionBudget", "detector"]["spec"]
    assert budget["selector"]["matchLabels"] == DETECTOR["template"]["metadata"]["labels"]
    assert budget["maxUnavailable"] == 1
    # AlwaysAllow evicts every worker that is not ready, and without Kafka none is.
    assert budget["unhealthyPodEvictionPolicy"] == "IfHealthyBudget"


def test_the_job_of_topics_is_gone_before_the_next_apply() -> None:
    assert BASE["Job", "topics"]["spec"]["ttlSecondsAfterFinished"] == 0
    assert "delete job topics" in (KUBERNETES / "README.md").read_text()


@every_folder
def test_the_image_is_of_this_version(name: str) -> None:
    for image in kustomization(name).get("images", ()):
        assert image["name"] == "stream-detector"
        assert image["newTag"].removesuffix("-gpu") == __version__
    assert {each["image"] for pod in pod_specs().values() for each in containers(pod)} == {
        "stream-detector"
    }


def test_one_watch_at_a_time_in_a_persistent_folder() -> None:
    assert TRAINER["replicas"] == 1
    assert TRAINER["strategy"] == {"type": "Recreate"}
    [container] = TRAINER["template"]["spec"]["containers"]
    [volume] = [each for each in container["volumeMounts"] if each["name"] == "trainer"]
    [folder] = [word.partition("=")[2] for word in container["args"] if "--folder=" in word]
    assert Path(folder).is_relative_to(volume["mountPath"])
    # README.md adds the argument for the corpus: without the file the watch would not start.
    readme = (KUBERNETES / "README.md").read_text()
    assert f"value: --url-data={volume['mountPath']}/" in readme
    assert "/spec/template/spec/containers/0/args/-" in readme


def test_all_rules_are_shipped() -> None:
    groups = BASE["PrometheusRule", "stream-detector"]["spec"]["groups"]
    assert [rule for group in groups for rule in group["rules"]] == shipped_rules()


def test_scaling_follows_the_lag_of_the_group_up_to_one_worker_per_partition() -> None:
    [trigger] = SCALED["triggers"]
    about = trigger["metadata"]
    assert about["bootstrapServers"] == SETTINGS["STREAM_DETECTOR_BOOTSTRAP_SERVERS"]
    assert about["consumerGroup"] == Settings().group_id
    # All topics of the group.
    assert "topic" not in about
    assert str(SCALED["maxReplicaCount"]) == SETTINGS["STREAM_DETECTOR_TOPIC_PARTITIONS"]
    assert about["allowIdleConsumers"] == "false"
    assert SCALED["minReplicaCount"] >= 1
    assert ("Deployment", SCALED["scaleTargetRef"]["name"]) in BASE
    [authentication] = [each for each in documents("keda") if each["kind"] != "ScaledObject"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_a_worker_is_added_before_the_objective_is_missed() -> None:
    objective = (ROOT / "deploy" / "prometheus" / "rules" / "objective.yml").read_text()
    [seconds] = {float(each) for each in re.findall(r'le="([\d.]+)"', objective)}
    [trigger] = SCALED["triggers"]
    # Two workers can process this much.
    records_per_second = 1_000
    lag = float(trigger["metadata"]["lagThreshold"]) * SCALED["minReplicaCount"]
    assert lag / records_per_second == seconds / 2
    # The file says by how much the input may exceed two workers until the third begins.
    behavior = SCALED["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    autoscaler_seconds = 15
    until_it_works = (
        SCALED["pollingInterval"]
        + autoscaler_seconds
        + behavior["scaleUp"]["stabilizationWindowSeconds"]
        + WARM_UP_SECONDS
    )
    assert until_it_works == 120
    assert until_it_works / 5 < seconds / 2


def test_rebalances_are_rare_by_the_scaling() -> None:
    behavior = SCALED["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    [up], [down] = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    # The lag of a warm-up and of the rebalance after it must not ask for more workers.
    assert up["periodSeconds"] > 2 * (WARM_UP_SECONDS + DETECTOR["minReadySeconds"])
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] > SCALED["pollingInterval"]
    assert down["value"] == 1
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 2 * up["periodSeconds"]
