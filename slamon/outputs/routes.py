"""Which alerts reach a receiver: those of every route that names it, and those that its agreement escalates to it.

The receivers of an alert's end are those of its beginning, because both bear the same labels and annotations.
"""

from collections.abc import Iterator

from slamon.domain.decisions import AlertTransition
from slamon.settings import NotifierSettings, RouteSettings

ESCALATED_TO = "escalate_to"  # the annotation in which an alert names them, with commas between


class Routes:
    """To one receiver."""

    def __init__(self, settings: NotifierSettings, receiver: str) -> None:
        self._receiver = receiver
        self._routes = [
            (f"routes[{position}]", route)
            for position, route in enumerate(settings.routes)
            if receiver in route.receivers
        ]

    def reach(self, alert: AlertTransition) -> bool:
        escalated = alert.annotations.get(ESCALATED_TO, "").split(", ")
        return self._receiver in escalated or next(self.by_route(alert), None) is not None

    def by_route(self, alert: AlertTransition) -> Iterator[str]:
        """The routes that match, in words."""
        return (words for words, route in self._routes if _matches(route, alert))


def _matches(route: RouteSettings, alert: AlertTransition) -> bool:
    asked: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("customer", route.customers),
        ("severity", route.severities),
        ("alertname", route.alertnames),
    )
    return all(not wanted or alert.labels.get(label) in wanted for label, wanted in asked)
