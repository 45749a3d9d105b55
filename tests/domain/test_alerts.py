"""The life of one alert in the book: its number, its labels and its words stay those of its firing."""

from hashlib import sha256

from slamon.domain.agreement import AlertName, Severity
from slamon.domain.alerts import AlertBook, Ending, Instant, Wanted
from slamon.domain.decisions import AlertMemory, AlertTransition, Reason, Transition

SUBJECT = ("ticket", "acme", "T-1")
LABELS = {
    "alertname": "SlaTicketAtRisk",
    "severity": "warning",
    "customer": "acme",
    "agreement": "terms",
    "objective": "fix",
    "ticket": "T-1",
    "step": "75%",
}
# The labels in the order of their names, and the scope, with a unit separator between them.
ID = sha256(
    b"agreement=terms\x1falertname=SlaTicketAtRisk\x1fcustomer=acme\x1fobjective=fix\x1fseverity=warning\x1fstep=75%"
    b"\x1fticket=T-1\x1fresolution/1"
).hexdigest()[:32]


def wanted(at: int) -> Wanted:
    return Wanted(
        AlertName.TICKET_AT_RISK, Severity.WARNING, "fix", "terms", "resolution/1", "75%", at, Reason.STEP_REACHED,
        lambda: {"summary": f"since {at}"}, "T-1",
    )  # fmt: skip


def paused(memory: AlertMemory, fired: AlertTransition) -> Ending:
    assert memory.firing is fired
    return Ending(Reason.PAUSED, fired.at + 5)


def transition(episode: int, to: Transition, at: int, reason: Reason, since: int) -> AlertTransition:
    return AlertTransition(
        id=ID,
        episode=episode,
        transition=to,
        at=at,
        detected_at=at,
        late=False,
        reason=reason,
        labels=LABELS,
        annotations={"summary": f"since {since}"},
    )


def test_an_alert_that_comes_again_is_the_next_episode_under_the_same_id() -> None:
    book = AlertBook()
    told = [
        one
        for now, wants in ((10, [wanted(10)]), (12, [wanted(10)]), (15, []), (20, [wanted(20)]), (25, []))
        for _, _, one in book.settle("acme", SUBJECT, wants, paused, Instant(now, now, steps=True))
    ]
    assert told == [
        transition(1, Transition.FIRED, 10, Reason.STEP_REACHED, since=10),
        transition(1, Transition.RESOLVED, 15, Reason.PAUSED, since=10),
        transition(2, Transition.FIRED, 20, Reason.STEP_REACHED, since=20),
        transition(2, Transition.RESOLVED, 25, Reason.PAUSED, since=20),
    ]


def test_what_is_remembered_of_an_alert_is_its_scope_its_episode_and_what_fires() -> None:
    book = AlertBook()
    ((id_, memory, fired),) = book.settle("acme", SUBJECT, [wanted(10)], paused, Instant(10, 10, steps=True))
    assert (id_, memory) == (ID, AlertMemory(SUBJECT, "resolution/1", 1, fired))
    assert list(book.firing()) == [fired]
    ((id_, memory, _),) = book.settle("acme", SUBJECT, [], paused, Instant(15, 15, steps=True))
    assert (id_, memory) == (ID, AlertMemory(SUBJECT, "resolution/1", 1, None))
    assert list(book.firing()) == []


def test_what_is_known_too_late_is_late_and_was_detected_now() -> None:
    (_, _, fired), *_ = AlertBook().settle("acme", SUBJECT, [wanted(10)], paused, Instant(30, 20, steps=True))
    assert (fired.at, fired.detected_at, fired.late) == (10, 30, True)
    (_, _, on_time), *_ = AlertBook().settle(
        "acme", SUBJECT, [wanted(20)], paused, Instant(30, 20, steps=True)
    )
    assert (on_time.at, on_time.detected_at, on_time.late) == (20, 20, False)
    (_, _, leapt), *_ = AlertBook().settle(
        "acme", SUBJECT, [wanted(20)], paused, Instant(30, 20, steps=False)
    )
    assert (leapt.at, leapt.detected_at, leapt.late) == (20, 30, False)
