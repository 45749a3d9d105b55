"""OpenSLO files as skeletons of agreements: each file of `openslo` has beside it, word for word, what it becomes.

`NAME.agreement.txt` is what stands on standard output, `NAME.told.txt` what is told on standard error.
"""

import re
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slamon.agreement_files import load
from slamon.agreement_files.findings import Report
from slamon.agreement_files.yaml_source import Listing, Mapping, Node, Scalar, documents
from slamon.cli import main

HERE = Path(__file__).parent / "openslo"
FILES = sorted(HERE.glob("*.yaml"))
CARRIED = [file for file in FILES if file.stem != "broken"]


def imported(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["import", "openslo", *map(str, arguments)])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_becomes_its_skeleton_word_for_word(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    result = imported(file.name)
    expected = file.with_suffix(".agreement.txt")
    assert result.stdout == (expected.read_text(encoding="utf-8") if file in CARRIED else "")
    assert result.stderr == file.with_suffix(".told.txt").read_text(encoding="utf-8")
    assert result.exit_code == (0 if file in CARRIED else 1)


@pytest.mark.parametrize("file", CARRIED, ids=lambda file: file.stem)
def test_a_skeleton_is_read_without_faults(file: Path, tmp_path: Path) -> None:
    (tmp_path / "agreement.yaml").write_text(imported(file).stdout, encoding="utf-8")
    loaded = load([tmp_path / "agreement.yaml"])
    assert not loaded.faults
    assert len(loaded.agreements) == 1


def test_everything_told_on_standard_error_stands_in_the_skeleton_too() -> None:
    for file in CARRIED:
        result = imported(file)
        told = re.findall(r"^advice\[[a-z-]+\]: (.*)$", result.stderr, re.MULTILINE)
        skeleton = " ".join(result.stdout.replace("#", " ").split())
        assert told
        for message in told:
            assert " ".join(message.split()) in skeleton


def test_what_is_not_for_other_eyes_stays_in_its_file() -> None:
    for file in CARRIED:
        result = imported(file)
        assert "not-for-other-eyes" not in result.stdout + result.stderr


def test_what_is_given_stands_where_the_placeholders_were() -> None:
    text = imported(
        "--customer", "acme: shops", "--name", "acme-2026", "--from", "2026-01-31", HERE / "slices.yaml"
    ).stdout
    lines = text.splitlines()
    assert "metadata: {name: acme-2026}" in lines
    assert '  customer: "acme: shops"' in lines
    assert "  effective: {from: 2026-01-31}" in lines
    assert "CHANGE-ME" not in text


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--from", "31.01.2026", "`31.01.2026` is no date; write `2026-01-31`"),
        ("--name", "acme 2026", "`acme 2026` cannot be a name; letters, digits, `-`, `_` and `.`, at most 100: write `acme-2026`"),
        ("--customer", " acme", "` acme` begins or ends with a blank; write `acme`"),
    ],
)  # fmt: skip
def test_an_option_that_no_agreement_could_hold_is_wrong_usage(option: str, value: str, told: str) -> None:
    result = imported(option, value, HERE / "slices.yaml")
    assert result.exit_code == 2
    assert told in result.stderr


def test_several_files_make_one_agreement_whatever_the_order_of_what_they_refer_to(tmp_path: Path) -> None:
    slo, sli = tmp_path / "slo.yaml", tmp_path / "sli.yaml"
    slo.write_text(
        "{apiVersion: openslo/v1, kind: SLO, metadata: {name: one}, spec: {service: web, indicatorRef: answers,"
        " budgetingMethod: Occurrences, timeWindow: [{duration: 30d}], objectives: [{target: 0.9}]}}"
    )
    sli.write_text(
        "{apiVersion: openslo/v1, kind: SLI, metadata: {name: answers}, spec: {ratioMetric:"
        " {bad: {metricSource: {type: Any}}, total: {metricSource: {type: Any}}}}}"
    )
    assert imported(slo, sli).stdout == imported(sli, slo).stdout
    assert "send `requests` events of web: `total` and `bad`" in imported(slo, sli).stdout
    assert "the SLI answers: it is in none of the files" in imported(slo).stdout


def test_without_an_objective_there_is_no_skeleton(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(
        "{apiVersion: openslo/v1, kind: Service, metadata: {name: web}, spec: {}}"
    )
    result = imported(tmp_path / "service.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: no SLO in these files can be an objective of an agreement\n"


def test_an_empty_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    result = imported(tmp_path / "empty.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: this file holds no document\n" in result.stderr


@pytest.mark.parametrize(
    ("target", "share"),
    [
        ("target: 0.5", "50%"),
        ("target: 0.99999", "99.999%"),
        ("targetPercent: 99.950", "99.95%"),
        ("targetPercent: 0.000000001", "0.000000001%"),
        ("target: 1", "100%"),
        ("target: 0.10", "10%"),
    ],
)
def test_a_target_is_carried_over_digit_for_digit(target: str, share: str, tmp_path: Path) -> None:
    text = (HERE / "one-slo.yaml").read_text(encoding="utf-8")
    (tmp_path / "slo.yaml").write_text(text.replace("target: 0.995", target), encoding="utf-8")
    assert (
        f"requests: {{target: {share}, timeWindow: {{rolling: 28d}}}}"
        in imported(tmp_path / "slo.yaml").stdout
    )


def below(node: Node, *path: str | int) -> Node:
    for step in path:
        if isinstance(step, str):
            assert isinstance(node, Mapping)
            node = node.entries[step].value
        else:
            assert isinstance(node, Listing)
            node = node.items[step]
    return node


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(min_size=1).filter(str.strip))
def test_no_text_leaves_its_comment_or_its_quotes(text: str, tmp_path: Path) -> None:
    word = "".join(char for char in text if char.isprintable()).strip() or "web"
    slo = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": word, "displayName": text},
        "spec": {
            "service": word,
            "description": text,
            "indicator": {
                "spec": {"thresholdMetric": {"metricSource": {"type": text, "spec": {"query": text}}}}
            },
            "budgetingMethod": "Occurrences",
            "timeWindow": [{"duration": "1d"}],
            "objectives": [{"target": 0.5}],
        },
    }
    service = {
        "apiVersion": "openslo/v1",
        "kind": "Service",
        "metadata": {"name": word},
        "spec": {"description": text},
    }
    file = tmp_path / "slo.yaml"
    try:
        file.write_bytes(orjson.dumps(slo) + b"\n---\n" + orjson.dumps(service))
    except TypeError:  # half a surrogate pair is in no file
        return
    result = imported(file)
    assert result.exit_code == 0 or not text.isprintable()
    if result.exit_code == 0:
        report = Report()
        [agreement] = documents("skeleton", result.stdout.encode(), report)
        assert not report.faults
        assert isinstance(agreement, Mapping)
        assert list(agreement.entries) == ["apiVersion", "kind", "metadata", "spec"]
        for path in (("services", 0, "name"), ("objectives", 0, "service")):
            named = below(agreement, "spec", *path)
            assert isinstance(named, Scalar)
            assert named.text == word
