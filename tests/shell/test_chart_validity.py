"""What the Helm chart renders is what the API servers take: every object, by the schemas that are published of each kind.

Kubernetes' own kinds by kubernetes-validate, those of the Prometheus operator and of KEDA by their CustomResourceDefinitions;
both refuse fields that they do not know. Not asked are the rules that these write in CEL.
"""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.shell.charts import CHART, VALUES, Document, Values, every_values, helm, named, rendered

# The oldest Kubernetes that the chart says it runs on, and the newest there are schemas for.
OLDEST, NEWEST = "1.29.0", "1.37.0"
# Kinds that are not Kubernetes' own: the file that defines each.
DEFINED_BY = {
    "PrometheusRule": "monitoring.coreos.com_prometheusrules.yaml",
    "ScaledObject": "keda.sh_scaledobjects.yaml",
    "ServiceMonitor": "monitoring.coreos.com_servicemonitors.yaml",
}
Part = Callable[[str], Path]


@functools.cache
def definition(file: Path) -> Document:
    """The CustomResourceDefinition's newest schema, that also refuses what it does not name."""
    spec = yaml.safe_load(file.read_text())["spec"]
    (version,) = spec["versions"]
    schema: Document = version["schema"]["openAPIV3Schema"]
    for part in parts_of(schema):
        if "properties" in part and not part.get("x-kubernetes-preserve-unknown-fields"):
            part.setdefault("additionalProperties", False)
        if str(part.get("pattern", "")).startswith("^(?i)"):  # Go takes flags anywhere, Python only in front
            part["pattern"] = "(?i)^" + part["pattern"].removeprefix("^(?i)")
    schema["properties"] |= {
        "apiVersion": {"const": f"{spec['group']}/{version['name']}"},
        "kind": {"const": spec["names"]["kind"]},
        "metadata": {"type": "object"},
    }
    return schema


def parts_of(schema: object) -> Iterator[Document]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from parts_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from parts_of(part)


def validate(document: Document, version: str, schemas: Path) -> None:
    if (file := DEFINED_BY.get(document["kind"])) is None:
        kubernetes_validate.validate(document, version, strict=True)
    else:
        jsonschema.validate(document, definition(schemas / file))
        # What every object has in common, by one of Kubernetes' own that has nothing else.
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": document["metadata"]}, version, strict=True
        )


@every_values
def test_the_chart_passes_helms_lint(values: Values) -> None:
    linted = helm("lint", "--strict", CHART, values=values)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@every_values
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_api_server_knows_every_field_of_what_is_rendered(
    values: Values, version: str, part: Part
) -> None:
    documents = rendered(values)
    assert {"StatefulSet", "Service", "Pod"} <= {each["kind"] for each in documents}
    schemas = part("schemas")
    for document in documents:
        validate(document, version, schemas)


def test_the_values_render_every_kind_of_object_that_the_chart_has() -> None:
    kinds = {each["kind"] for values in VALUES.values() for each in rendered(values)}
    assert kinds == {"ConfigMap", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"} | DEFINED_BY.keys()  # fmt: skip


def put(document: Document, path: str, value: object) -> None:
    """At `a.b.0.c`."""
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    place: Any = document
    for step in way:
        place = place[step]
    place[last] = value


@pytest.mark.parametrize(
    ("values", "kind", "path", "value"),
    [
        ("one of everything", "StatefulSet", "spec.template.spec.containers.0.readynessProbe", {}),
        ("one of everything", "NetworkPolicy", "spec.egress.0.from", []),
        ("one of everything", "ServiceMonitor", "spec.endpoints.0.honourLabels", True),
        ("one of everything", "ServiceMonitor", "metadata.label", {}),
        ("one of everything", "PrometheusRule", "spec.groups.0.rules.0.labels.number", 1),
        ("keda", "ScaledObject", "spec.fallback.behaviour", "static"),
        ("keda", "ScaledObject", "spec.triggers.0.metadata.threshold", 20_000),
        ("keda", "ScaledObject", "apiVersion", "keda.sh/v1"),
    ],
)
def test_what_an_api_server_would_refuse_is_noticed(
    values: str, kind: str, path: str, value: object, part: Part
) -> None:
    document = named(rendered(VALUES[values]), kind)
    put(document, path, value)
    with pytest.raises(jsonschema.ValidationError):
        validate(document, NEWEST, part("schemas"))


def test_the_oldest_kubernetes_is_the_one_the_chart_names() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}-0"
