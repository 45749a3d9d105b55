"""Which receivers an alert reaches: every route that matches counts, and whom its agreement escalates to needs none.

The receivers of an alert's end are those of its beginning, because both bear the same labels and annotations.
"""

from collections.abc import Iterable, Iterator, Mapping

from slamon.settings import NotifierSettings, RouteSettings

ESCALATED_TO = "escalate_to"  # the annotation in which an alert names them, with commas between


def reached(
    settings: NotifierSettings, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> set[str]:
    """Names of receivers of the settings."""
    escalated = annotations.get(ESCALATED_TO, "").split(", ")
    return {*dict(by_route(settings, labels)), *escalated} & settings.receivers.keys()


def by_route(settings: NotifierSettings, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Receivers, each with the route that names it."""
    for position, route in enumerate(settings.routes):
        if _matches(route, labels):
            for name in route.receivers:
                yield name, f"routes[{position}]"


def _matches(route: RouteSettings, labels: Mapping[str, str]) -> bool:
    asked: Iterable[tuple[str, tuple[str, ...]]] = (
        ("customer", route.customers),
        ("severity", route.severities),
        ("alertname", route.alertnames),
    )
    return all(not wanted or labels.get(label) in wanted for label, wanted in asked)
