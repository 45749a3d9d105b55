"""What an agreement should also say, and what it says but hardly means: advice on terms that can be judged by.

A check looks at one agreement (or at all of them together) and yields hints; each names its rule from `rules.py`, and
where in the document it belongs. What can be seen while reading one value is advised there, by the readers.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from slamon.agreement_files.findings import quoted
from slamon.agreement_files.hints import Document, Hint, longest_service_time
from slamon.agreement_files.lint_availability import budgets, unmeasured
from slamon.agreement_files.lint_remedies import credit_terms, no_remedy
from slamon.agreement_files.lint_tickets import late_responses, pauses, unlucky_tickets, who_governs
from slamon.agreement_files.wording import effective, share
from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    ExclusionTerm,
    Objective,
    RequestsObjective,
    Share,
    TicketObjective,
)
from slamon.domain.events import ExclusionReason

# Exclusions that somebody decides upon, and so can announce and limit.
_PLANNED = frozenset({ExclusionReason.MAINTENANCE, ExclusionReason.AGREED})


def lint(document: Document) -> Iterator[Hint]:
    """Hints about one agreement."""
    for check in _CHECKS:
        yield from check(document)


def lint_together(documents: Sequence[Document]) -> Iterator[tuple[Document, Hint]]:
    """Hints that take more than one agreement to see, each at the later document."""
    by_customer: dict[str, list[Document]] = {}
    for document in documents:
        for other in by_customer.setdefault(document.agreement.customer, []):
            if _judge_the_same(document.agreement, other.agreement):
                yield (
                    document,
                    Hint(
                        "agreements-overlap",
                        ("effective",),
                        f"the agreement {quoted(other.agreement.name)} ({effective(other.agreement)}) judges the same "
                        f"services of the customer {quoted(document.agreement.customer)} on the same days",
                        "if both are meant, silence this and say why; else end one where the other begins",
                    ),
                )
        by_customer[document.agreement.customer].append(document)


def _judge_the_same(one: Agreement, other: Agreement) -> bool:
    if one.name == other.name or one.start >= other.end or other.start >= one.end:
        return False
    if one.services is None or other.services is None:
        return True
    return bool({service.name for service in one.services} & {service.name for service in other.services})


# What is not said


def _nothing_excluded(document: Document) -> Iterator[Hint]:
    agreement = document.agreement
    timed = [
        one for one in agreement.objectives if isinstance(one, AvailabilityObjective | RequestsObjective)
    ]
    if timed and not agreement.exclusions:
        yield Hint(
            "no-exclusions",
            ("objectives",),
            "nothing is excluded: planned maintenance counts as downtime",
            "add `exclusions: [{name: maintenance, reason: maintenance, declared: true, notice: 72h, "
            "atMost: {duration: 8h, per: month}}]`",
        )


def _nobody_to_call(document: Document) -> Iterator[Hint]:
    agreement = document.agreement
    if not agreement.contacts:
        yield Hint(
            "no-contacts",
            ("support", "contacts"),
            "nobody is named whom to call",
            "add `support: {contacts: [{role: service manager, email: sla@example.com}]}`",
        )
    if not agreement.escalation:
        yield Hint(
            "no-escalation",
            ("support", "escalation"),
            "nobody else is told when time runs out",
            "add `support: {escalation: [{after: 75%, to: duty manager}]}`",
        )


def _no_reporting(document: Document) -> Iterator[Hint]:
    if not document.spec.has("reporting"):
        yield Hint(
            "no-reporting",
            ("reporting",),
            "nothing is said about reports: periods without a time window are months, settled after 24h",
            "add `reporting: {period: month, settleAfter: 24h}`",
        )


def _no_liability(document: Document) -> Iterator[Hint]:
    if "indemnification" not in document.agreement.liability:
        yield Hint(
            "no-liability",
            ("liability", "indemnification"),
            "no clause of indemnification or liability is named",
            'add `liability: {indemnification: "§ 7"}`',
        )


def _services_without_objective(document: Document) -> Iterator[Hint]:
    agreement = document.agreement
    for index, service in enumerate(agreement.services or ()):
        if not any(_is_about(objective, service.name) for objective in agreement.objectives):
            yield Hint(
                "service-without-objective",
                ("services", index),
                f"nothing is promised for the service {quoted(service.name)}",
                f"add an objective with `service: {service.name}`",
            )


def _is_about(objective: Objective | RequestsObjective, service: str) -> bool:
    if isinstance(objective, TicketObjective):
        return objective.when.service is None or service in objective.when.service
    return objective.service == service


# Exclusions


def _loose_exclusions(document: Document) -> Iterator[Hint]:
    for index, term in enumerate(document.agreement.exclusions):
        if term.schedule is not None or term.reason not in _PLANNED:
            continue  # a schedule is notice and limit; what nobody plans has neither
        yield from _loose_ends(index, term)


def _loose_ends(index: int, term: ExclusionTerm) -> Iterator[Hint]:
    if term.notice is None:
        yield Hint(
            "exclusion-without-notice",
            ("exclusions", index),
            f"{quoted(term.name)} may be declared when it begins, or afterwards",
            "add `notice: 72h`",
        )
    if term.cap is None:
        yield Hint(
            "exclusion-without-cap",
            ("exclusions", index),
            f"{quoted(term.name)} may last as long as one likes",
            "add `atMost: {duration: 8h, per: month}`",
        )


# Escalation


def _escalation_steps(document: Document) -> Iterator[Hint]:
    agreement = document.agreement
    reached = {used for objective in agreement.objectives for used in _used_at_steps(agreement, objective)}
    for index, escalation in enumerate(agreement.escalation):
        if escalation.after.of not in reached:
            later = min((used for used in reached if used > escalation.after.of), default=None)
            yield Hint(
                "escalation-without-step",
                ("support", "escalation", index, "after"),
                f"no alert fires when {quoted(escalation.after.text)} is used up: {quoted(escalation.to)} is "
                + ("never told" if later is None else f"told at {share(later)}"),
                f"add {quoted(escalation.after.text)} to a `warnAt`, or "
                f"{quoted(share(1 - escalation.after.of))} to a `timeLeft`",
            )


def _used_at_steps(agreement: Agreement, objective: Objective | RequestsObjective) -> Iterator[Fraction]:
    """The shares of the target, or of the budget, that are used up when something fires."""
    if isinstance(objective, TicketObjective):
        yield Fraction(1)  # the breach itself
        for step in objective.warn_at:
            yield step.of if isinstance(step, Share) else 1 - Fraction(step.left, objective.target)
    elif isinstance(objective, AvailabilityObjective):
        yield Fraction(1)
        budget = (1 - objective.target) * longest_service_time(agreement, objective)
        for step in objective.alerts.time_left:
            if isinstance(step, Share):
                yield 1 - step.of
            elif budget:
                yield 1 - step.left / budget


_CHECKS: tuple[Callable[[Document], Iterator[Hint]], ...] = (
    _nothing_excluded,
    _nobody_to_call,
    _no_reporting,
    _no_liability,
    _services_without_objective,
    who_governs,
    late_responses,
    pauses,
    unlucky_tickets,
    budgets,
    unmeasured,
    _loose_exclusions,
    no_remedy,
    credit_terms,
    _escalation_steps,
)
