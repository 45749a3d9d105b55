"""How a difference between two states of an agreement is told to whoever merges it."""

from rich.text import Text

from slamon.agreement_files.comparison import Anew, Change, Difference, Kind
from slamon.agreement_files.findings import wrapped
from slamon.agreement_files.wording import counted, effective, joined

# Title, colour, and what it means; the first line of what is told.
_HEADLINES = {
    Kind.ADDED: ("added", "bold green", "begins with its first day"),
    Kind.ADDED_IN_EFFECT: (
        "added",
        "bold yellow",
        "its first day has been: what lies between is judged at once",
    ),
    Kind.ENDED: ("ended", "bold green", "ends on another day, which is yet to come"),
    Kind.FUTURE: ("future", "bold green", "its first day is yet to come: only the future changes"),
    Kind.CORRECTION: ("correction", "bold yellow", "its first day has been: all it covers is judged anew"),
    Kind.WITHOUT_EFFECT: ("no effect", "bold green", "nothing that judges has changed"),
    Kind.REMOVED: ("removed", "bold cyan", "is no longer there; it is not in effect"),
    Kind.REMOVED_IN_EFFECT: ("removed", "bold yellow", "is no longer there, though it is in effect"),
}
_CORRECTED = (
    "statements that come out otherwise get a revision with the reason `agreement_corrected`; "
    "alerts that were untrue are resolved as `amended`"
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
    for lead, text in _notes(difference):
        parts += [("\n  = ", "blue"), (f"{lead}: ", "blue"), (wrapped(text, width, len(lead) + 6), "")]
    return Text.assemble(*parts)


def _notes(difference: Difference) -> list[tuple[str, str]]:
    notes = [(change.path, _said(change)) for change in difference.changes]
    if difference.anew:
        notes += [("judged anew", text) for text in _periods(difference.anew)]
    if difference.kind is Kind.CORRECTION:
        notes += [("then", _CORRECTED), ("help", _INSTEAD)]
    return notes


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
