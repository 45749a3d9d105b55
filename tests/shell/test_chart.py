"""The Helm chart: what it renders is what slamon reads, what the restricted pod security profile allows, and what was asked for."""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from slamon import __version__
from slamon.cli import main
from slamon.settings import KafkaSettings
from tests.shell.charts import (
    CHART,
    ROOT,
    VALUES,
    Document,
    Values,
    containers_of,
    every_values,
    helm,
    named,
    pod_of,
    pods_of,
    rendered,
    settings_in,
)
from tests.shell.scripts import loaded

EVERYTHING = VALUES["one of everything"]
LITTLE = VALUES["as little as possible"]

# What slamon reads.


@every_values
def test_slamon_reads_the_settings_that_are_rendered(values: Values) -> None:
    documents = rendered(values)
    settings = settings_in(documents)
    assert settings.kafka.group_instance_id == "demo-slamon-0"
    if given := (values.get("settings") or {}).get("kafka"):
        assert settings.kafka == KafkaSettings(**given, group_instance_id="demo-slamon-0")
    for pod in pods_of(documents):
        for container in containers_of(pod):
            identity = container["env"][0]
            assert identity["name"] == "SLAMON_KAFKA__GROUP_INSTANCE_ID"
            assert identity["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def paths_in(settings: object) -> Iterator[Path]:
    """Every path that the settings name."""
    if isinstance(settings, Path):
        yield settings
    elif isinstance(settings, BaseModel):
        for _, value in settings:
            yield from paths_in(value)
    elif isinstance(settings, dict):
        yield from paths_in(tuple(settings.values()))
    elif isinstance(settings, tuple):
        for value in settings:
            yield from paths_in(value)


@every_values
def test_the_pod_agrees_with_the_settings_in_it(values: Values) -> None:
    documents = rendered(values)
    settings = settings_in(documents)
    container = pod_of(documents)["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.http.port, "liveness": settings.http.liveness_port}
    assert pod_of(documents)["terminationGracePeriodSeconds"] >= settings.shutdown_timeout + 5
    for pod in pods_of(documents):
        for each in containers_of(pod):
            mounts = {mount["mountPath"]: mount for mount in each["volumeMounts"]}
            assert {str(path) for path in settings.agreements} == {
                path for path in mounts if path.startswith("/etc/slamon-agreements/")
            }
            for path in paths_in(settings):
                assert str(path) in mounts or str(path.parent) in mounts, f"{path} is in no volume"
            # A directory that is mounted with subPath never changes.
            assert all(mount["readOnly"] and "subPath" not in mount for mount in mounts.values())
            assert {mount["name"] for mount in mounts.values()} == {
                volume["name"] for volume in pod["volumes"]
            }


@every_values
def test_containers_run_commands_that_slamon_has(values: Values) -> None:
    for pod in pods_of(rendered(values)):
        for container in containers_of(pod):
            *command, option, file = container["args"]
            assert (option, file) == ("--config", "/etc/slamon/slamon.yaml")
            helped = CliRunner().invoke(main, [*command, "--help"])
            assert (helped.exit_code, option in helped.output) == (0, True)


def test_settings_that_somebody_else_keeps_are_read_and_what_has_to_agree_with_the_pod_wins() -> None:
    documents = rendered(VALUES["existing settings"])
    assert not [each for each in documents if each["metadata"]["name"].endswith("-settings")]
    for pod in pods_of(documents):
        assert {"name": "settings", "configMap": {"name": "slamon-of-the-platform"}} in pod["volumes"]
    settings = settings_in(documents)
    assert settings.kafka.bootstrap_servers == "theirs:9092"
    assert (settings.http.host, settings.http.port, settings.http.liveness_port) == ("127.0.0.1", 9464, 9465)
    assert settings.agreements == (Path("/etc/slamon-agreements/all"),)
    assert settings.shutdown_timeout == 30


def test_topics_are_made_before_the_daemon_starts_only_if_that_is_wanted() -> None:
    assert "initContainers" not in pod_of(rendered({}))
    (made,) = pod_of(rendered({"createTopics": True}))["initContainers"]
    assert made["args"][:2] == ["topics", "create"]


def test_the_pod_ends_within_25_seconds_unless_told_otherwise() -> None:
    assert pod_of(rendered({}))["terminationGracePeriodSeconds"] == 25
    assert pod_of(rendered(EVERYTHING))["terminationGracePeriodSeconds"] == 36


def test_agreements_of_equal_file_names_stand_beside_each_other() -> None:
    documents = rendered(EVERYTHING)
    assert [str(path) for path in settings_in(documents).agreements] == [
        f"/etc/slamon-agreements/{name}" for name in ("files", "north", "south", "east")
    ]
    assert (
        named(documents, "ConfigMap", "-agreements")["data"]["acme.yaml"]
        == EVERYTHING["agreements"]["files"]["acme.yaml"]
    )
    config_maps = {each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"} | {
        "agreements-north",
        "slamon-templates",
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
        for text in ("kind: Agreement\n", "kind: Agreement\n# mended\n")
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
        "hostPort" not in port for box in pod["containers"] for port in box.get("ports", [])
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
    for pod in pods_of(rendered(values)):
        assert all(rule(pod, container["securityContext"]) for container in containers_of(pod))


def test_the_service_account_gives_no_token_and_is_the_pods() -> None:
    documents = rendered({})
    account = named(documents, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert pod_of(documents)["serviceAccountName"] == account["metadata"]["name"]
    assert pod_of(rendered(LITTLE))["serviceAccountName"] == "default"


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
    documents = rendered(EVERYTHING)
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


def test_pods_go_to_different_nodes_and_zones_and_a_constraint_is_about_these_pods() -> None:
    def constraints(values: Values) -> list[Document]:
        found: list[Document] = pod_of(rendered(values))["topologySpreadConstraints"]
        return found

    these = {"matchLabels": {"app.kubernetes.io/name": "slamon", "app.kubernetes.io/instance": "demo"}}
    assert [(each["topologyKey"], each["whenUnsatisfiable"]) for each in constraints({})] == [
        ("kubernetes.io/hostname", "ScheduleAnyway"),
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
    ]
    # Without a selector a constraint counts no pods, and so does nothing.
    assert [each["labelSelector"] for each in constraints({}) + constraints(EVERYTHING)] == [
        these, these, these, {"matchLabels": {"team": "desk"}},
    ]  # fmt: skip


def test_helms_test_asks_the_doctor_beside_the_pods_and_no_service_leads_to_it() -> None:
    documents = rendered({})
    doctor = named(documents, "Pod")
    assert doctor["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert doctor["spec"]["containers"][0]["args"][0] == "doctor"
    assert doctor["spec"]["restartPolicy"] == "Never"
    labels = doctor["metadata"]["labels"].items()
    selectors = [
        each["spec"]["selector"].get("matchLabels", each["spec"]["selector"])
        for each in documents
        if each["kind"] in ("Service", "StatefulSet", "PodDisruptionBudget")
    ]
    assert len(selectors) == 4
    assert not [selector for selector in selectors if selector.items() <= labels]


# Whom it speaks to.


def policy_of(values: Values) -> Document:
    spec: Document = named(rendered(values), "NetworkPolicy")["spec"]
    return spec


def by_port(rules: list[Document]) -> dict[tuple[int | str, ...], object]:
    """Ports → whom they lead to; None is anybody."""
    return {tuple(port["port"] for port in rule["ports"]): rule.get("to", rule.get("from")) for rule in rules}


def test_there_is_no_network_policy_unless_it_is_asked_for() -> None:
    assert "NetworkPolicy" not in {each["kind"] for each in rendered({})}


def test_the_network_policy_is_about_the_pods_and_the_doctor() -> None:
    documents = rendered(EVERYTHING)
    selector = named(documents, "NetworkPolicy")["spec"]["podSelector"]
    (among,) = selector["matchExpressions"]
    for labels in (
        named(documents, "StatefulSet")["spec"]["template"]["metadata"]["labels"],
        named(documents, "Pod")["metadata"]["labels"],
    ):
        assert selector["matchLabels"].items() <= labels.items()
        assert labels[among["key"]] in among["values"]
    assert named(documents, "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_only_scrapers_come_in_and_without_any_nobody_does() -> None:
    spec = policy_of(EVERYTHING)
    assert by_port(spec["ingress"]) == {("http",): EVERYTHING["networkPolicy"]["scrapers"]}
    assert policy_of({"networkPolicy": {"enabled": True, "scrapers": []}})["ingress"] == []


def test_the_pods_reach_names_brokers_and_the_receivers_of_the_settings_and_nothing_else() -> None:
    dns = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
    assert by_port(policy_of({"networkPolicy": {"enabled": True}})["egress"]) == {
        (53, 53): dns,
        (9092,): None,
        (443,): None,
    }
    given = EVERYTHING["networkPolicy"]
    assert by_port(policy_of(EVERYTHING)["egress"]) == {
        (53, 53): given["dns"],
        (9094, 9092): given["kafka"]["to"],
        # Of the Alertmanager, beside those that are named; not where people open slamon's pages.
        (443, 8443, 9093): given["receivers"]["to"],
        (3128,): [{"podSelector": {"matchLabels": {"app": "proxy"}}}],
    }
    addresses = {
        "kafka": {"bootstrap_servers": "a:9092, b:9093,[::1]:9094"},
        "notifier": {"alertmanagers": [{"url": "http://a/x"}, {"url": "https://b"}, {"url": "http://[::1]:94/y"}]},
    }  # fmt: skip
    policy = {"enabled": True, "receivers": {"ports": []}}
    assert [*by_port(policy_of({"settings": addresses, "networkPolicy": policy})["egress"])] == [
        (53, 53),
        (9092, 9093, 9094),
        (80, 443, 94),
    ]


def test_the_brokers_ports_are_asked_for_where_the_chart_cannot_read_them() -> None:
    values = {"existingSettings": "theirs", "networkPolicy": {"enabled": True}}
    done = helm("template", "demo", CHART, values=values)
    assert done.returncode != 0
    assert "networkPolicy.kafka.ports: name the brokers' ports" in done.stderr


# What watches slamon itself.

RULES = """\
groups:
  - name: demo
    rules:
      - {record: "slamon:lag", expr: "sum(slamon_partition_lag{job=~\\"slamon(-sla)?\\"})"}
      - alert: SlamonDown
        expr: up{job=~"slamon(-sla)?"} == 0 and on () slamon_x{job=~"slamon(-sla)?", state="running"}
        for: 5m
        labels: {severity: warning}
        annotations: {summary: "{{ $labels.pod }} is down", runbook_url: https://slamon.example/docs/runbook/SlamonDown/}
"""


@pytest.fixture
def ruled(tmp_path: Path) -> Path:
    """The chart with these rules in place of its own."""
    chart = tmp_path / "slamon"
    shutil.copytree(CHART, chart)
    shutil.rmtree(chart / "rules", ignore_errors=True)
    (chart / "rules").mkdir()
    (chart / "rules" / "slamon.rules.yaml").write_text(RULES)
    return chart


def groups_of(chart: Path, values: Values) -> list[Document]:
    done = helm("template", "demo", chart, "--namespace", "sla", values=values)
    assert done.returncode == 0, done.stderr
    rule = named(tuple(yaml.safe_load_all(done.stdout)), "PrometheusRule")
    groups: list[Document] = rule["spec"]["groups"]
    return groups


def test_the_rules_are_about_this_release_and_go_on_to_prometheus_as_they_are(ruled: Path) -> None:
    (group,) = groups_of(ruled, {"prometheusRule": {"enabled": True}})
    this = 'namespace="sla",service="demo-slamon-headless"'
    record, alert = group["rules"]
    assert record == {"record": "slamon:lag", "expr": f"sum(slamon_partition_lag{{{this}}})"}
    assert alert == {
        "alert": "SlamonDown",
        "expr": f'up{{{this}}} == 0 and on () slamon_x{{{this}, state="running"}}',
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "{{ $labels.pod }} is down",
            "runbook_url": "https://slamon.example/docs/runbook/SlamonDown/",
        },
    }


def test_alerts_bear_the_labels_and_lead_to_the_pages_that_are_named(ruled: Path) -> None:
    (group,) = groups_of(ruled, {
        "seriesSelector": 'job="sla"',
        "prometheusRule": {
            "enabled": True, "alertLabels": {"team": "desk"},
        },
        "docsUrl": "https://docs.example.com/slamon/",
    })  # fmt: skip
    record, alert = group["rules"]
    assert record == {"record": "slamon:lag", "expr": 'sum(slamon_partition_lag{job="sla"})'}
    assert alert["labels"] == {"severity": "warning", "team": "desk"}
    assert alert["annotations"]["runbook_url"] == "https://docs.example.com/slamon/runbook/SlamonDown/"


def test_slamons_own_alerts_lead_to_those_pages_unless_the_settings_say_where() -> None:
    given = {"docsUrl": "https://docs.example.com/slamon/"}
    assert settings_in(rendered(given)).notifier.runbook_url == (
        "https://docs.example.com/slamon/runbook/$alertname/"
    )
    there = "https://wiki.example.com/$alertname"
    own = given | {"settings": {"notifier": {"runbook_url": there}}}
    assert settings_in(rendered(own)).notifier.runbook_url == there


def test_the_rules_that_are_shipped_are_the_ones_that_are_tested() -> None:
    tested = yaml.safe_load((ROOT / "deploy" / "prometheus" / "slamon.rules.yaml").read_text())
    as_they_are = {"seriesSelector": 'job=~"slamon(-sla)?"', "prometheusRule": {"enabled": True}}
    assert groups_of(CHART, as_they_are) == tested["groups"]
    # And the two texts that the chart replaces are gone from them all.
    told = json.dumps(named(rendered(EVERYTHING), "PrometheusRule")["spec"])
    assert "slamon.example" not in told
    assert "job=~" not in told


# Pods by what there is to do.


def test_with_keda_the_chart_names_no_number_of_pods_and_prometheus_does_by_work_and_lag() -> None:
    documents = rendered(VALUES["keda"])
    scaled = named(documents, "ScaledObject")["spec"]
    stateful_set = named(documents, "StatefulSet")
    assert "replicas" not in stateful_set["spec"]
    assert scaled["scaleTargetRef"] == {
        "apiVersion": stateful_set["apiVersion"],
        "kind": stateful_set["kind"],
        "name": stateful_set["metadata"]["name"],
    }
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (3, 12)
    this = 'namespace="sla",service="demo-slamon-headless"'
    assert [each["metadata"] for each in scaled["triggers"]] == [
        {
            "serverAddress": "https://prometheus.example.com",
            "query": query,
            "threshold": threshold,
            "ignoreNullValues": "false",
        }
        for query, threshold in (
            (f"sum(rate(slamon_events_total{{{this}}}[10m]))", "20000"),
            (f"sum(slamon_partition_lag{{{this}}})", "600000"),
        )
    ]


def test_pods_come_and_go_one_at_a_time_and_none_goes_for_want_of_prometheus() -> None:
    scaled = named(rendered(VALUES["keda"]), "ScaledObject")["spec"]
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for way in ("scaleUp", "scaleDown"):
        (policy,) = behavior[way]["policies"]
        assert (policy["type"], policy["value"]) == ("Pods", 1)
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 3600
    assert scaled["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert scaled["fallback"]["replicas"] == scaled["minReplicaCount"]


# Names.


def test_names_stay_within_what_kubernetes_allows() -> None:
    for release in ("a" * 53, "slamon"):
        documents = rendered(EVERYTHING, release)
        assert all(len(each["metadata"]["name"]) <= 63 for each in documents if each["kind"] != "ConfigMap")
        assert len(named(documents, "StatefulSet")["metadata"]["name"]) <= 52
    assert named(rendered({}, "slamon"), "StatefulSet")["metadata"]["name"] == "slamon"


def test_the_image_is_the_released_one_unless_another_is_named() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert pod_of(rendered({}))["containers"][0]["image"] == f"slamon:{__version__}"
    assert pod_of(rendered({"image": {"tag": "edge"}}))["containers"][0]["image"] == "slamon:edge"
    by_digest = pod_of(rendered(EVERYTHING))["containers"][0]["image"]
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
    "more pods than partitions": (
        {"keda": {"enabled": True, "maxReplicas": 9}, "createTopics": True},
        "keda.maxReplicas (9) is above settings.kafka.partitions (8)",
    ),
    "at most fewer pods than at least": (
        {"keda": {"enabled": True, "minReplicas": 3, "maxReplicas": 2}},
        "keda.maxReplicas (2) is below keda.minReplicas (3)",
    ),
    "a pod of root's": ({"podSecurityContext": {"runAsUser": 0}}, "/podSecurityContext/runAsUser"),
    "a pod that anybody may write as": (
        {"podSecurityContext": {"runAsNonRoot": False}},
        "'runAsNonRoot' not allowed",
    ),
    "half a digest": ({"image": {"digest": "sha256:12"}}, "/image/digest"),
    "an interval without a unit": ({"serviceMonitor": {"interval": "30"}}, "/serviceMonitor/interval"),
}


@pytest.mark.parametrize(("values", "said"), WRONG.values(), ids=WRONG)
def test_helm_refuses(values: Values, said: str) -> None:
    done = helm("template", "demo", CHART, values=values)
    assert done.returncode != 0
    assert said in done.stderr


# What Kubernetes or slamon leave to the user, whose keys nobody can misspell.
FREE = re.compile(r".*(labels|Labels|annotations|Annotations|nodeSelector|volumeAttributes|limits|requests)")


def mappings_in(value: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    """Each with its path; the values themselves have the empty one."""
    if isinstance(value, dict):
        yield path, value
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        yield from mappings_in(member, f"{path}.{name}".lstrip("."))


def over(defaults: Any, values: Any) -> Any:
    """As Helm lays values over the chart's own."""
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return copy.deepcopy(values)
    both = {name: over(defaults.get(name), value) for name, value in values.items()}
    return {name: value for name, value in (defaults | both).items() if value is not None}


@every_values
def test_a_misspelt_key_is_refused_wherever_it_stands(values: Values) -> None:
    schema = jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
    given = over(yaml.safe_load((CHART / "values.yaml").read_text()), dict(values))
    assert schema.is_valid(given)
    for path, mapping in mappings_in(given):
        mapping["mispelt"] = "x"
        assert schema.is_valid(given) == bool(FREE.fullmatch(path)), path
        del mapping["mispelt"]


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
    assert "! No Alertmanager and no receiver is named" in said
    assert "! No ServiceMonitor" in said
    assert "! No PrometheusRule" in said
    assert "kubectl --namespace sla rollout status statefulset/demo-slamon\n" in said


def test_the_notes_warn_of_nothing_when_nothing_is_missing() -> None:
    said = notes(EVERYTHING)
    assert said.startswith("slamon reads from a:9092,b:9092 with 3 pods.\n")
    assert "!" not in said
    assert "helm test demo --namespace sla --logs\n" in said
    assert "slamon_config_last_reload_successful is 0" in said


@every_values
def test_the_notes_can_be_written(values: Values) -> None:
    assert "Do next:" in notes(values)
