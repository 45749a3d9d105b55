"""What the page of a period says of time that does not count: clause by clause, and what was declared in vain."""

from collections.abc import Iterator
from fractions import Fraction

from rich.console import RenderableType
from rich.text import Text

from slamon.domain.agreement import ExclusionsCountAs
from slamon.domain.explanations.of_availability import AvailabilityExplanation
from slamon.domain.explanations.of_exclusions import ClauseStory, DeclaredStory, Refusal
from slamon.domain.explanations.of_requests import RequestsExplanation
from slamon.explain.gathering import Explanation, PeriodExplanation
from slamon.explain.layout import indented, ledger
from slamon.explain.wording import counted, day, lasting, moment, request_count

MOST_WINDOWS = 10  # that are listed one by one

EXCLUDED = {
    ExclusionsCountAs.REMOVED: "is on neither side of the ratio (removed)",
    ExclusionsCountAs.UP: "counts as up",
}


def exclusions(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = period.found
    assert isinstance(found, AvailabilityExplanation | RequestsExplanation), "exclusions are of services"
    for story in found.clauses:
        if story.spans or any(cap.asked for cap in story.caps):
            yield from _clause(story, found)
    for declared in found.declared:
        if declared.clause is None:
            yield from _declared(declared, found)


def _clause(
    story: ClauseStory, found: AvailabilityExplanation | RequestsExplanation
) -> Iterator[RenderableType]:
    term, zone = story.term, found.agreement.zone
    words = [term.reason.value.replace("_", " "), *([term.clause] if term.clause else [])]
    kind = "scheduled" if term.schedule is not None else "declared"
    yield Text(f"{term.name} ({', '.join(words)}; {kind})", style="bold")
    if term.schedule is not None:
        total = f"{counted(len(story.spans), 'window')} by {term.schedule.rule}"
        yield indented(Text(f"{total}, {lasting(term.schedule.duration)} each."))
        if len(story.spans) <= MOST_WINDOWS:
            for start, end in story.spans:
                yield indented(Text(f"{moment(start, zone)} to {moment(end, zone)}"))
    for declared in found.declared:
        if declared.clause == term.name:
            yield from map(indented, _declared(declared, found))
    for cap in story.caps:
        if cap.asked:
            assert term.cap is not None, "what is capped has a cap"
            span = f"{day(cap.start, zone)} until before {day(cap.end, zone)}"
            over = f"; {lasting(cap.asked - cap.granted)} over it counts" if cap.asked > cap.granted else ""
            yield indented(
                Text(
                    f"At most {lasting(term.cap.duration)} a {term.cap.per.value} (atMost), {span}: "
                    f"{lasting(cap.granted)} of {lasting(cap.asked)} taken away{over}."
                )
            )
    yield indented(
        ledger(
            [
                ("taken away", lasting(story.taken)),
                ("of that, down", lasting(int(story.failures)))
                if isinstance(found, AvailabilityExplanation)
                else ("failed requests in it", request_count(Fraction(story.failures))),
            ]
        )
    )


def _declared(story: DeclaredStory, found: Explanation) -> Iterator[RenderableType]:
    event, zone = story.event, found.agreement.zone
    about = f" of {event.service}" if event.service is not None else ""
    span = "" if story.span is None else f", {moment(story.span[0], zone)} to {moment(story.span[1], zone)}"
    yield Text(f"{event.exclusion}{about}{span}")
    said = []
    if story.announced_at is not None and story.span is not None:
        ahead = story.span[0] - story.announced_at
        notice = f"{lasting(ahead)} ahead" if ahead >= 0 else f"{lasting(-ahead)} after it began"
        said.append(f"announced {moment(story.announced_at, zone)}, {notice}")
        if story.notice is not None:
            said.append(
                f"{lasting(story.notice)} of notice {'kept' if ahead >= story.notice else 'not kept'}"
            )
    said += [f"approved by {event.approved_by}"] if event.approved_by is not None else []
    said += [f"evidence {event.evidence}"] if event.evidence is not None else []
    if story.refusal is not None:
        said.append(f"changes nothing: {REFUSALS[story.refusal]}")
    yield indented(Text(f"{'; '.join(said)}."))


REFUSALS = {
    Refusal.WITHDRAWN: "it was withdrawn",
    Refusal.OTHER_SERVICE: "it is about another service",
    Refusal.NO_CLAUSE: "no clause lets exclusions of its reason be declared",
    Refusal.CLAUSE_SERVICES: "the clause for its reason does not cover the service",
    Refusal.NOTICE: "announced too late, so all of it counts",
}
