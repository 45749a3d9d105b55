"""The Helm chart, rendered by the real Helm: with the values of its folder `ci`, as it comes, and with those a test gives."""

import copy
import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from slamon.demo import parts
from slamon.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "slamon"

Document = dict[str, Any]
Values = Mapping[str, Any]

VALUES: dict[str, Values] = {"as it comes": {}} | {
    file.stem.removesuffix("-values").replace("-", " "): yaml.safe_load(file.read_text())
    for file in sorted((CHART / "ci").glob("*-values.yaml"))
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


# Where the chart does not write the settings, somebody else does.
THEIR_SETTINGS = "http: {host: 127.0.0.1}\nkafka: {bootstrap_servers: 'theirs:9092'}\n"


def settings_in(documents: tuple[Document, ...]) -> Settings:
    """As the daemon reads them, in the first of the pods."""
    written = [each for each in documents if each["metadata"]["name"].endswith("-settings")]
    (container,) = pod_of(documents)["containers"]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        for each in container["env"]:
            environment.setenv(each["name"], each.get("value", "demo-slamon-0"))
        file = Path(folder) / "slamon.yaml"
        file.write_text(written[0]["data"]["slamon.yaml"] if written else THEIR_SETTINGS)
        return read_settings(file)


def pod_of(documents: tuple[Document, ...]) -> Document:
    """Of the StatefulSet."""
    pod: Document = named(documents, "StatefulSet")["spec"]["template"]["spec"]
    return pod


def pods_of(documents: tuple[Document, ...]) -> list[Document]:
    """The StatefulSet's, and that of `helm test`."""
    return [pod_of(documents), named(documents, "Pod")["spec"]]


def containers_of(pod: Document) -> list[Document]:
    return [*pod["containers"], *pod.get("initContainers", [])]


every_values = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
