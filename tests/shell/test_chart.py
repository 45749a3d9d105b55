"""The Helm chart: what it renders is what Kubernetes takes, the restricted pod security profile allows and slamon reads."""

import copy
import functools
import importlib.util
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from slamon import __version__
from slamon.cli import main
from slamon.demo import parts
from slamon.settings import KafkaSettings, Settings, read_settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "slamon"
# The oldest Kubernetes that the chart says it runs on, and the newest there are schemas for.
OLDEST, NEWEST = "1.29.0", "1.37.0"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"

Document = dict[str, Any]
Values = Mapping[str, Any]

AGREEMENT = "apiVersion: slamon/v1\nkind: Agreement\nmetadata: {name: acme-2026}\n"
VALUES: dict[str, Values] = {
    "as it comes": {},
    "one of everything": {
        "replicas": 3,
        "image": {"repository": "registry.example.com/team/slamon", "digest": f"sha256:{'0a' * 32}"},
        "imagePullSecrets": [{"name": "pull"}],
        "settings": {
            "application_id": "slamon-eu",
            "kafka": {
                "bootstrap_servers": "a:9092,b:9092",
                "max_partition_fetch_bytes": 1 << 24,
                "commit_timeout": 12.5,
                "security": {
                    "protocol": "SASL_SSL",
                    "tls": {"ca_file": "/etc/slamon-secrets/kafka/ca.crt"},
                    "sasl": {
                        "mechanism": "SCRAM-SHA-512",
                        "username": "slamon",
                        "password_file": "/etc/slamon-secrets/kafka/password",
                    },
                },
            },
            "notifier": {
                "alertmanagers": [
                    {
                        "url": "http://alertmanager-operated.monitoring:9093",
                        "basic_auth": {
                            "username": "slamon",
                            "password_file": "/etc/slamon-secrets/alertmanager/password",
                        },
                    }
                ]
            },
            "http": {"host": "::"},
            "shutdown_timeout": 30.5,
        },
        "agreements": {
            "files": {"acme.yaml": AGREEMENT, "office.yml": "# hours\n"},
            "volumes": [
                {"name": "north", "configMap": {"name": "agreements-north"}},
                {
                    "name": "south",
                    "persistentVolumeClaim": {"claimName": "agreements-south", "readOnly": True},
                },
                {"name": "east", "secret": {"secretName": "agreements-east"}},
            ],
        },
        "createTopics": True,
        "secrets": ["alertmanager", "kafka"],
        "env": [{"name": "SLAMON_LOG__LEVEL", "value": "debug"}],
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "1m30s"},
        "dashboards": {"labels": {"grafana_dashboard": "1"}, "annotations": {"grafana_folder": "SLA"}},
        "serviceAccount": {"annotations": {"example.com/role": "none"}},
        "podDisruptionBudget": {"maxUnavailable": "50%"},
        "podLabels": {"team": "desk"},
        "podAnnotations": {"example.com/team": "desk"},
        "priorityClassName": "important",
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "desk", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
    },
    "as little as possible": {
        "replicas": 1,
        "fullnameOverride": "sla",
        "podDisruptionBudget": {"enabled": False},
        "dashboards": {"enabled": False},
        "serviceAccount": {"create": False},
        "resources": {},
        "settings": {"kafka": None, "notifier": None},
    },
}


def unavailable(missing: object) -> NoReturn:
    """Skip, but never in CI: there everything has to be tested."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(missing))


@functools.cache
def helm_or_missing() -> Path | parts.Missing:
    return parts.find("helm")


def helm(*arguments: str | Path, values: Values | None = None) -> subprocess.CompletedProcess[str]:
    program = helm_or_missing()
    if isinstance(program, parts.Missing):
        unavailable(program)
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "values.json"
        file.write_text(json.dumps(values or {}))
        # Helm's own folders too, so that nobody's plugins and repositories take part.
        places = {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
        command = [program, *arguments, "--values", file]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | places)


@functools.cache
def _rendered(values: str, release: str) -> tuple[Document, ...]:
    done = helm("template", release, CHART, "--namespace", "sla", values=json.loads(values))
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def rendered(values: Values, release: str = "demo") -> tuple[Document, ...]:
    return copy.deepcopy(_rendered(json.dumps(values), release))


def named(documents: tuple[Document, ...], kind: str, ending: str = "") -> Document:
    found = [each for each in documents if each["kind"] == kind and each["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, (kind, ending, [each["metadata"]["name"] for each in found])
    return found[0]


def settings_in(documents: tuple[Document, ...]) -> Settings:
    """As the daemon reads them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slamon.yaml"
        file.write_text(named(documents, "ConfigMap", "-settings")["data"]["slamon.yaml"])
        return read_settings(file)


def pod_of(documents: tuple[Document, ...]) -> Document:
    pod: Document = named(documents, "StatefulSet")["spec"]["template"]["spec"]
    return pod


def containers_of(pod: Document) -> list[Document]:
    return [*pod["containers"], *pod.get("initContainers", [])]


every_values = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


@every_values
def test_the_chart_passes_helms_lint(values: Values) -> None:
    linted = helm("lint", "--strict", CHART, values=values)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@every_values
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field_of_what_is_rendered(values: Values, version: str) -> None:
    documents = [each for each in rendered(values) if "monitoring.coreos.com" not in each["apiVersion"]]
    assert {"StatefulSet", "Service", "ConfigMap"} <= {each["kind"] for each in documents}
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_oldest_kubernetes_is_the_one_the_chart_names() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}-0"


def test_the_prometheus_operator_knows_every_field_of_the_service_monitor() -> None:
    go = parts.find("go")
    if isinstance(go, parts.Missing):
        unavailable(go)
    with tempfile.TemporaryDirectory() as outside:  # of any Go module
        got = subprocess.run(
            [go, "mod", "download", "-json", OPERATOR],
            cwd=outside,
            capture_output=True,
            text=True,
            check=False,
        )
    if got.returncode:
        unavailable(
            f"the operator's schemas cannot be had: {got.stdout}{got.stderr}. See that Go reaches its module proxy"
        )
    crds = Path(json.loads(got.stdout)["Dir"]) / "example" / "prometheus-operator-crd"
    crd = yaml.safe_load((crds / "monitoring.coreos.com_servicemonitors.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in _parts_of(schema):
        if "properties" in part and not part.get("x-kubernetes-preserve-unknown-fields"):
            part["additionalProperties"] = False
    schema["properties"]["metadata"] = {"type": "object"}
    monitor = named(rendered(VALUES["one of everything"]), "ServiceMonitor")
    jsonschema.validate(monitor, schema)
    monitor["spec"]["endpoints"][0]["honourLabels"] = True
    with pytest.raises(jsonschema.ValidationError, match="honourLabels"):
        jsonschema.validate(monitor, schema)


def _parts_of(schema: object) -> Iterator[Document]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from _parts_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _parts_of(part)


# What slamon reads.


@every_values
def test_slamon_reads_the_settings_that_are_rendered(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = rendered(values)
    monkeypatch.setenv("SLAMON_KAFKA__GROUP_INSTANCE_ID", "demo-slamon-0")
    settings = settings_in(documents)
    assert settings.kafka.group_instance_id == "demo-slamon-0"
    if given := (values.get("settings") or {}).get("kafka"):
        assert settings.kafka == KafkaSettings(**given, group_instance_id="demo-slamon-0")

    for container in containers_of(pod_of(documents)):
        identity = next(
            each for each in container["env"] if each["name"] == "SLAMON_KAFKA__GROUP_INSTANCE_ID"
        )
        assert identity["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@every_values
def test_the_pod_agrees_with_the_settings_in_it(values: Values) -> None:
    documents = rendered(values)
    settings = settings_in(documents)
    pod = pod_of(documents)
    container = pod["containers"][0]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert ports == {"http": settings.http.port, "liveness": settings.http.liveness_port}
    assert pod["terminationGracePeriodSeconds"] >= settings.shutdown_timeout + 5
    assert {str(path) for path in settings.agreements} == {
        path for path in mounts if path.startswith("/etc/slamon-agreements/")
    }
    assert Path(container["args"][2]).parent == Path("/etc/slamon")
    for alertmanager in settings.notifier.alertmanagers:
        assert alertmanager.basic_auth is not None
        assert alertmanager.basic_auth.password_file is not None
        assert str(alertmanager.basic_auth.password_file.parent) in mounts
    # A directory that is mounted with subPath never changes.
    assert all(mount["readOnly"] and "subPath" not in mount for mount in mounts.values())
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in pod["volumes"]}


@every_values
def test_containers_run_commands_that_slamon_has(values: Values) -> None:
    for container in containers_of(pod_of(rendered(values))):
        *command, option, file = container["args"]
        assert (option, file) == ("--config", "/etc/slamon/slamon.yaml")
        helped = CliRunner().invoke(main, [*command, "--help"])
        assert (helped.exit_code, option in helped.output) == (0, True)


def test_topics_are_made_before_the_daemon_starts_only_if_that_is_wanted() -> None:
    assert "initContainers" not in pod_of(rendered({}))
    (made,) = pod_of(rendered({"createTopics": True}))["initContainers"]
    assert made["args"][:2] == ["topics", "create"]


def test_the_pod_ends_within_25_seconds_unless_told_otherwise() -> None:
    assert pod_of(rendered({}))["terminationGracePeriodSeconds"] == 25
    assert pod_of(rendered(VALUES["one of everything"]))["terminationGracePeriodSeconds"] == 36


def test_agreements_of_equal_file_names_stand_beside_each_other() -> None:
    documents = rendered(VALUES["one of everything"])
    assert [str(path) for path in settings_in(documents).agreements] == [
        f"/etc/slamon-agreements/{name}" for name in ("files", "north", "south", "east")
    ]
    assert named(documents, "ConfigMap", "-agreements")["data"]["acme.yaml"] == AGREEMENT
    config_maps = {each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"} | {
        "agreements-north"
    }
    used = {volume["configMap"]["name"] for volume in pod_of(documents)["volumes"] if "configMap" in volume}
    assert used <= config_maps


def test_pods_are_replaced_when_settings_change_but_not_for_agreements() -> None:
    def annotations(values: Values) -> object:
        return named(rendered(values), "StatefulSet")["spec"]["template"]["metadata"]["annotations"]

    before = annotations({})
    assert annotations({"replicas": 5, "serviceMonitor": {"enabled": True}}) == before
    assert annotations({"settings": {"log": {"level": "debug"}}}) != before
    one, other = (
        annotations({"agreements": {"files": {"acme.yaml": text}}})
        for text in (AGREEMENT, AGREEMENT + "# mended\n")
    )
    assert one == other


# How it runs.

Rule = Callable[[Document, Document], bool]
RESTRICTED: dict[str, Rule] = {
    "not as root": lambda pod, _: pod["securityContext"]["runAsNonRoot"] is True,
    "not as a named root either": lambda pod, box: (
        0 not in {pod["securityContext"].get("runAsUser"), box.get("runAsUser")}
    ),
    "the runtime's seccomp profile": lambda pod, _: (
        pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    ),
    "no privileges": lambda _, box: box["privileged"] is False,
    "none to be gained": lambda _, box: box["allowPrivilegeEscalation"] is False,
    "no capabilities": lambda _, box: box["capabilities"] == {"drop": ["ALL"]},
    "no writing to the root file system": lambda _, box: box["readOnlyRootFilesystem"] is True,
    "nothing of the node": lambda pod, _: not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys(),
    "no ports of the node": lambda pod, _: all(
        "hostPort" not in port for port in pod["containers"][0]["ports"]
    ),
    "no sysctls, no other profiles": lambda pod, box: (
        not {"sysctls", "procMount", "appArmorProfile", "seLinuxOptions"}
        & (pod["securityContext"].keys() | box.keys())
    ),
    "only allowed volumes": lambda pod, _: (
        {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]}
        <= {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
    ),
    "no token for the Kubernetes API": lambda pod, _: pod["automountServiceAccountToken"] is False,
    "no variables made of Services' names": lambda pod, _: pod["enableServiceLinks"] is False,
}


@every_values
@pytest.mark.parametrize("rule", RESTRICTED.values(), ids=RESTRICTED)
def test_the_pod_runs_with(rule: Rule, values: Values) -> None:
    pod = pod_of(rendered(values))
    assert all(rule(pod, container["securityContext"]) for container in containers_of(pod))


def test_the_service_account_gives_no_token_and_is_the_pods() -> None:
    documents = rendered({})
    account = named(documents, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert pod_of(documents)["serviceAccountName"] == account["metadata"]["name"]
    assert pod_of(rendered(VALUES["as little as possible"]))["serviceAccountName"] == "default"


def test_probes_ask_for_life_on_its_own_port_and_leave_time_for_a_restore() -> None:
    documents = rendered({})
    container = pod_of(documents)["containers"][0]
    restore = settings_in(documents).kafka.restore_timeout
    asked = {
        name: (container[f"{name}Probe"]["httpGet"]["path"], container[f"{name}Probe"]["httpGet"]["port"])
        for name in ("startup", "liveness", "readiness")
    }
    assert asked == {
        "startup": ("/readyz", "http"),
        "liveness": ("/livez", "liveness"),
        "readiness": ("/readyz", "http"),
    }
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 2 * restore


def test_pods_start_together_under_stable_names_and_leave_one_at_a_time() -> None:
    documents = rendered({})
    spec = named(documents, "StatefulSet")["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    headless = named(documents, "Service", "-headless")
    assert spec["podManagementPolicy"] == "Parallel"
    assert (spec["serviceName"], headless["spec"]["clusterIP"]) == (headless["metadata"]["name"], "None")
    assert named(documents, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    selectors = [each["spec"]["selector"] for each in documents if each["kind"] == "Service"]
    selectors += [
        spec["selector"]["matchLabels"],
        named(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels for selector in selectors)


def test_prometheus_scrapes_both_pages_of_every_pod_once() -> None:
    documents = rendered(VALUES["one of everything"])
    monitor = named(documents, "ServiceMonitor")["spec"]
    chosen = [
        each["metadata"]["name"]
        for each in documents
        if each["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    assert chosen == ["demo-slamon-headless"]
    assert [endpoint["path"] for endpoint in monitor["endpoints"]] == ["/metrics", "/metrics/sla"]
    for endpoint in monitor["endpoints"]:
        assert endpoint["honorLabels"] is True
        # Else two targets would have the same labels, and each would overwrite the other's `up`.
        assert endpoint["relabelings"] == [
            {"sourceLabels": ["__metrics_path__"], "targetLabel": "metrics_path"}
        ]


def test_every_dashboard_reaches_grafanas_sidecar_as_it_is() -> None:
    documents = rendered({})
    shipped: dict[str, str] = {}
    for config_map in documents:
        if config_map["metadata"]["labels"].get("grafana_dashboard") == "1":
            shipped |= config_map["data"]
    boards = sorted((ROOT / "grafana").glob("*.json"))
    assert boards
    assert {name: json.loads(text) for name, text in shipped.items()} == {
        f"slamon-{file.name}": json.loads(file.read_text()) for file in boards
    }


def test_names_stay_within_what_kubernetes_allows() -> None:
    for release in ("a" * 53, "slamon"):
        documents = rendered(VALUES["one of everything"], release)
        assert all(len(each["metadata"]["name"]) <= 63 for each in documents if each["kind"] != "ConfigMap")
        assert len(named(documents, "StatefulSet")["metadata"]["name"]) <= 52
    assert named(rendered({}, "slamon"), "StatefulSet")["metadata"]["name"] == "slamon"


def test_the_image_is_the_released_one_unless_another_is_named() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert pod_of(rendered({}))["containers"][0]["image"] == f"slamon:{__version__}"
    assert pod_of(rendered({"image": {"tag": "edge"}}))["containers"][0]["image"] == "slamon:edge"
    by_digest = pod_of(rendered(VALUES["one of everything"]))["containers"][0]["image"]
    assert by_digest == f"registry.example.com/team/slamon@sha256:{'0a' * 32}"


# What is refused, and said.

ALERTMANAGER = {"url": "http://a:9093"}
LOGIN = {"mechanism": "PLAIN"}
WRONG: dict[str, tuple[Values, str]] = {
    "a misspelt value": ({"replica": 3}, "'replica' not allowed"),
    "a misspelt setting": (
        {"settings": {"kafka": {"bootstrap_server": "a:9092"}}},
        "'bootstrap_server' not allowed",
    ),
    "fewer than no pods": ({"replicas": -1}, "/replicas"),
    "a number in words": ({"replicas": "two"}, "/replicas"),
    "a setting out of range": ({"settings": {"kafka": {"max_records": 0}}}, "/settings/kafka/max_records"),
    "an unknown word": ({"settings": {"kafka": {"start": "newest"}}}, "/settings/kafka/start"),
    "an Alertmanager without address": (
        {"settings": {"notifier": {"alertmanagers": [{"timeout": 5}]}}},
        "property 'url'",
    ),
    "a password in a ConfigMap": (
        {
            "settings": {
                "notifier": {
                    "alertmanagers": [ALERTMANAGER | {"basic_auth": {"username": "a", "password": "b"}}]
                }
            }
        },
        "'password' not allowed",
    ),
    "a token in a ConfigMap": (
        {
            "settings": {
                "notifier": {"alertmanagers": [ALERTMANAGER | {"authorization": {"credentials": "b"}}]}
            }
        },
        "'credentials' not allowed",
    ),
    "a password of Kafka's in a ConfigMap": (
        {"settings": {"kafka": {"security": {"protocol": "SASL_SSL", "sasl": LOGIN | {"password": "b"}}}}},
        "'password' not allowed",
    ),
    "the password of a key in a ConfigMap": (
        {"settings": {"kafka": {"security": {"protocol": "SSL", "tls": {"key_password": "b"}}}}},
        "'key_password' not allowed",
    ),
    "a client's secret in a ConfigMap": (
        {"settings": {"kafka": {"security": {"sasl": LOGIN | {"oauth": {"client_secret": "b"}}}}}},
        "'client_secret' not allowed",
    ),
    "agreements the chart does not mount": (
        {"settings": {"agreements": ["/srv"]}},
        "'agreements' not allowed",
    ),
    "a port the probes do not ask": ({"settings": {"http": {"port": 80}}}, "'port' not allowed"),
    "one identity for all pods": (
        {"settings": {"kafka": {"group_instance_id": "a"}}},
        "'group_instance_id' not allowed",
    ),
    "a file slamon would not read": ({"agreements": {"files": {"acme.txt": "a"}}}, "acme.txt"),
    "a folder of the node": (
        {"agreements": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}},
        "'hostPath' not allowed",
    ),
    "a volume without a source": ({"agreements": {"volumes": [{"name": "a"}]}}, "/agreements/volumes/0"),
    "a volume in the files' place": (
        {"agreements": {"volumes": [{"name": "files", "configMap": {"name": "a"}}]}},
        "/agreements/volumes/0/name",
    ),
    "half a digest": ({"image": {"digest": "sha256:12"}}, "/image/digest"),
    "an interval without a unit": ({"serviceMonitor": {"interval": "30"}}, "/serviceMonitor/interval"),
}


@pytest.mark.parametrize(("values", "said"), WRONG.values(), ids=WRONG)
def test_helm_refuses(values: Values, said: str) -> None:
    done = helm("template", "demo", CHART, values=values)
    assert done.returncode != 0
    assert said in done.stderr


def loaded(file: Path) -> ModuleType:
    """The scripts of deploy/ are no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_of_the_values_is_up_to_date_with_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    code = loaded(ROOT / "deploy" / "values_schema.py").main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def notes(values: Values) -> str:
    done = helm("install", "demo", CHART, "--namespace", "sla", "--dry-run=client", values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def test_the_notes_say_what_is_missing_and_where_to_look_next() -> None:
    said = notes({})
    assert said.startswith("slamon reads from kafka:9092 with 2 pods.\n")
    assert "! There are no agreements" in said
    assert "! No Alertmanager is named" in said
    assert "! No ServiceMonitor" in said
    assert "kubectl --namespace sla rollout status statefulset/demo-slamon\n" in said


def test_the_notes_warn_of_nothing_when_nothing_is_missing() -> None:
    said = notes(VALUES["one of everything"])
    assert said.startswith("slamon reads from a:9092,b:9092 with 3 pods.\n")
    assert "!" not in said
    assert "slamon_config_last_reload_successful is 0" in said


@every_values
def test_the_notes_can_be_written(values: Values) -> None:
    assert "Look next:" in notes(values)
