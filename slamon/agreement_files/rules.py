"""The rules of advice as data: what each is called, how much it weighs, why it matters, and how to mend it.

`slamon check --rules` prints this list. Where a rule is looked for is the business of `lint.py` and of the readers; what
is not in this list cannot be advised.
"""

import enum
from typing import NamedTuple


class Severity(enum.Enum):
    """How much a piece of advice weighs."""

    WARNING = "warning"  # something will probably be judged, paid or announced otherwise than meant
    NOTE = "note"  # the agreement is silent where a dispute would look


class Rule(NamedTuple):
    name: str
    severity: Severity
    reason: str  # why it matters, for somebody who never saw a dispute
    remedy: str  # how to say it


_WARNING, _NOTE = Severity.WARNING, Severity.NOTE

_ALL = (
    # What an agreement should also say.
    Rule(
        "no-exclusions",
        _NOTE,
        "without exclusions every minute counts: planned maintenance, force majeure, and what the customer caused",
        "add `exclusions`, scheduled or declared",
    ),
    Rule(
        "no-remedy",
        _NOTE,
        "a promise without a consequence leaves it open what a missed period is worth, and both sides guess differently",
        "name the objective in `remedies.credits`",
    ),
    Rule(
        "no-contacts",
        _NOTE,
        "in an outage nobody should have to look for whom to call",
        "add `support.contacts`, each with a role and an `email` or `phone`",
    ),
    Rule(
        "no-escalation",
        _NOTE,
        "who takes over when the usual way does not help is agreed before, or argued about at night",
        "add `support.escalation`",
    ),
    Rule(
        "no-reporting",
        _NOTE,
        "how often the customer gets figures, and how long facts may still come in, decides when a verdict is final",
        "add `reporting` with `period` and `settleAfter`",
    ),
    Rule(
        "no-liability",
        _NOTE,
        "credits settle a missed target, not the damage behind it: which clause does?",
        "add `liability` and name the clause of indemnification",
    ),
    Rule(
        "service-without-objective",
        _NOTE,
        "a service that is listed but never judged looks promised and is not",
        "add an objective for it, or take it from `services`",
    ),
    Rule(
        "service-not-listed",
        _WARNING,
        "`services` is the list of what is promised: tickets about other services are not covered, so the words never match",
        "add the service to `services`, or mend its spelling",
    ),
    # Tickets.
    Rule(
        "objective-shadowed",
        _WARNING,
        "of all objectives of a measure the first that matches a ticket governs: this one never does",
        "put the special objective before the general one, or remove it",
    ),
    Rule(
        "objective-partly-shadowed",
        _NOTE,
        "of all objectives of a measure the first that matches a ticket governs, so the order of the file decides here",
        "narrow one of the two with `when`, or put the one that shall govern first",
    ),
    Rule(
        "tickets-unmatched",
        _NOTE,
        "for tickets that no objective matches nothing is promised and nothing is judged",
        "end the objectives of the measure with one that has no `when`",
    ),
    Rule(
        "response-longer-than-resolution",
        _WARNING,
        "a ticket that is resolved in time has its first response in time too: the longer target promises nothing",
        "make the response target the shorter one",
    ),
    Rule(
        "pause-on-supplier",
        _WARNING,
        "the customer cannot choose your suppliers: time in which you wait for them is yours, unless a clause says otherwise",
        "take the party from `pauseWhile.waitingOn`",
    ),
    Rule(
        "one-miss-breaks",
        _NOTE,
        "with few tickets a percentage allows no miss at all: one unlucky ticket breaks the period",
        "add `minimumTickets` to `attainment`",
    ),
    Rule(
        "clock-without-calendar",
        _WARNING,
        "a clock without a calendar runs at night and on holidays, when support is closed",
        "name a `calendar`",
    ),
    Rule(
        "business-days-of-24-hours",
        _WARNING,
        "a business day of a calendar that never closes has 24 hours, hardly what was meant",
        "name the calendar that is meant, or write the target in hours",
    ),
    Rule(
        "unusual-party",
        _WARNING,
        "words are compared exactly with those in the events: one that is spelt otherwise never pauses a clock",
        "spell the party as the events do",
    ),
    # Availability.
    Rule(
        "unmeasured-time",
        _WARNING,
        "where no monitor measures the service, all time outside tickets is unknown, and no period can ever be met",
        "write `unknownCountsAs: up` if tickets alone tell of downtime, `undetermined` if a monitor measures it",
    ),
    Rule(
        "budget-below-minimum-outage",
        _WARNING,
        "an outage counts from its first second once it has lasted `minimumOutage`: the first that counts breaks the target",
        "lower `minimumOutage` or the target",
    ),
    Rule(
        "burn-rate-out-of-reach",
        _NOTE,
        "a pair whose threshold no outage can reach, or even use of the budget reaches, tells nothing",
        "nothing needs to be done: such pairs are left out",
    ),
    Rule(
        "step-out-of-reach",
        _WARNING,
        "a warning that can never be given looks like safety",
        "write less than the whole target or budget",
    ),
    # Exclusions.
    Rule(
        "exclusion-without-notice",
        _NOTE,
        "maintenance that may be declared when it begins turns any outage into maintenance",
        "add `notice`",
    ),
    Rule(
        "exclusion-without-cap",
        _NOTE,
        "maintenance without a limit lets any length of downtime not count",
        "add `atMost`",
    ),
    # Remedies.
    Rule(
        "credits-uncapped",
        _WARNING,
        "a bad month may cost more than it pays",
        "add `cap` to the credit, or to `remedies`",
    ),
    Rule(
        "band-gap",
        _WARNING,
        "a ratio between the target and the first band is missed and yet costs nothing",
        "let the first band begin at the target",
    ),
    Rule(
        "band-overlap",
        _WARNING,
        "only the lowest band that is reached counts: a worse ratio must not cost less",
        "give each band its own `below`, and lower bands the larger credit",
    ),
    Rule(
        "band-above-target",
        _WARNING,
        "credit is due for a missed period only: above the target a band gives nothing",
        "lower the band to the target, or raise the target",
    ),
    Rule(
        "rolling-window-with-credits",
        _WARNING,
        "rolling windows overlap from one report to the next: one outage is paid for twice, or falls out between two",
        "judge what is paid for over a calendar period",
    ),
    # Escalation.
    Rule(
        "escalation-without-step",
        _WARNING,
        "an escalation goes out with an alert: where no step fires, it comes later than agreed",
        "add the step to `warnAt` or `timeLeft`",
    ),
    # The document and its neighbours.
    Rule(
        "agreements-overlap",
        _NOTE,
        "two agreements of one customer are judged each on its own: one ticket or outage counts, and is paid, in both",
        "end one where the other begins; or give both one name, as versions of one agreement",
    ),
    Rule("without-effect", _NOTE, "what has no effect misleads those who read it", "remove the line"),
    Rule("empty-file", _NOTE, "a file without a document may be one that lost it", "remove it, or fill it"),
    Rule(
        "silences-nothing",
        _WARNING,
        "a silence that is left behind would hide the next finding of its rule",
        "remove the entry",
    ),
    # Between two states of the files (`check --against`).
    Rule(
        "removed-in-effect",
        _WARNING,
        "what is promised today would no longer be judged: clocks stop, alerts are resolved as amended",
        "end the agreement with `effective.to` instead of removing it",
    ),
)

RULES = {rule.name: rule for rule in _ALL}
