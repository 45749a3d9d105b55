"""What passes between who carries alerts to a receiver, and who knows how to tell it."""

import enum
from typing import Protocol

from slamon.domain.decisions import AlertTransition


class Answer(enum.Enum):
    TAKEN = "taken"
    REFUSED = "refused"  # this alert will never be taken as it is
    FAILED = "failed"  # nothing is known about the alert: it is told again later


class Receiver(Protocol):
    """Whom alerts are told, by the name in the settings. What it says of itself must not raise."""

    name: str
    send_resolved: bool

    def wants(self, alert: AlertTransition) -> bool: ...

    def pause(self) -> float:
        """Seconds for which it is to be left alone."""
        ...

    async def tell(self, alert: AlertTransition, since: int | None) -> Answer:
        """One attempt. `since`: when it fired, in microseconds, as far as that is known."""
        ...

    def waiting(self, alerts: int) -> None:
        """So many stand before it in the topic."""
        ...

    def lost(self, alerts: int) -> None:
        """So many, at most, are gone from the topic and were never told."""
        ...
