"""What lint says about who governs which tickets is what the step does with them."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from slamon.agreement_files.coverage import OTHER, governed, space_of
from slamon.domain.agreement import Agreement, Measure, Service, TicketFilter, TicketObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import HOUR, TicketStatus
from slamon.domain.intervals import FOREVER
from slamon.domain.terms import Fields, Terms

VALUES = {"priority": ("P1", "P2"), "service": ("api", "shop"), "region": ("eu", "us")}
UNNAMED = "a word that no filter names"


def conditions(field: str) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(VALUES[field]), min_size=1)


filters = st.builds(
    lambda priority, service, region: TicketFilter(
        priority, service, () if region is None else (("region", region),)
    ),
    conditions("priority"),
    conditions("service"),
    conditions("region"),
)
measures = st.sampled_from((Measure.FIRST_RESPONSE, Measure.RESOLUTION))
services = st.none() | st.just((Service("api"),)) | st.just((Service("api"), Service("phones")))
agreements = st.builds(
    lambda wanted, covered: Agreement(
        name="acme",
        customer="acme",
        zone="UTC",
        start=0,
        end=FOREVER,
        first_day=date(1970, 1, 1),
        objectives=tuple(
            TicketObjective(f"objective-{index}", measure, HOUR, ALWAYS, when)
            for index, (measure, when) in enumerate(wanted)
        ),
        services=covered,
    ),
    st.lists(st.tuples(measures, filters), min_size=1, max_size=6),
    services,
)


def values(field: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from((*VALUES[field], UNNAMED, None))


tickets = st.builds(
    lambda priority, service, region: Fields(
        TicketStatus.OPEN, None, priority, service, {} if region is None else {"region": region}
    ),
    values("priority"),
    values("service"),
    values("region"),
)


@given(agreements, tickets, measures)
def test_a_ticket_lies_in_the_boxes_of_the_objective_that_governs_it_and_nowhere_else(
    agreement: Agreement, ticket: Fields, measure: Measure
) -> None:
    space = space_of(agreement)
    named = {"priority": ticket.priority, "service": ticket.service, **ticket.attributes}
    point = [
        value if (value := named.get(field)) in known else OTHER
        for field, known in zip(space.fields, space.whole, strict=True)
    ]
    found, left = governed(agreement, space, measure)
    homes = [
        name
        for name, boxes in [*((one.objective.name, one.boxes) for one in found), (None, left)]
        for box in boxes
        if all(value in among for value, among in zip(point, box, strict=True))
    ]
    covered = agreement.services is None or ticket.service in {
        None,
        *(one.name for one in agreement.services),
    }
    if covered:
        governs = Terms([agreement]).governing(measure, 0, ticket)
        assert homes == [None if governs is None else governs.name]
