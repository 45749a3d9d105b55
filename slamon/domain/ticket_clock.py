"""One clock: how long one measure of one ticket has taken, against which promise, and what it came to.

The rules, in the order in which they bite at a moment (an instant at which fields, replies or terms change):

1. Time up to the moment is counted by the terms before it: opening hours of the governing objective's calendar add to
   `elapsed`, or to `paused` while its pause condition holds. Missed is `elapsed > target` at some instant while the clock
   ran; the breach is the greatest lower bound of those instants, so a target used up exactly at closing time is breached
   only when the next opening begins.
2. A stop at the moment is judged by the terms just before it; only a cycle that starts and stops at one instant is judged
   by the terms after its changes.
3. Otherwise another objective may take over. By its own word it carries the elapsed time, and if that exceeds its target
   already, the cycle is breached at this instant; or it resets, and counting starts anew. Passing to another version of
   the agreement always carries.
4. Once missed, a cycle is frozen to the objective of its breach and runs on by those terms until it stops.

While nothing governs, the clock neither runs nor is judged. Cancelled suspends the cycle as void; an active ticket undoes
that. A resolution that is undone continues the cycle, or begins a new one, or is ignored, as the objective says that
governs then. A clock is a fold over moments and knows no present: what is true at `now` is asked of it, which changes nothing.
"""

import enum
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from slamon.domain.agreement import (
    Measure,
    OnPriorityChange,
    OnReopen,
    StopOn,
    TicketObjective,
)
from slamon.domain.decisions import ClockOutcome, ClockRecord, ClockState
from slamon.domain.events import Reply, TicketStatus
from slamon.domain.intervals import FOREVER
from slamon.domain.terms import ACTIVE, DONE, Fields, Terms, same_to_filters


class Phase(enum.Enum):
    RUNNING = enum.auto()  # started and not stopped; paused and ungoverned time included
    DONE = enum.auto()  # stopped by what its measure waits for
    CANCELLED = enum.auto()  # suspended: void, unless missed before
    ENDED = enum.auto()  # cancelled, and answered meanwhile: void for good


class Stretch(NamedTuple):
    """Time in which the clock ran under its present objective: `elapsed` was `before` at `start`."""

    start: int
    before: int
    end: int


class Mark(NamedTuple):
    """The cycle was pending under `objective` when a judged period of it ended."""

    objective: str
    end: int


class Verdict(NamedTuple):
    """What a clock comes to at an instant. Missed was decided at the breach."""

    objective: TicketObjective
    outcome: ClockOutcome
    decided_at: int | None
    marks: tuple[Mark, ...]
    governed: bool  # pending, and something governs it
    warned_at: int | None  # the last instant before a governed one passes its first step, if it runs on


class OpenClock(NamedTuple):
    """A clock that has not stopped. `due_at`: when it runs out, if it runs and is not missed yet."""

    agreement: str
    objective: str
    state: ClockState
    missed: bool
    due_at: int | None


def stops(measure: Measure, status: TicketStatus, objective: TicketObjective | None) -> bool:
    """Whether a ticket of this status has what the measure waits for. Nothing governs: a resolution is one."""
    if measure is Measure.RESOLUTION and objective is not None and objective.stop_on is StopOn.CLOSED:
        return status is TicketStatus.CLOSED
    return status in DONE


class Clock:
    """The fold. `moment` must be called at the start of the cycle and then in order of time."""

    __slots__ = (
        "anchor", "breached_at", "cycle", "elapsed", "fields", "followed", "governing", "ignored", "marks", "matched_until", "measure", "objective", "paused", "paused_before",
        "pausing_since", "phase", "shadow", "shadow_marks", "start", "started_at", "stop_event", "stopped_at", "stretches",
        "terms", "ticket", "took_over_at", "took_over_elapsed", "void_stop", "was_active",
    )  # fmt: skip

    def __init__(self, terms: Terms, ticket: str, measure: Measure, cycle: int, start: int) -> None:
        self.terms = terms
        self.ticket = ticket
        self.measure = measure
        self.cycle = cycle
        self.start = start
        self.anchor = start  # counted up to here
        self.phase = Phase.RUNNING
        self.followed = False  # by a new cycle: this one is never continued
        self.ignored = False  # undone in vain: only what ends the ticket anew can be undone again
        self.governing: TicketObjective | None = None
        self.shadow: TicketObjective | None = (
            None  # what the fields of the last moment matched, running or not
        )
        self.fields: Fields | None = (
            None  # of the last moment; what they matched holds until then or other ones
        )
        self.matched_until = start
        self.objective: TicketObjective | None = None  # the last that governed; frozen by a breach
        self.started_at = start
        self.elapsed = 0
        self.paused = 0
        self.pausing_since: int | None = None
        self.paused_before = 0  # when the present pause began
        self.breached_at: int | None = None
        self.stopped_at: int | None = None
        self.stop_event: int | None = None
        self.void_stop = False  # stopped while nothing governed
        self.was_active = True
        self.took_over_at = start
        self.took_over_elapsed = 0
        self.stretches: list[Stretch] = []
        self.marks: list[Mark] = []
        self.shadow_marks: list[Mark] = []  # of time stopped; they count if the stop is undone

    def moment(self, t: int, fields: Fields, replies: Sequence[Reply] = ()) -> bool:
        """At `t` the ticket took these fields, then these replies happened. True: a new cycle is to begin."""
        known, self.fields = self.fields, fields
        if known is not None and t < self.matched_until and same_to_filters(known, fields):
            matched = self.shadow
        else:
            matched = self.terms.governing(self.measure, t, fields)
            self.matched_until = self.terms.next_boundary(t)
        starts = t == self.start and self.objective is None and self.phase is Phase.RUNNING
        before = matched if starts else self.shadow
        self._count(t)
        self.shadow = matched
        answered = self.measure is not Measure.RESOLUTION and Reply.AGENT in replies
        active = fields.status in ACTIVE
        frozen = self.breached_at is not None
        cancelled = fields.status is TicketStatus.CANCELLED
        ended = cancelled or stops(self.measure, fields.status, self.objective if frozen else matched)
        reopened = active and not self.was_active
        self.was_active = active
        if ended:
            self.ignored = False
        on_reopen = self._on_reopen(matched) if reopened else None
        if on_reopen is OnReopen.NEW_CYCLE:
            self.followed = True
            return True
        resumes = on_reopen is OnReopen.CONTINUE
        if resumes:
            self._resume(t)
        elif on_reopen is OnReopen.IGNORE:
            self.ignored = True
        if self.phase is Phase.RUNNING:
            stopped = ended or answered
            if not frozen and (starts or not stopped or resumes):
                self._take_over(t, before if stopped else matched)
            if stopped:
                self._stop(t, Phase.CANCELLED if cancelled else Phase.DONE)
            else:
                self._set_pause(t, fields)
        if self.phase is Phase.CANCELLED and answered:
            self.phase = Phase.ENDED
        return False

    def _on_reopen(self, matched: TicketObjective | None) -> OnReopen | None:
        """What becomes of the cycle when the ticket is active again; None: nothing of it was undone."""
        if self.phase is Phase.CANCELLED:
            return OnReopen.CONTINUE
        resolved = self.phase is Phase.DONE and self.measure is Measure.RESOLUTION
        if not resolved or self.followed or self.ignored:
            return None
        return OnReopen.IGNORE if matched is None else matched.on_reopen

    def _resume(self, t: int) -> None:
        """The stop is undone at `t`: the time since does not count."""
        self.phase = Phase.RUNNING
        self.anchor = t
        self.stopped_at = self.stop_event = None
        self.void_stop = False
        self.pausing_since = None
        if self.breached_at is None:  # else it was decided already, and pending in none of those periods
            self.marks += self.shadow_marks
        self.shadow_marks = []

    def _count(self, t: int) -> None:
        """Count the time from `anchor` to `t` by the terms that held in it."""
        anchor, self.anchor = self.anchor, t
        if t <= anchor:
            return
        objective = self.objective
        if self.phase is not Phase.RUNNING:
            self._mark(self.shadow_marks, self.shadow, anchor, t)
            return
        if objective is None or (self.governing is None and self.breached_at is None):
            return
        if self.pausing_since is not None:
            self.paused += objective.calendar.elapsed(anchor, t)
        else:
            self._run(objective, anchor, t)
        if self.breached_at is None or self.breached_at > anchor:
            until = t if self.breached_at is None else min(t, self.breached_at)
            self._mark(self.marks, objective, anchor, until)

    def _run(self, objective: TicketObjective, anchor: int, t: int) -> None:
        opening_hours = objective.calendar.elapsed(anchor, t)
        if self.breached_at is None and self.elapsed + opening_hours > objective.target:
            self.breached_at = objective.calendar.overrun(anchor, objective.target - self.elapsed)
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.end == anchor:
            self.stretches[-1] = Stretch(last.start, last.before, t)
        else:
            self.stretches.append(Stretch(anchor, self.elapsed, t))
        self.elapsed += opening_hours

    def _mark(self, marks: list[Mark], objective: TicketObjective | None, after: int, until: int) -> None:
        if objective is not None:
            marks += [Mark(objective.name, end) for end in self.terms.ends_within(objective, after, until)]

    def _take_over(self, t: int, objective: TicketObjective | None) -> None:
        if objective is self.governing:
            return
        self.governing = objective
        if objective is None:
            return
        if self.objective is None or self._resets(self.objective, objective):
            self.started_at = t
            self.elapsed = self.paused = self.paused_before = 0
        self.objective = objective
        self.took_over_at = t
        self.took_over_elapsed = self.elapsed
        self.stretches = []
        if self.elapsed > objective.target:
            self.breached_at = t

    def _resets(self, before: TicketObjective, objective: TicketObjective) -> bool:
        """Whether the objective that takes over starts counting anew. Passing to another version always carries."""
        resets = objective.on_priority_change is OnPriorityChange.RESET
        return resets and self.terms.version_of(before) is self.terms.version_of(objective)

    def _stop(self, t: int, phase: Phase) -> None:
        self.phase = phase
        self.stop_event = t
        paused_from = self.pausing_since
        self.stopped_at = t if paused_from is None else max(paused_from, self.started_at)
        self.void_stop = phase is Phase.DONE and self.breached_at is None and self.governing is None

    def _set_pause(self, t: int, fields: Fields) -> None:
        objective = self.objective if self.breached_at is not None else self.governing
        pauses = (
            objective is not None
            and fields.status is TicketStatus.WAITING
            and fields.waiting_on in objective.pause_on
        )
        if not pauses:
            self.pausing_since = None
        elif self.pausing_since is None:
            self.pausing_since = t
            self.paused_before = self.paused

    # What is true at an instant -------------------------------------------------------------------------------------

    def reached(self, elapsed: int, now: int) -> int | None:
        """The earliest instant before or at `now` at which `elapsed` was reached under the present objective."""
        if elapsed <= self.took_over_elapsed:
            return self.took_over_at
        objective = self.objective
        if objective is None:
            return None
        if self.stretches and elapsed <= self.elapsed:
            index = max(bisect_left(self.stretches, elapsed, key=lambda stretch: stretch.before) - 1, 0)
            stretch = self.stretches[index]
            return objective.calendar.add(stretch.start, elapsed - stretch.before)
        if self.runs():
            at = objective.calendar.add(self.anchor, elapsed - self.elapsed)
            return at if at <= now else None
        return None

    def runs(self) -> bool:
        """Whether time counts, opening hours aside."""
        return (
            self.phase is Phase.RUNNING
            and self.pausing_since is None
            and (self.governing is not None or self.breached_at is not None)
        )

    def elapsed_at(self, now: int) -> int:
        """Microseconds used up by `now`, not before the last moment."""
        if self.objective is None or not self.runs():
            return self.elapsed
        return self.elapsed + self.objective.calendar.elapsed(self.anchor, now)

    def breach_at(self) -> int | None:
        """When the cycle was or, if it runs on, will be breached."""
        if self.breached_at is not None or not self.runs() or self.objective is None:
            return self.breached_at
        return self.objective.calendar.overrun(self.anchor, self.objective.target - self.elapsed)

    def breached_by(self, now: int) -> int | None:
        """When it was breached, before `now`: at that instant itself a stop would be in time."""
        objective = self.objective
        if self.breached_at is not None or objective is None or self.elapsed_at(now) <= objective.target:
            return self.breached_at
        return self.breach_at()

    @property
    def is_final(self) -> bool:
        """Whether nothing that comes can change it any more, late facts aside."""
        if self.phase is Phase.DONE:
            return self.followed or self.measure is not Measure.RESOLUTION
        return self.phase is Phase.ENDED

    @property
    def resumed_at(self) -> int:
        """Since when the clock has run without a break, if it runs."""
        unbroken = bool(self.stretches) and self.stretches[-1].end == self.anchor
        return max(self.stretches[-1].start, self.took_over_at) if unbroken else self.anchor

    def verdict(self, now: int) -> Verdict | None:
        """At `now`, not before the last moment; None if nothing ever governed it."""
        objective = self.objective
        if objective is None:
            return None
        breached_at = self.breached_by(now)
        marks = self.marks
        if self.phase is Phase.RUNNING and self.breached_at is None and self.governing is not None:
            until = now if breached_at is None else breached_at
            ends = self.terms.ends_within(objective, self.anchor, until)
            if ends:
                marks = [*marks, *(Mark(objective.name, end) for end in ends)]
        decided_at = self.stop_event if breached_at is None else breached_at
        outcome = self._outcome(breached_at)
        governed = outcome is ClockOutcome.PENDING and self.governing is not None
        warned_at = self._warned_at(objective) if governed else None
        return Verdict(objective, outcome, decided_at, tuple(marks), governed, warned_at)

    def _warned_at(self, objective: TicketObjective) -> int | None:
        steps = self.terms.steps(objective)
        if not steps:
            return None
        left = steps[0][0] - self.elapsed
        if left < 0:
            return -FOREVER
        return objective.calendar.overrun(self.anchor, left) if self.runs() else None

    def as_open(self, now: int) -> OpenClock | None:
        """The clock at `now`, if it has not stopped; None, too, if nothing ever governed it."""
        objective = self.objective
        if objective is None or self.phase is not Phase.RUNNING:
            return None
        breached_at = self.breached_by(now)
        state = self._state(breached_at)
        due_at = None
        if breached_at is None and state is ClockState.RUNNING:
            due_at = self._due_at(objective, ClockOutcome.PENDING, now)
        return OpenClock(self.terms.name, objective.name, state, breached_at is not None, due_at)

    def record(self, now: int) -> ClockRecord | None:
        """The clock as people see it at `now`, not before its last moment; None if nothing ever governed it."""
        objective = self.objective
        if objective is None:
            return None
        breached_at = self.breached_by(now)
        # A clock that stopped out of a pause stopped when the pause began.
        stopped_out_of_pause = self.phase is not Phase.RUNNING and self.pausing_since is not None
        elapsed, paused = self.elapsed, self.paused_before if stopped_out_of_pause else self.paused
        if self.phase is Phase.RUNNING and (self.governing is not None or breached_at is not None):
            opening_hours = objective.calendar.elapsed(self.anchor, now)
            if self.pausing_since is None:
                elapsed += opening_hours
            else:
                paused += opening_hours
        outcome = self._outcome(breached_at)
        return ClockRecord(
            customer=self.terms.customer,
            agreement=self.terms.name,
            objective=objective.name,
            measure=self.measure,
            ticket=self.ticket,
            cycle=self.cycle,
            state=self._state(breached_at),
            outcome=outcome,
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            due_at=self._due_at(objective, outcome, now),
            target=objective.target,
            elapsed=elapsed,
            paused=paused,
            breached_at=breached_at,
            decided_at=breached_at if breached_at is not None else self.stop_event,
        )

    def _outcome(self, breached_at: int | None) -> ClockOutcome:
        if breached_at is not None:
            return ClockOutcome.MISSED
        if self.phase is Phase.RUNNING:
            return ClockOutcome.PENDING
        if self.phase is Phase.DONE and not self.void_stop:
            return ClockOutcome.MET
        return ClockOutcome.VOID

    def _state(self, breached_at: int | None) -> ClockState:
        if self.phase is Phase.RUNNING:
            idle = self.pausing_since is not None or (self.governing is None and breached_at is None)
            return ClockState.PAUSED if idle else ClockState.RUNNING
        if self.phase is Phase.DONE and not self.void_stop:
            return ClockState.STOPPED
        return ClockState.VOID if breached_at is None else ClockState.STOPPED

    def _due_at(self, objective: TicketObjective, outcome: ClockOutcome, now: int) -> int | None:
        """The earliest instant since the objective took over at which elapsed reaches the target, counting on."""
        if outcome is ClockOutcome.VOID:
            return None
        reached = self.reached(objective.target, now)
        if reached is not None:
            pending_idle = outcome is ClockOutcome.PENDING and not self.runs()
            return None if pending_idle else reached
        if outcome is ClockOutcome.PENDING and not self.runs():
            return None  # due only if it were resumed
        since = self.anchor if self.stopped_at is None else self.stopped_at
        return objective.calendar.add(since, objective.target - self.elapsed)
