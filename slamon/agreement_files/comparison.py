"""What a change of agreement files means before it is merged: which terms differ, and what is judged anew by them.

The two states are compared by what the documents mean, not by how they are written: `60m` and `1h` are the same, and a
calendar that was edited shows at every agreement that uses it. A document whose effective dates have begun cannot change
the future alone: its edit is a correction, and all it covers is judged anew.
"""

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from slamon.agreement_files.findings import Place
from slamon.agreement_files.hints import Document
from slamon.agreement_files.term_texts import NONE, Term, terms_of
from slamon.agreement_files.wording import last_day
from slamon.domain.agreement import Agreement, Objective
from slamon.domain.periods import local_date, local_midnight
from slamon.domain.terms import judged_period


class Kind(enum.Enum):
    """What a difference is, seen from the day asked about."""

    ADDED = "added"
    ADDED_IN_EFFECT = "added_in_effect"  # its dates have begun: what lies between is judged at once
    ENDED = "ended"  # its last day is another one, and yet to come
    FUTURE = "future"  # its dates have not begun
    CORRECTION = "correction"  # its dates have begun
    WITHOUT_EFFECT = "without_effect"  # what changed judges nothing
    REMOVED = "removed"
    REMOVED_IN_EFFECT = "removed_in_effect"


class Change(NamedTuple):
    """One term; what is not there is `none`."""

    path: str
    old: str
    new: str
    judges: bool


class Anew(NamedTuple):
    """The periods of one objective that get another verdict, if their figures differ."""

    objective: str
    first_day: date
    last_day: date | None  # of the last settled period; None: none is settled yet
    settled: int


class Difference(NamedTuple):
    """One version of one agreement, in both states or in one of them."""

    kind: Kind
    agreement: Agreement  # the new state, or the old one if it is removed
    place: Place
    changes: tuple[Change, ...]
    anew: tuple[Anew, ...]


def compare(old: Sequence[Document], new: Sequence[Document], on: Callable[[str], date]) -> list[Difference]:
    """The differences in the order of the new files, what was removed last. `on`: the day asked about in a zone."""
    pairs = _paired(old, new)
    found = []
    for document in new:
        before = pairs.get(id(document.spec))
        if before is None:
            found.append(_added(document, on(document.agreement.zone)))
        elif before.agreement != document.agreement:
            found.append(_changed(before.agreement, document, on(document.agreement.zone)))
    kept = {id(before.spec) for before in pairs.values()}
    found += [_removed(gone, on(gone.agreement.zone)) for gone in old if id(gone.spec) not in kept]
    return found


def _paired(old: Sequence[Document], new: Sequence[Document]) -> dict[int, Document]:
    """The old state of each new document that has one: of the same first day, else of dates that meet."""
    left = {id(document.spec): document for document in old}
    pairs: dict[int, Document] = {}
    for same in (_begin_together, _meet):
        for document in new:
            if id(document.spec) in pairs:
                continue
            found = next((one for one in left.values() if same(one.agreement, document.agreement)), None)
            if found is not None:
                pairs[id(document.spec)] = left.pop(id(found.spec))
    return pairs


def _begin_together(one: Agreement, other: Agreement) -> bool:
    return _names(one) == _names(other) and one.first_day == other.first_day


def _meet(one: Agreement, other: Agreement) -> bool:
    return _names(one) == _names(other) and one.start < other.end and other.start < one.end


def _names(agreement: Agreement) -> tuple[str, str]:
    return agreement.customer, agreement.name


def _added(document: Document, on: date) -> Difference:
    agreement = document.agreement
    begun = agreement.first_day <= on
    return Difference(
        Kind.ADDED_IN_EFFECT if begun else Kind.ADDED,
        agreement,
        document.spec.place("effective"),
        (),
        tuple(_anew(agreement, agreement.objectives, on)) if begun else (),
    )


def _removed(document: Document, on: date) -> Difference:
    agreement = document.agreement
    in_effect = agreement.first_day <= on and not _is_over(agreement, on)
    return Difference(
        Kind.REMOVED_IN_EFFECT if in_effect else Kind.REMOVED,
        agreement,
        document.spec.place("effective"),
        (),
        (),
    )


def _is_over(agreement: Agreement, on: date) -> bool:
    last = last_day(agreement)
    return last is not None and last < on


def _changed(before: Agreement, document: Document, on: date) -> Difference:
    after = document.agreement
    old, new = dict(terms_of(before)), dict(terms_of(after))
    changes = list(_changes(old, new))
    assert changes, "a term of the domain is missing in the tables of term_texts.py"
    judging = [change for change in changes if change.judges]
    last_days_to_come = not _is_over(before, on) and not _is_over(after, on)
    corrects = [one for one in judging if not (one.path == "effective.to" and last_days_to_come)]
    affected: Iterable[Objective] = ()
    if not judging:
        kind = Kind.WITHOUT_EFFECT
    elif min(before.first_day, after.first_day) > on:
        kind = Kind.FUTURE
    elif not corrects:
        kind = Kind.ENDED
    else:
        kind = Kind.CORRECTION
        affected = _affected(after.objectives, [one.path for one in corrects], {**old, **new})
    return Difference(kind, after, document.spec.place(), tuple(changes), tuple(_anew(after, affected, on)))


def _changes(old: dict[str, Term], new: dict[str, Term]) -> Iterator[Change]:
    """Term by term, where the order of the new document comes first; a whole entry that came or went is one change."""
    heads = [{_head(path) for path in terms} for terms in (old, new)]
    seen = set()
    for path in {**new, **old}:
        if _text(old, path) == _text(new, path):
            continue
        head = _head(path)
        if head is None or head == path or (head in heads[0]) == (head in heads[1]):
            judges = any(terms[path].judges for terms in (old, new) if path in terms)
            yield Change(path, _text(old, path), _text(new, path), judges)
        elif head not in seen:
            seen.add(head)
            judges = any(one.judges for terms in (old, new) for at, one in terms.items() if _head(at) == head)
            yield Change(head, *((NONE, "added") if head in heads[1] else ("removed", NONE)), judges)


def _head(path: str) -> str | None:
    """The entry of a list that a path is below."""
    found = re.match(r"[\w.]+\[[^\]]*\]", path)
    return found[0] if found else None


def _text(terms: dict[str, Term], path: str) -> str:
    return terms[path].text if path in terms else NONE


def _affected(
    objectives: Iterable[Objective], paths: Sequence[str], terms: dict[str, Term]
) -> list[Objective]:
    about: set[str] = set()
    for path in paths:
        below = [term for at, term in terms.items() if at == path or _head(at) == path]
        for term in below:
            if term.about is None:
                return list(objectives)
            about |= term.about
    return [one for one in objectives if one.name in about]


def _anew(agreement: Agreement, objectives: Iterable[Objective], on: date) -> Iterator[Anew]:
    """What has been judged by the morning of the day."""
    now = local_midnight(agreement.zone, on)
    for objective in objectives:
        settled = 0
        end = agreement.start
        last = None
        while end < agreement.end:
            end = judged_period(agreement, objective, end)[1]
            if end + agreement.reporting.settle_after > now:
                break
            settled += 1
            last = local_date(agreement.zone, end - 1)
        yield Anew(objective.name, agreement.first_day, last, settled)
