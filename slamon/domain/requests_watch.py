"""A requests objective, watched: how many requests failed, how fast that burns the budget, and what it makes of a period.

A calendar period can still be met while it lasts, for more good requests may come: it is breached at its end, or from the
first failure on if nothing may fail. A rolling window is breached while more failed in it than is allowed.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from slamon.domain import announcements, request_counts
from slamon.domain.agreement import Agreement, AlertName, BurnRatePair, RequestsObjective, Severity
from slamon.domain.alerts import Ending, Wanted, severity_of
from slamon.domain.counted_time import counted_time
from slamon.domain.decisions import (
    AlertMemory,
    AlertTransition,
    Outcome,
    Reason,
    RequestCounts,
    Standing,
    StandingState,
    Statement,
)
from slamon.domain.events import MINUTE, RequestsEvent
from slamon.domain.exclusions import Declared
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.request_counts import Requests
from slamon.domain.request_limits import (
    Limit,
    broken_since,
    burn_limit,
    earliest,
    next_change,
    rolling_limit,
)
from slamon.domain.settlement import Settlement
from slamon.domain.terms import judged_period, period_to_date
from slamon.domain.watching import (
    CustomerFacts,
    Glance,
    Judgement,
    excluded_since,
    is_forgotten,
    range_of,
    scope_of,
    subject_of,
)

# Changes are solved for until the next bucket is overdue, and so on: it overtakes most of what could be found.
SHORTEST_LOOK_AHEAD = MINUTE
ROLLING = "rolling"  # names the limit of a rolling window, and the period of its alerts


class Crossed(NamedTuple):
    """A limit at an instant: the last one before it broke (None: it holds), and the first at which that may change."""

    since: int | None
    changes_at: int


class _Found(NamedTuple):
    """What was found of a limit as of an instant: of which facts and period, and how many buckets they were."""

    requests: Requests
    period: Span
    at: int
    taken: int
    crossed: Crossed


class RequestsWatch:
    """The good and the bad requests of an objective."""

    def __init__(self, agreement: Agreement, objective: RequestsObjective, facts: CustomerFacts) -> None:
        self.agreement = agreement
        self.objective = objective
        self.settlement = Settlement(agreement, objective)
        self.subject = subject_of(agreement, objective)
        self.armed: int | None = None
        self.version = 0  # rises with whatever changes how it stands, time aside
        self._facts = facts
        self._log = facts.request_log(objective.service)
        # No budget burns at no rate.
        self._pairs = {pair.step: pair for pair in objective.burn_rates if objective.target < 1}
        self._steps = (*self._pairs, *((ROLLING,) if objective.window.rolling is not None else ()))
        self._heard: list[RequestsEvent] = []  # not noticed yet
        self._known: tuple[Declared, ...] = ()  # exclusions, as last noticed
        self._read: tuple[object, Requests] | None = None  # the last ones, with what they were made from
        self._found: dict[str, _Found] = {}  # by step, ROLLING for the window's own budget
        self._ended: tuple[object, RequestCounts] | None = None  # of the period that waits for its statement

    # What is known ---------------------------------------------------------------------------------------------------

    def hear(self, event: RequestsEvent) -> None:
        """The log has this bucket more, wherever it belongs: what was read of it and later is read anew."""
        self._heard.append(event)
        if self._read is not None and self._read[1].has_passed(event.time):
            self._read[1].forget_from(event.time)
        self._found = {step: found for step, found in self._found.items() if found.at <= event.time}

    def notice(self, now: int) -> None:
        """What was heard and is known by now may speak of settled periods; what is ahead of the clock waits."""
        self.version += 1
        for event in self._heard:
            if event.time <= now:
                self.settlement.unsettle(event.time - event.duration)
        self._heard = [event for event in self._heard if event.time > now]
        known, self._known = self._known, self._facts.declared(now)
        self.settlement.unsettle(excluded_since(known, self._known))

    def _requests(self, now: int) -> Requests:
        """What speaks about `now`: the same while its range lasts, with what became known since added."""
        span = range_of(self.agreement, self.objective, now)
        declared = self._facts.declared(now)
        made_from = (span, declared)
        if self._read is None or self._read[0] != made_from:
            self._read = (made_from, self._begin(span, declared))
        requests = self._read[1]
        requests.read(now)
        return requests

    def _begin(self, span: Span, declared: Sequence[Declared]) -> Requests:
        time = counted_time(self.agreement, self.objective, declared, span)
        return Requests(self.objective, time, self._log, span)

    def _counts(self, span: Span, now: int) -> RequestCounts:
        """Of a period that need not be the present one."""
        requests = self._begin(span, self._facts.declared(now))
        requests.read(now)
        return requests.counts(span, now)

    # Statements ------------------------------------------------------------------------------------------------------

    def verdict(self, span: Span, now: int) -> Statement:
        """The verdict on a period, by what is known at `now`."""
        return self._verdict(span, self._counts(span, now))

    def as_it_stands(self, now: int) -> Statement:
        """The verdict on the running period if it ended now."""
        period = period_to_date(self.agreement, self.objective, now)
        counts = self._requests(now).counts((period[0], min(now, period[1])), now)
        return self._verdict(judged_period(self.agreement, self.objective, now), counts)

    def _verdict(self, span: Span, counts: RequestCounts) -> Statement:
        return Statement(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            start=span[0],
            end=span[1],
            revision=1,
            outcome=request_counts.verdict(self.objective, counts),
            target=self.objective.target.as_integer_ratio(),
            ratios=request_counts.ratios(counts),
            tickets=None,
            seconds=None,
            requests=counts,
        )

    # Limits ----------------------------------------------------------------------------------------------------------

    def _limit(self, step: str, requests: Requests, period: Span) -> Limit:
        pair, rolling = self._pairs.get(step), self.objective.window.rolling
        if pair is not None:
            return burn_limit(self.agreement, self.objective, requests, pair, period)
        assert rolling is not None
        return rolling_limit(self.objective, requests, rolling)

    def _crossed(self, now: int) -> dict[str, Crossed]:
        """Each limit at `now`, by its step; worked out anew only where the last finding holds no longer."""
        requests, period = self._requests(now), period_to_date(self.agreement, self.objective, now)
        scope = period if self.objective.window.rolling is None else (0, 0)
        for step in self._steps:
            last = self._found.get(step)
            if last is not None and ((last.requests, last.period) != (requests, scope) or now < last.at):
                last = None
            if last is None or last.taken != requests.taken or now >= last.crossed.changes_at:
                crossed = self._cross(self._limit(step, requests, period), requests, last, now)
                self._found[step] = _Found(requests, scope, now, requests.taken, crossed)
        return {step: found.crossed for step, found in self._found.items()}

    def _cross(self, limit: Limit, requests: Requests, last: _Found | None, now: int) -> Crossed:
        """`last`: what was found before of the same limit, when some of its buckets were not known yet."""
        if last is None:
            since = broken_since(limit, earliest(self.agreement, requests, limit), now)
        else:
            since = broken_since(limit, last.at, now, last.crossed.since)
        look_ahead = max(2 * self._log.newest_lasted(), SHORTEST_LOOK_AHEAD)
        until = min(requests.end, self.agreement.end, now + look_ahead)
        broken = since is not None
        changes_at = None
        if not limit.cannot_change(now, until, broken=broken):
            changes_at = next_change(limit, now, until, broken=broken)
        if changes_at is None:  # looked for no further where anything may come of it
            changes_at = until if broken or limit.bad.after(now - limit.short, FOREVER) else FOREVER
        return Crossed(since, changes_at)

    def _ending_of_limit(self, step: str, then: int, now: int, horizon: int) -> Ending:
        """A limit that holds was told to be broken `then`: when it held again, if by what is known now it was broken."""
        requests = self._begin(range_of(self.agreement, self.objective, then), self._facts.declared(now))
        requests.read(now)
        period = period_to_date(self.agreement, self.objective, then)
        limit = self._limit(step, requests, period)
        if broken_since(limit, earliest(self.agreement, requests, limit), then) is None:
            forgotten = is_forgotten(self.agreement, self.objective, then, horizon)
            return Ending(Reason.RECOVERED if forgotten else Reason.AMENDED, now)
        held_at = next_change(limit, then, min(requests.end, now), broken=True)
        if held_at is None:
            return Ending(Reason.RECOVERED, now)
        return Ending(Reason.RECOVERED, held_at - self._log.ends_at(held_at - 1))

    # Alerts ----------------------------------------------------------------------------------------------------------

    def judge(self, now: int) -> Judgement:
        keys = [2 * at for at in self._ahead(now)]
        wanted = [*self._over(now)]
        if self.agreement.start <= now < self.agreement.end:
            if self._requests(now).newest == now:
                keys.append(2 * now + 1)  # what has just become known counts once this instant has passed
            crossed = self._crossed(now)
            # A change shows when the instant before it has passed.
            keys += [2 * one.changes_at - 1 for one in crossed.values() if one.changes_at != FOREVER]
            wanted += self._exceeded(crossed, now)
            wanted += self._burning(crossed, now)
        return Judgement(wanted, min((key for key in keys if key >= 2 * now), default=None))

    def _ahead(self, now: int) -> Iterator[int]:
        """Instants at which more is known, or another period is spoken about."""
        waiting = self.settlement.next_span()
        ends_at = None if waiting is None else waiting[1]
        ahead = (self._log.next_after(now), self._facts.next_exclusion(now), ends_at)
        yield from (at for at in ahead if at is not None and at > now)
        due_at = self.settlement.due_at()
        if due_at is not None:
            yield due_at  # now, too: what is due at an instant waits until all of the instant is in
        if now < self.agreement.start:
            yield self.agreement.start
        elif now < self.agreement.end:
            yield min(range_of(self.agreement, self.objective, now)[1], self.agreement.end)

    def _wanted(
        self, name: AlertName, default: Severity, scope: str, at: int, step: str | None = None
    ) -> partial[Wanted]:
        severity = severity_of(self.objective, name, default)
        names = (self.objective.name, self.agreement.name)
        return partial(Wanted, name, severity, *names, scope, step, at, Reason.LIMIT_EXCEEDED)

    def _breached(self, scope: str, at: int, period: Span, counts: RequestCounts) -> Wanted:
        describe = partial(announcements.requests_failed, self.agreement, self.objective, period, at, counts)
        return self._wanted(AlertName.BREACHED, Severity.CRITICAL, scope, at)(describe)

    def _over(self, now: int) -> Iterator[Wanted]:
        """The period that ended missed and has no statement yet."""
        span = self.settlement.next_span()
        if self.objective.window.rolling is not None or span is None or now < span[1]:
            return
        known = self._log.first_from(min(now + 1, span[1] + self._log.longest))
        made_from = (span, self._facts.declared(now), known)
        if self._ended is None or self._ended[0] != made_from:
            self._ended = (made_from, self._counts(span, now))
        counts = self._ended[1]
        if request_counts.verdict(self.objective, counts) is Outcome.MISSED:
            yield self._breached(scope_of(span), span[1], span, counts)

    def _exceeded(self, crossed: dict[str, Crossed], now: int) -> Iterator[Wanted]:
        """The rolling window in which more failed than is allowed; the period in which something failed and nothing may."""
        period = period_to_date(self.agreement, self.objective, now)
        since: int | None
        if self.objective.window.rolling is not None:
            since, scope = crossed[ROLLING].since, ROLLING
        elif self.objective.target == 1:
            since, scope = self._requests(now).bad.first_after(period[0]), scope_of(period)
        else:
            return
        if since is not None and since < now:
            counts = self._requests(now).counts((period[0], now), now)
            yield self._breached(scope, since, period, counts)

    def _burning(self, crossed: dict[str, Crossed], now: int) -> Iterator[Wanted]:
        period = period_to_date(self.agreement, self.objective, now)
        rolling = self.objective.window.rolling is not None
        for step, pair in self._pairs.items():
            since = crossed[step].since
            if since is not None:
                # An alert of a calendar period is true of it from its beginning at the earliest.
                at, scope = (since, ROLLING) if rolling else (max(since, period[0]), scope_of(period))
                yield self._wanted(AlertName.BUDGET_BURN, pair.severity, scope, at, step)(
                    partial(self._describe_burn, pair, now)
                )

    def _describe_burn(self, pair: BurnRatePair, now: int) -> dict[str, str]:
        return announcements.budget_burn(self.agreement, self.objective, pair, self._burn_rate(pair, now))

    def ending_of(
        self, memory: AlertMemory, firing: AlertTransition, wanted: Sequence[Wanted], now: int, horizon: int
    ) -> Ending:
        """Why an alert of this objective that fires should not."""
        del wanted
        breach = firing.labels["alertname"] == AlertName.BREACHED.value
        waiting = self.settlement.next_span()
        if now >= self.agreement.end:
            scopes = {}
        elif self.objective.window.rolling is not None:
            scopes = {ROLLING: now}
        else:
            period = period_to_date(self.agreement, self.objective, now)
            scopes = {scope_of(period): period[0]}
        if breach and waiting is not None and self.objective.window.rolling is None:
            scopes[scope_of(waiting)] = now
        if memory.scope not in scopes:
            settled = breach and self.objective.window.rolling is None
            return Ending(Reason.PERIOD_ENDED, now if settled else self._period_began(now))
        if breach and self.objective.window.rolling is None:
            return Ending(Reason.AMENDED, now)
        step = ROLLING if breach else firing.labels["step"]
        return self._ending_of_limit(step, firing.at + 1, now, horizon)

    def _period_began(self, now: int) -> int:
        if now >= self.agreement.end:
            return self.agreement.end
        return period_to_date(self.agreement, self.objective, now)[0]

    # Standing --------------------------------------------------------------------------------------------------------

    def standing(self, now: int) -> Standing | None:
        """Of the period to date."""
        if not self.agreement.start <= now < self.agreement.end:
            return None
        period = period_to_date(self.agreement, self.objective, now)
        counts = self._requests(now).counts((period[0], min(now, period[1])), now)
        if counts.total[0] == 0:
            state = StandingState.NOT_APPLICABLE
        elif request_counts.exceeded(self.objective, counts):
            state = StandingState.BREACHED
        elif any(one.since is not None for step, one in self._crossed(now).items() if step != ROLLING):
            state = StandingState.AT_RISK
        else:
            state = StandingState.ON_TRACK
        return Standing(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            at=now,
            period=period,
            standing=state,
            target=self.objective.target,
            ratios=request_counts.ratios(counts),
            tickets=None,
            seconds=None,
            misses_left=None,
            budget=None,
            exhausted_at=None,
            requests=counts,
        )

    def glance(self, now: int) -> Glance | None:
        """None: it is not in effect. Its windows slide on, so the next microsecond may show something else."""
        standing = self.standing(now)
        if standing is None:
            return None
        rates = ((pair.long, self._burn_rate(pair, now)) for pair in self._pairs.values())
        return Glance(
            standing,
            now + 1,
            [(window, rate) for window, rate in rates if rate is not None],
            self._requests(now).time.excluded.between(now, now + 1) > 0,
        )

    def _burn_rate(self, pair: BurnRatePair, now: int) -> Fraction | None:
        """The failed share of the long window over what the target allows; None where there were no requests."""
        requests = self._requests(now)
        bad, total = (filled.after(now - pair.long, now + 1) for filled in (requests.bad, requests.outside))
        return Fraction(bad) / total / (1 - self.objective.target) if total else None
