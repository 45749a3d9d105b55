"""A digest of the terms that verdicts follow from, so that a statement says by which terms it was judged.

Left out is what no verdict depends on: people, descriptions, clauses, alerts and their severities, liability. The last day
is left out, too: it shows in the periods that it cuts, and ending one document so that the next can take over must change
nothing before. So is every option at its default: a release that adds one changes no digest.
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    ExclusionTerm,
    RequestsObjective,
    Service,
    TicketObjective,
)
from slamon.domain.calendars import Calendar

_DIGITS = 16
_WITHOUT_EFFECT: Mapping[type, frozenset[str]] = {
    Agreement: frozenset({"end", "display_name", "contacts", "escalation", "liability"}),
    TicketObjective: frozenset({"warn_at", "severity"}),
    AvailabilityObjective: frozenset({"alerts", "severity"}),
    RequestsObjective: frozenset({"burn_rates", "severity"}),
    ExclusionTerm: frozenset({"name", "clause"}),
    Service: frozenset({"description"}),
}


def terms_digest(agreement: Agreement) -> str:
    """16 hexadecimal digits, the same in every process for the same terms."""
    return hashlib.sha256(canonical(agreement).encode()).hexdigest()[:_DIGITS]


def canonical(value: object) -> str:
    """One text for equal terms: members by name, sets sorted, fractions in lowest terms."""
    match value:
        case Calendar():
            return canonical(value.terms)
        case enum.Enum():
            return canonical(value.value)
        case frozenset():
            return f"{{{_joined(sorted(map(canonical, value)))}}}"
        case tuple():
            return f"({_joined(map(canonical, value))})"
        case str():
            return repr(value)
    if is_dataclass(value):
        silent = _WITHOUT_EFFECT.get(type(value), frozenset())
        said = (
            f"{one.name}={canonical(getattr(value, one.name))}"
            for one in fields(value)
            if one.name not in silent and getattr(value, one.name) != _default(one)
        )
        return f"{type(value).__name__}({_joined(said)})"
    return str(value)


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _default(field: "Field[object]") -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
