"""How a difference between two states of an agreement is told to whoever merges it, and to programs."""

from typing import Any

from rich.text import Text

from slamon.agreement_files.comparison import Anew, Change, Difference, Kind
from slamon.agreement_files.findings import wrapped
from slamon.agreement_files.wording import counted, effective, joined, last_day

# Title, colour, and what it means; the first line of what is told.
_HEADLINES = {
    Kind.ADDED: ("added", "bold green", "a new document, whose dates have not begun"),
    Kind.ADDED_IN_EFFECT: (
        "added",
        "bold yellow",
        "a new document, whose dates have begun: what it covers is judged at once",
    ),
    Kind.ENDED: ("ended", "bold green", "another last day, which is yet to come: the past stays as it is"),
    Kind.FUTURE: ("future", "bold green", "its dates have not begun: only the future changes"),
    Kind.CORRECTION: (
        "correction",
        "bold yellow",
        "its dates have begun, so the past is corrected: what it covers is judged anew",
    ),
    Kind.WITHOUT_EFFECT: ("no effect", "bold green", "what changed judges nothing"),
    Kind.REMOVED: ("removed", "bold cyan", "removed, and not in effect"),
    Kind.REMOVED_IN_EFFECT: ("removed", "bold yellow", "removed, although it is in effect"),
}
_CORRECTED = (
    "every settled statement of this document gets a revision with the reason `agreement_corrected`, for it names the "
    "terms it was judged by; alerts that were untrue are resolved as `amended`"
)
_INSTEAD = "to change the future only, end this document with `effective.to` and add one with the new terms"


def headline(difference: Difference) -> str:
    agreement = difference.agreement
    meaning = _HEADLINES[difference.kind][2]
    return f"`{agreement.name}` of `{agreement.customer}`, {effective(agreement)}: {meaning}"


def told(difference: Difference, width: int | None) -> Text:
    """Some lines, of no more than `width` characters where words allow."""
    title, colour, _ = _HEADLINES[difference.kind]
    first = wrapped(f"{title}: {headline(difference)}", width, 0)
    parts: list[tuple[str, str]] = [(title, colour), (first.removeprefix(title), "bold")]
    parts += [("\n --> ", "blue"), (str(difference.place), "")]
    for lead, text in notes(difference):
        parts += [("\n  = ", "blue"), (f"{lead}: ", "blue"), (wrapped(text, width, len(lead) + 6), "")]
    return Text.assemble(*parts)


def notes(difference: Difference) -> list[tuple[str, str]]:
    """What is told of it beyond the headline, each with its lead."""
    found = [(change.path, _said(change)) for change in difference.changes]
    if difference.anew:
        found += [("judged anew", text) for text in _periods(difference.anew)]
    if difference.kind is Kind.CORRECTION:
        found += [("note", _CORRECTED), ("help", _INSTEAD)]
    return found


def _said(change: Change) -> str:
    return f"{change.old} -> {change.new}{'' if change.judges else ' (judges nothing)'}"


def _periods(anew: tuple[Anew, ...]) -> list[str]:
    """Objectives with the same periods are told together."""
    alike: dict[tuple[object, ...], list[Anew]] = {}
    for one in anew:
        alike.setdefault(one[1:], []).append(one)
    return [f"{joined([f'`{one.objective}`' for one in ones])}, {_span(ones[0])}" for ones in alike.values()]


def _span(anew: Anew) -> str:
    if anew.last_day is None:
        return f"from {anew.first_day} on; no period is settled yet"
    return f"from {anew.first_day} on: {counted(anew.settled, 'settled period')} to {anew.last_day}, and the running one"


def as_record(one: Difference) -> dict[str, Any]:
    """For programs."""
    agreement = one.agreement
    return {
        "kind": one.kind.value,
        "customer": agreement.customer,
        "agreement": agreement.name,
        "effective": {"from": agreement.first_day, "to": last_day(agreement)},
        "file": one.place.file,
        "line": one.place.line,
        "column": one.place.column,
        "message": headline(one),
        "changes": [
            {"path": change.path, "old": change.old, "new": change.new, "judges": change.judges}
            for change in one.changes
        ],
        "judged_anew": [
            {
                "objective": anew.objective,
                "from": anew.first_day,
                "to": anew.last_day,
                "settled": anew.settled,
            }
            for anew in one.anew
        ],
    }
