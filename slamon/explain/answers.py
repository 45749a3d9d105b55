"""The two questions of `slamon explain`, and the answer in the form that was asked for."""

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TextIO

from rich.console import RenderableType
from rich.text import Text

from slamon.explain import for_programs, gathering, period_page, ticket_page
from slamon.explain.gathering import PeriodExplanation, Source
from slamon.explain.layout import write as write_page
from slamon.explain.period_notation import Asked


class Form(enum.Enum):
    TEXT = "text"
    JSON = "json"


class Answer(NamedTuple):
    page: Callable[[], Iterable[RenderableType]]
    json: Callable[[], bytes]


def of_ticket(source: Source, ticket: str, customer: str | None) -> Answer:
    """UnanswerableError if there is no such ticket."""
    found = gathering.of_ticket(source, ticket, customer)
    agreements = [one for one in source.agreements if one.customer == found.customer]
    names = {one.name for one in agreements}
    return Answer(
        lambda: ticket_page.page(found, agreements[0].zone, agreements=len(names)),
        lambda: for_programs.ticket(found),
    )


def of_objective(
    source: Source, objective: str, asked: Asked, customer: str | None, agreement: str | None
) -> Answer:
    """UnanswerableError if there is no such objective or period."""
    found = gathering.of_objective(source, objective, asked, customer, agreement)
    return Answer(lambda: _pages(found), lambda: for_programs.objective(found))


def _pages(found: Sequence[PeriodExplanation]) -> Iterator[RenderableType]:
    for index, period in enumerate(found):
        if index:
            yield Text("")
        yield from period_page.page(period)


def write(answer: Answer, form: Form, out: TextIO) -> None:
    if form is Form.JSON:
        out.write(answer.json().decode())
    else:
        write_page(out, answer.page())
