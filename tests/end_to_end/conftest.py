"""The real programs around slamon, each started once for all tests that only need one of its kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slamon.demo import processes
from slamon.demo.processes import Alertmanager, Kafka, Prometheus
from tests.end_to_end.guarded import Certificates, guarded_kafka

Part = Callable[[str], Path]

# At once, and each ticket or objective for itself.
ALERTMANAGER = """\
route: {receiver: nobody, group_by: [customer, agreement, objective, ticket], group_wait: 0s}
receivers: [{name: nobody}]
"""
# Whom to scrape stands in files, so that tests can name their daemons while it runs.
PROMETHEUS = """\
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: slamon
    file_sd_configs: [{files: ["targets/*.json"], refresh_interval: 1s}]
  - job_name: slamon-sla
    metrics_path: /metrics/sla
    honor_labels: true
    file_sd_configs: [{files: ["targets/*.json"], refresh_interval: 1s}]
"""


@pytest.fixture(scope="session")
def kafka(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker for all tests; each makes topics of its own."""
    java, libs = part("java"), part("kafka")
    processes.quicken(java, libs, print)
    with Kafka(tmp_path_factory.mktemp("kafka"), java=java, libs=libs) as started:
        yield started


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates") / "made")


@pytest.fixture(scope="session")
def guarded(
    part: Part, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    """One broker that lets nobody in without a proof, and nobody do anything that was not granted."""
    java, libs = part("java"), part("kafka")
    processes.quicken(java, libs, print)
    with guarded_kafka(tmp_path_factory.mktemp("guarded"), certificates, java=java, libs=libs) as started:
        yield started


@pytest.fixture(scope="session")
def alertmanager(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """One Alertmanager for all tests; each looks for the alerts of its own agreement."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with Alertmanager(folder, program=part("alertmanager"), config=ALERTMANAGER) as started:
        yield started


@pytest.fixture(scope="session")
def prometheus(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scrapes what is named in its folder `targets`, both pages."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, program=part("prometheus"), config=PROMETHEUS) as started:
        (folder / "targets").mkdir()
        yield started
