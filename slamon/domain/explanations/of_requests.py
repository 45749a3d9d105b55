"""Why a requests objective was met or missed in a period: the requests of each date, and what each clause took away."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from slamon.domain import request_counts
from slamon.domain.agreement import Agreement, RequestsObjective
from slamon.domain.counted_time import counted_time
from slamon.domain.crossings import Lengths
from slamon.domain.customer import Customer
from slamon.domain.decisions import Outcome, RequestCounts, Standing, Statement
from slamon.domain.exclusions import by_clause
from slamon.domain.explanations.of_exclusions import ClauseStory, DeclaredStory, clauses_of, declared_of
from slamon.domain.intervals import Span, Spans, clip
from slamon.domain.periods import local_date, local_midnight
from slamon.domain.request_counts import Amount, EvenlyFilled, Requests
from slamon.domain.requests_watch import RequestsWatch


@dataclass(frozen=True, slots=True)
class DateCounts:
    """The requests of a local date that count, exact: a bucket over midnight is split in proportion."""

    day: date
    total: Fraction
    bad: Fraction


@dataclass(frozen=True, slots=True)
class RequestsExplanation:
    """`said` is the statement, or the standing while the period runs; the dates add up to its counts."""

    agreement: Agreement
    objective: RequestsObjective
    period: Span
    as_of: int
    said: Statement | Standing
    dates: tuple[DateCounts, ...]  # those with requests
    clauses: tuple[ClauseStory, ...]
    declared: tuple[DeclaredStory, ...]
    outcome: Outcome  # as if the period ended now, while it runs

    @property
    def counts(self) -> RequestCounts:
        counts = self.said.requests
        assert counts is not None, "what is said of requests counts them"
        return counts


def explain_requests(
    customer: Customer, watch: RequestsWatch, period: Span, said: Statement | Standing, now: int
) -> RequestsExplanation:
    """`said`: what the customer's statement, or the watch's standing, says of the period at `now`."""
    agreement, objective = watch.agreement, watch.objective
    log, known = customer.request_log(objective.service), customer.declared(now)
    time = counted_time(agreement, objective, known, period)
    requests = Requests(objective, time, log, period)
    requests.read(now)
    hours = clip(time.service.spans, period[0], min(period[1], now))

    def failures(spans: Spans) -> Amount:
        filled = EvenlyFilled(Lengths(spans))
        for place in range(log.first_from(period[0]), log.first_from(now + 1)):
            bucket = log[place]
            filled.add(bucket.start, bucket.end, bucket.bad)
        return filled.after(period[0], now + 1)

    counts = said.requests
    assert counts is not None, "what is said of requests counts them"
    return RequestsExplanation(
        agreement=agreement,
        objective=objective,
        period=period,
        as_of=now,
        said=said,
        dates=tuple(_dates(agreement.zone, requests, period, now)),
        clauses=tuple(clauses_of(by_clause(agreement, objective, known, *period), hours, failures)),
        declared=tuple(declared_of(customer, agreement, objective, hours, period, now)),
        outcome=request_counts.verdict(objective, counts),
    )


def _dates(zone: str, requests: Requests, period: Span, now: int) -> Iterator[DateCounts]:
    start, end = period[0], min(period[1], now)
    while start < end:
        day = after = local_date(zone, start)
        until = start
        while until <= start:  # where clocks are set back over midnight, a date is seen again after its end
            after += timedelta(days=1)
            until = min(local_midnight(zone, after), end)
        counts = requests.counts((start, until), now)
        if counts.total[0] or counts.bad[0]:
            yield DateCounts(day, Fraction(*counts.total), Fraction(*counts.bad))
        start = until
