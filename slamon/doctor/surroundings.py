"""What is wrong with the agreements, the dead letters and the Alertmanagers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from slamon.agreement_files import AgreementsInUse, AgreementsRefused
from slamon.doctor.findings import Finding, counted, error, ok, warning
from slamon.kafka.dead_letter_box import Listed
from slamon.outputs.door import Knock
from slamon.settings import Settings


def agreements(settings: Settings) -> Iterator[Finding]:
    paths = " ".join(map(str, settings.agreements))
    try:
        in_use = AgreementsInUse(
            settings.agreements, keep_days=settings.facts.keep, receivers=settings.notifier.receivers
        )
    except AgreementsRefused as refused:
        first = refused.faults[0]
        yield error(
            f"{counted(len(refused.faults), 'fault')}, the first in {first.where}: {first.message}",
            f"`slamon check {paths}` shows all; a running slamon goes on with what it had",
        )
    except OSError as fault:
        yield error(f"{fault.filename}: {fault.strerror}", "mend `agreements` in the settings")
    except ValueError as fault:
        yield error(str(fault), "see `agreements` in the settings")
    else:
        customers = len({one.customer for one in in_use.agreements})
        yield ok(f"{counted(len(in_use.agreements), 'agreement')} of {counted(customers, 'customer')}")


def dead_letters(listed: Listed, config: Path) -> Iterator[Finding]:
    """`listed`: those of the last day that nobody has handled."""
    if not listed.letters:
        yield ok("none since yesterday that nobody has handled")
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(listed.reasons.items()))
    yield warning(
        f"since yesterday {counted(listed.reasons.total(), 'record')} could not be used: {reasons}",
        f"`slamon dead-letters list --config {config} --since 1d`, then `retry` or `dismiss`",
    )


def alertmanagers(knocks: Sequence[Knock], receivers: int) -> Iterator[Finding]:
    """`receivers`: how many slamon tells itself."""
    if not knocks and receivers:
        yield ok(f"none is set; slamon tells {counted(receivers, 'receiver')} itself")
    elif not knocks:
        yield warning(
            "none is set: alerts stand in their topic, and nobody is told",
            "set notifier.alertmanagers, or notifier.receivers",
        )
    for one in knocks:
        if one.error is None:
            yield ok(f"{one.url} is ready, version {one.version}")
        else:
            yield error(f"{one.url}: {one.error}", "start it, or mend notifier.alertmanagers")
