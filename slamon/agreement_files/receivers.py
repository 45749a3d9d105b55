"""Whom agreements escalate to, against the receivers that there are: the one thing in them that settings have a say in."""

from collections.abc import Collection, Iterable, Iterator

from slamon.agreement_files.findings import Fault, Report, closest, listed, quoted
from slamon.agreement_files.hints import Document


def unknown_receivers(documents: Iterable[Document], receivers: Collection[str]) -> tuple[Fault, ...]:
    """A fault for each name that nobody would hear under."""
    report = Report()
    for document in documents:
        for index, escalation in enumerate(document.agreement.escalation):
            if escalation.to not in receivers:
                report.fault(
                    document.spec.place("support", "escalation", index, "to"),
                    f"there is no receiver {quoted(escalation.to)} in the settings, so nobody would be told",
                    " ".join(_remedies(escalation.to, receivers)),
                )
    return tuple(report.faults)


def _remedies(name: str, receivers: Collection[str]) -> Iterator[str]:
    meant = closest(name, receivers)
    if meant is not None:
        yield f"did you mean {quoted(meant)}? If not, add"
    elif receivers:
        yield f"there is {listed(receivers)}; add"
    else:
        yield "there is none; add"
    yield f"{quoted(name)} to notifier.receivers of the settings"
