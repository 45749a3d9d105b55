"""An availability objective, watched: its error budget, the outage that runs, and how fast it burns."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice

from msgspec.structs import replace

from slamon.domain import announcements, availability
from slamon.domain.agreement import Agreement, AlertName, AvailabilityObjective, BurnRatePair, Severity
from slamon.domain.alerts import Ending, Wanted, severity_of
from slamon.domain.availability import Measured
from slamon.domain.decisions import (
    AlertMemory,
    AlertTransition,
    Budget,
    Ratios,
    Reason,
    SecondCounts,
    Standing,
    StandingState,
    Statement,
)
from slamon.domain.error_budget import (
    Burn,
    Exhaustion,
    burn_of,
    burn_rate,
    coverage_lost_since,
    exhaustion,
    outage_steps,
)
from slamon.domain.events import DAY, HOUR, MINUTE
from slamon.domain.exclusions import Declared
from slamon.domain.intervals import FOREVER, Span, Spans, union
from slamon.domain.service_timeline import BEFORE_ALL
from slamon.domain.settlement import Settlement
from slamon.domain.terms import judged_period, period_to_date
from slamon.domain.ticket_downtime import tickets_meant
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

# Burn-rate crossings are solved for so far ahead, then again: with service hours, whose edges are many, and where a service
# flaps, so that most of what is worked out is overtaken by the next fact.
LOOK_AHEAD_IN_HOURS = 6 * HOUR
LOOK_AHEAD_FLAPPING = 15 * MINUTE
MANY_EDGES = 32


class AvailabilityWatch:
    """The error budget of an availability objective."""

    def __init__(self, agreement: Agreement, objective: AvailabilityObjective, facts: CustomerFacts) -> None:
        self.agreement = agreement
        self.objective = objective
        self.settlement = Settlement(agreement, objective)
        self.subject = subject_of(agreement, objective)
        self.armed: int | None = None
        self.version = 0  # rises with whatever changes how it stands, time aside
        self._facts = facts
        self._timeline = facts.timeline(objective.service)
        meant = tickets_meant(objective)
        self.tickets = None if meant is None else facts.ticket_downtime(meant)
        # No budget burns at no rate.
        self._pairs = objective.alerts.burn_rates if objective.target < 1 else ()
        # By step: the last one, with what it was made from.
        self._burns: dict[str, tuple[Measured, Span, Burn]] = {}
        self._seen = (-1, False)
        self._last_change = BEFORE_ALL  # of the status, as last noticed
        self._known: tuple[Declared, ...] = ()  # exclusions, as last noticed
        self._awaited: tuple[int | None, int | None] = (
            None,
            None,
        )  # keys: the next heartbeat's, and the next other
        self._measured: tuple[object, Measured] | None = None  # the last one, with what it was made from

    def verdict(self, span: Span, now: int) -> Statement:
        """The verdict on a period, without what it costs, by what is known at `now`."""
        return self._verdict(span, availability.seconds(self._measure(span, now), span))

    def as_it_stands(self, now: int) -> Statement:
        """The verdict on the running period if it went on without a failure, and known; of a rolling window, as of now."""
        measured = self.measured(now)
        period = period_to_date(self.agreement, self.objective, now)
        to_date = availability.seconds(measured, (period[0], min(now, period[1])))
        applicable = measured.applicable.between(*period)
        counts = replace(to_date, applicable=applicable, known=applicable - to_date.unknown)
        return self._verdict(judged_period(self.agreement, self.objective, now), counts)

    def _verdict(self, span: Span, counts: SecondCounts) -> Statement:
        return Statement(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            start=span[0],
            end=span[1],
            revision=1,
            outcome=availability.verdict(self.objective, counts),
            target=self.objective.target.as_integer_ratio(),
            ratios=availability.ratios(counts),
            tickets=None,
            seconds=counts,
        )

    def rewind(self) -> None:
        """Forget what was read, to read it again as of an earlier instant."""
        self._timeline.rewind()

    def notice(self, now: int) -> None:
        """What only time has changed about the past: heartbeats missed by now, an outage that has lasted long enough."""
        self.version += 1
        self._timeline.read(now)
        outage = availability.running_outage(self.objective, self._timeline, now)
        before, self._seen = self._seen, (self._timeline.version, outage is not None and outage.counts)
        if before[0] != self._seen[0]:
            self.settlement.unsettle(
                self._timeline.unsettled_since(self._timeline.change_after(self._last_change))
            )
            self._last_change = self._timeline.changes[-1].time
        elif before != self._seen:
            self.settlement.unsettle(self._timeline.unsettled_since(now + 1))
        known, self._known = self._known, self._facts.declared(now)
        self.settlement.unsettle(excluded_since(known, self._known))

    def measured(self, now: int) -> Measured:
        self._timeline.read(now)
        outage = availability.running_outage(self.objective, self._timeline, now)
        span = range_of(self.agreement, self.objective, now)
        declared = self._facts.declared(now)
        told = None if self.tickets is None else self.tickets.version
        made_from = (self._timeline.version, told, declared, span, outage)
        if self._measured is None or self._measured[0] != made_from:
            self._measured = (made_from, self._measure(span, now))
        return self._measured[1]

    def _measure(self, span: Span, now: int) -> Measured:
        self._timeline.read(now)
        declared = self._facts.declared(now)
        return availability.measure(
            self.agreement, self.objective, self._timeline, self._by_tickets(span), declared, span, now
        )

    def _by_tickets(self, span: Span) -> Spans:
        return () if self.tickets is None else self.tickets.spans(*span)

    def judge(self, now: int) -> Judgement:
        ahead = (self._timeline.next_unread(), self._facts.next_exclusion(now))
        keys = [2 * at for at in ahead if at is not None and at > now]
        due_at = self.settlement.due_at()
        if due_at is not None:
            # Now, too: what is due at an instant waits until all of the instant is in.
            keys.append(2 * due_at)
        if now < self.agreement.start:
            return Judgement([], min([*keys, 2 * self.agreement.start]))
        wanted = list(self._over(now))
        keys += self._unfolding_keys(now)
        if now >= self.agreement.end:  # time alone may still change what was said of it
            return Judgement(wanted, self._await(keys, now))
        measured = self.measured(now)
        period = period_to_date(self.agreement, self.objective, now)
        until = min(
            measured.end if self.objective.window.rolling is None else now - now % DAY + DAY,
            self.agreement.end,
        )
        keys.append(2 * until)
        spent = exhaustion(self.agreement, self.objective, measured, period, now)
        found = self._burns_at(measured, period, now, until)
        # A change shows when the instant before it has passed.
        keys += [2 * burn.changes_at - 1 for burn in found if burn.changes_at is not None]
        keys += self._outage_keys(measured, spent, now)
        wanted += self._breached(spent, period, now)
        wanted += self._outage_alert(measured, spent, now)
        wanted += self._burn_alerts(found, now)
        return Judgement(wanted, self._await(keys, now))

    def _await(self, keys: Iterable[int], now: int) -> int | None:
        """The next of the keys, and that at which a heartbeat will have been missed."""
        limit = self._timeline.heartbeat_limit()
        beat = 2 * limit + 1 if limit is not None and limit >= now else None
        other = min((key for key in keys if key >= 2 * now), default=None)
        self._awaited = (beat, other)
        return min((key for key in self._awaited if key is not None), default=None)

    def put_off(self, key: int) -> int | None:
        """When to ask again, if at `key` nothing but a heartbeat was awaited, and it came in time; else None."""
        beat, other = self._awaited
        if key != beat:
            return None
        self._timeline.read((key + 1) // 2)
        limit = self._timeline.heartbeat_limit()
        if self._timeline.version != self._seen[0] or limit is None or 2 * limit < key:
            return None
        beat = 2 * limit + 1
        self._awaited = (beat, other)
        return beat if other is None else min(beat, other)

    def _burns_at(self, measured: Measured, period: Span, now: int, until: int) -> list[Burn]:
        """Each pair at `now`, worked out anew only where the last one holds no longer."""
        found = []
        for pair in self._pairs:
            made_from, of, burn = self._burns.get(pair.step, (None, None, None))
            if burn is None or made_from is not measured or of != period or not _holds(burn, now):
                ahead = min(until, now + self._look_ahead(measured, pair, now))
                before = self._continued(made_from, of, burn, measured, period)
                burn = burn_of(self.agreement, self.objective, measured, pair, period, now, ahead, before)
                self._burns[pair.step] = (measured, period, burn)
            found.append(burn)
        return found

    def _continued(
        self, made_from: Measured | None, of: Span | None, burn: Burn | None, measured: Measured, period: Span
    ) -> Burn | None:
        """The earlier one, if all it was made from is still so."""
        if made_from is None or burn is None:
            return None
        same = of == period or self.objective.window.rolling is not None
        return burn if same and availability.same_until(made_from, measured) >= burn.at else None

    def _look_ahead(self, measured: Measured, pair: BurnRatePair, now: int) -> int:
        edges = measured.down.edges(now - pair.long, now)
        if next(islice(edges, MANY_EDGES, None), None) is not None:
            return LOOK_AHEAD_FLAPPING
        return FOREVER if self.objective.calendar.always else LOOK_AHEAD_IN_HOURS

    def _burns_then(self, then: int, step: str | None) -> list[Burn]:
        """The pair of a step (None: all) at an instant that may lie in the past, by what is known now."""
        period = period_to_date(self.agreement, self.objective, then)
        measured = self.measured(then)
        pairs = [pair for pair in self._pairs if step in (None, pair.step)]
        return [burn_of(self.agreement, self.objective, measured, pair, period, then, then) for pair in pairs]

    def _unfolding_keys(self, now: int) -> Iterator[int]:
        """When an outage will have lasted long enough to count, without an event."""
        self._timeline.read(now)
        outage = availability.running_outage(self.objective, self._timeline, now)
        if outage is not None and not outage.counts:
            yield 2 * (outage.since + self.objective.minimum_outage)

    def _outage_keys(self, measured: Measured, spent: Exhaustion, now: int) -> Iterator[int]:
        if spent.at is not None and spent.at >= now:
            yield 2 * spent.at + 1
        if spent.until is not None:
            yield 2 * spent.until
        yield from (
            2 * step.at + 1 for step in outage_steps(self.objective, measured, spent) if step.at >= now
        )

    def _severity(self, name: AlertName, default: Severity) -> Severity:
        return severity_of(self.objective, name, default)

    def _period_scope(self, period: Span) -> str:
        return scope_of(period) if self.objective.window.rolling is None else "rolling"

    def _breached(
        self, spent: Exhaustion, period: Span, now: int, over: Ending | None = None
    ) -> Iterator[Wanted]:
        if spent.exceeded:
            yield Wanted(
                AlertName.BREACHED,
                self._severity(AlertName.BREACHED, Severity.CRITICAL),
                self.objective.name,
                self.agreement.name,
                self._period_scope(period),
                None,
                now if spent.at is None else min(spent.at, now),
                Reason.LIMIT_EXCEEDED,
                lambda: announcements.period_breached(self.agreement, self.objective, spent, period, now),
                over=over,
            )

    def _over(self, now: int) -> Iterator[Wanted]:
        """The breach of the period that ended and has no statement yet: told, if it was not told while it lasted."""
        span = self.settlement.next_span()
        if self.objective.window.rolling is not None or span is None or now < span[1]:
            return
        spent = exhaustion(self.agreement, self.objective, self._measure(span, now), span, now)
        yield from self._breached(spent, span, now, Ending(Reason.PERIOD_ENDED, span[1]))

    def _outage_alert(self, measured: Measured, spent: Exhaustion, now: int) -> Iterator[Wanted]:
        outage, due = measured.outage, spent.at
        steps = outage_steps(self.objective, measured, spent)
        passed = [step for step in steps if step.at < now]
        if outage is None or due is None or not passed:
            return
        step = passed[-1]
        default = Severity.CRITICAL if step is steps[-1] else Severity.WARNING
        left = measured.countable.between(now, due)
        period = period_to_date(self.agreement, self.objective, now)
        yield Wanted(
            AlertName.OUTAGE_BUDGET,
            self._severity(AlertName.OUTAGE_BUDGET, default),
            self.objective.name,
            self.agreement.name,
            self._period_scope(period),
            step.step.text,
            step.at,
            Reason.STEP_REACHED,
            lambda: announcements.outage_budget(
                self.agreement, self.objective, spent, step, left, outage.since, now
            ),
        )

    def _burn_alerts(self, found: Sequence[Burn], now: int) -> Iterator[Wanted]:
        period = period_to_date(self.agreement, self.objective, now)
        for burn in found:
            if burn.since is not None:
                yield Wanted(
                    AlertName.BUDGET_BURN,
                    self._severity(AlertName.BUDGET_BURN, burn.pair.severity),
                    self.objective.name,
                    self.agreement.name,
                    self._period_scope(period),
                    burn.pair.step,
                    self._within(burn.since, period),
                    Reason.LIMIT_EXCEEDED,
                    partial(self._describe_burn, burn, now),
                )
        since = coverage_lost_since(found)
        if since is not None:
            yield Wanted(
                AlertName.MEASUREMENT_LOST,
                self._severity(AlertName.MEASUREMENT_LOST, Severity.WARNING),
                self.objective.name,
                self.agreement.name,
                self._period_scope(period),
                None,
                self._within(since, period),
                Reason.LIMIT_EXCEEDED,
                lambda: announcements.measurement_lost(self.agreement, self.objective, since),
            )

    def _within(self, at: int, period: Span) -> int:
        """An alert of a calendar period is true of it from its beginning at the earliest."""
        return at if self.objective.window.rolling is not None else max(at, period[0])

    def _describe_burn(self, burn: Burn, now: int) -> dict[str, str]:
        rate = burn_rate(self.agreement, self.objective, self.measured(now), burn.pair, now)
        return announcements.budget_burn(self.agreement, self.objective, burn.pair, rate)

    def ending_of(
        self, memory: AlertMemory, firing: AlertTransition, wanted: Sequence[Wanted], now: int, horizon: int
    ) -> Ending:
        """Why an alert of this objective that fires should not."""
        if not self._is_period_of(memory.scope, firing.at):
            return Ending(Reason.AMENDED, now)
        if now >= self.agreement.end:
            return Ending(Reason.PERIOD_ENDED, self.agreement.end)
        period = period_to_date(self.agreement, self.objective, now)
        if memory.scope != self._period_scope(period):
            return Ending(Reason.PERIOD_ENDED, period[0])
        name = firing.labels["alertname"]
        if name == AlertName.OUTAGE_BUDGET.value:
            return self._outage_ending(firing, wanted, now)
        was_true = (
            firing.at < self.agreement.start
            or is_forgotten(self.agreement, self.objective, firing.at, horizon)
            or self._was_true(name, firing, firing.at + 1)
        )
        return Ending(Reason.RECOVERED if was_true else Reason.AMENDED, now)

    def _is_period_of(self, scope: str, at: int) -> bool:
        """Whether by the terms of now an alert true from just after `at` on can have spoken of the period in its scope."""
        start, end = self.agreement.start, self.agreement.end
        around = (t for t in (at, at + 1) if start <= t < end)
        return scope in {
            self._period_scope(period_to_date(self.agreement, self.objective, t)) for t in around
        }

    def _was_true(self, name: str, firing: AlertTransition, then: int) -> bool:
        """Whether by what is known now the alert had to fire `then`, no later than now."""
        measured = self.measured(then)
        period = period_to_date(self.agreement, self.objective, then)
        if name == AlertName.BREACHED.value:
            return (
                self.objective.window.rolling is not None
                and exhaustion(self.agreement, self.objective, measured, period, then).exceeded
            )
        found = self._burns_then(then, firing.labels.get("step"))
        if name == AlertName.MEASUREMENT_LOST.value:
            return coverage_lost_since(found) is not None
        return any(burn.since is not None for burn in found)

    def _outage_ending(self, firing: AlertTransition, wanted: Sequence[Wanted], now: int) -> Ending:
        breach = next((one for one in wanted if one.name is AlertName.BREACHED and one.over is None), None)
        if breach is not None:
            return (
                Ending(Reason.BREACHED, breach.at) if breach.at >= firing.at else Ending(Reason.AMENDED, now)
            )
        newer = next((one for one in wanted if one.name is AlertName.OUTAGE_BUDGET), None)
        if newer is not None:
            return (
                Ending(Reason.SUPERSEDED, newer.at) if newer.at >= firing.at else Ending(Reason.AMENDED, now)
            )
        measured = self.measured(now)
        if measured.outage is not None:
            return Ending(Reason.AMENDED, now)
        status = availability.DOWN[self.objective.degraded_counts_as]
        down = union(self._timeline.spans_of(status, firing.at, now), self._by_tickets((firing.at, now)))
        held = bool(down) and down[0][0] <= firing.at < down[0][1]
        return Ending(Reason.RECOVERED, down[0][1]) if held else Ending(Reason.AMENDED, now)

    def standing(self, now: int) -> Standing | None:
        """Worst news first, but never a guess."""
        if not self.agreement.start <= now < self.agreement.end:
            return None
        return self._standing(self.measured(now), now)

    def _standing(self, measured: Measured, now: int) -> Standing:
        period = period_to_date(self.agreement, self.objective, now)
        to_date = (period[0], min(now, period[1]))
        counts = availability.seconds(measured, to_date)
        ratios = availability.ratios(counts)
        spent = exhaustion(self.agreement, self.objective, measured, period, now)
        return Standing(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            at=now,
            period=period,
            standing=self._state(measured, spent, counts.applicable, ratios, period, now),
            target=self.objective.target,
            ratios=ratios,
            tickets=None,
            seconds=counts,
            misses_left=None,
            budget=Budget(spent.whole, spent.whole - spent.consumed),
            exhausted_at=spent.at if spent.exceeded or measured.outage is not None else None,
        )

    def _state(
        self, measured: Measured, spent: Exhaustion, applicable: int, ratios: Ratios, period: Span, now: int
    ) -> StandingState:
        if spent.exceeded:
            return StandingState.BREACHED
        if applicable == 0:
            return StandingState.NOT_APPLICABLE
        coverage, worst = Fraction(*(ratios.coverage or (0, 1))), Fraction(*(ratios.worst_case or (0, 1)))
        if coverage < self.objective.alerts.coverage_below and worst < self.objective.target:
            return StandingState.UNDETERMINED
        if measured.outage is not None and measured.outage.counts:
            return StandingState.AT_RISK
        found = self._burns_at(measured, period, now, now + 1)
        return (
            StandingState.AT_RISK if any(burn.since is not None for burn in found) else StandingState.ON_TRACK
        )

    def glance(self, now: int) -> Glance | None:
        """None: it is not in effect."""
        if not self.agreement.start <= now < self.agreement.end:
            return None
        measured = self.measured(now)
        standing = self._standing(measured, now)
        rates = (
            (pair.long, burn_rate(self.agreement, self.objective, measured, pair, now))
            for pair in self._pairs
        )
        return Glance(
            standing,
            self._stands_until(measured, standing.period, now),
            [(window, rate) for window, rate in rates if rate is not None],
            measured.excluded.between(now, now + 1) > 0,
        )

    def _stands_until(self, measured: Measured, period: Span, now: int) -> int:
        """Where nothing failed and all is known, shares change only where time that counts begins, ends, or leaves a window.

        What is excluded to date changes all the time while an exclusion lasts.
        """
        if self.objective.window.rolling is not None or measured.excluded.between(now, now + 1):
            return now + 1
        start, end = period
        widths = [pair.long for pair in self._pairs]
        since = min(start, now - max(widths, default=0))
        if measured.down.between(since, now + 1) or measured.unknown.between(since, now + 1):
            return now + 1
        edges = [measured.applicable.edge_from(now), measured.excluded.edge_from(now)]
        edges += [measured.countable.edge_from(now - width) + width for width in (0, *widths)]
        return min(max(min(edges), now + 1), end)


def _holds(burn: Burn, now: int) -> bool:
    """Whether what was found at an earlier instant is still so at `now`."""
    began = max((at for at in (burn.since, burn.frozen_since) if at is not None), default=now - 1)
    return began < now and (burn.changes_at is None or now < burn.changes_at)
