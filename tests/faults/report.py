"""What people are shown of a run: faults by kind, figures, laws."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from rich.table import Table

from slamon.domain.events import SECOND
from tests.faults.cluster import Loss
from tests.faults.evidence import Evidence
from tests.faults.history import Task
from tests.faults.laws import Finding

SHOWN = 5  # violations of one law


def tables(evidence: Evidence, findings: Mapping[str, Finding]) -> Iterator[Table]:
    title = f"{len(evidence.struck)} faults in {evidence.seconds:.0f} s"
    faults = Table("fault", "times", "takes p50", "max", title=title)
    by_kind: dict[str, list[float]] = defaultdict(list)
    for one in evidence.struck:
        by_kind[one.kind].append((one.end - one.start) / SECOND)
    for kind, seconds in sorted(by_kind.items()):
        faults.add_row(
            kind, f"{len(seconds)}", f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s"
        )
    yield faults
    figures = Table("figure", "", title="what went on")
    for name, value in _figures(evidence):
        figures.add_row(name, value)
    yield figures
    judged = Table("law", "checked", "violated", title="laws")
    for law, finding in findings.items():
        judged.add_row(law, f"{finding.checked}", f"{len(finding.violations)}")
    yield judged


def violations(findings: Mapping[str, Finding]) -> list[str]:
    """The first ones of each law."""
    return [f"{law}: {one}" for law, finding in findings.items() for one in finding.violations[:SHOWN]]


def _figures(evidence: Evidence) -> Iterator[tuple[str, str]]:
    said = Counter(line["event"] for line in evidence.logs)
    restored = [line for line in evidence.logs if line["event"] == "task_restored"]
    alerts = evidence.topics[evidence.names.alerts]
    numbers = sum(len(alerts) for alerts in evidence.alerts.values())
    letters = sum(map(len, evidence.topics[evidence.names.dead_letters].values()))
    yield "records of the inputs", f"{len(evidence.inputs)}, {letters} of them dead letters"
    yield "records sent by the load", f"{evidence.sent}, by {evidence.producers} producers"
    yield "commits", f"{sum(len(task.commits) for task in evidence.tasks.values())}"
    yield "alert transitions", f"{numbers}"
    yield "… sent more than once", f"{sum(map(len, alerts.values())) - numbers}"
    torn = [line["resent_alerts"] for line in restored if line["resent_alerts"]]
    yield "torn transactions found and mended", f"{len(torn)}, {sum(torn)} alerts"
    yield "restores", f"{len(restored)}, {said['task_failed']} tasks failed"
    if restored:
        yield "… took", _spread([line["seconds"] for line in restored])
    yield "producers abandoned", f"{said['producer_abandoned']}"
    yield "pods that ended by themselves", f"{len(evidence.exits)}"
    yield "heard by the receiver", f"{len(evidence.heard)} alerts"
    for how, found in sorted(_takeovers(evidence).items()):
        yield f"after {how}: until another life commits", _spread([seconds for seconds, _ in found])
        alone = [seconds for seconds, disturbed in found if not disturbed]
        if alone:
            yield "… where nothing else was broken meanwhile", _spread(alone)


def _takeovers(evidence: Evidence) -> dict[str, list[tuple[float, bool]]]:
    """How → for each task that was lost, the seconds until another life committed to it, and whether more was broken."""
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for loss in evidence.losses:
        for task in evidence.tasks.values():
            end = _taken_over(loss, task)
            if end is not None:
                others = [one for one in evidence.struck if one.start < end and loss.at < one.end]
                found[loss.how].append(((end - loss.at) / SECOND, len(others) > 1))
    return found


def _taken_over(loss: Loss, task: Task) -> int | None:
    """When; None: the pod did not have the task, or nobody took it until the end."""
    before = [taking for taking in task.takings if taking.at <= loss.at]
    if not before or before[-1].owner.instance != loss.pod:
        return None
    life = before[-1].owner.started
    after = [commit for commit in task.commits if commit.at > loss.at]
    if loss.how == "freeze" and after and after[0].owner.started == life:
        return None  # it woke, and had not lost it
    return next((commit.at for commit in after if commit.owner.started != life), None)


def _spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds):.1f} s, max {max(seconds):.1f} s ({len(seconds)} times)"
