"""From files and directories to agreements, with every fault of the run."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from slamon.agreement_files.agreement_document import read_agreement
from slamon.agreement_files.calendar_document import calendar_name, read_calendar
from slamon.agreement_files.findings import Advice, Fault, Place, Report, closest, quoted
from slamon.agreement_files.hints import Document, Hint
from slamon.agreement_files.lint import lint, lint_together
from slamon.agreement_files.notations import free_text, name, one_of
from slamon.agreement_files.sections import RefusedError, Section
from slamon.agreement_files.silence import Silence, hushed, read_silences
from slamon.agreement_files.wording import effective
from slamon.agreement_files.yaml_source import Listing, Mapping, Node, documents
from slamon.domain.agreement import Agreement
from slamon.domain.calendars import Calendar

_API_VERSION = "slamon/v1"
_SUFFIXES = (".yaml", ".yml")
_HEADER = ("apiVersion", "kind", "metadata", "spec")
_KINDS = {"Agreement": "Agreement", "Calendar": "Calendar"}
_LATER_KINDS = dict.fromkeys(("Customer", "Comparison"), "remove the document until then")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files say. With a fault there are no agreements: some of them would be worse than the old ones."""

    agreements: tuple[Agreement, ...]  # in the order in which they were read
    faults: tuple[Fault, ...]  # in the order of the files, from top to bottom
    advice: tuple[Advice, ...]  # likewise
    silenced: tuple[Advice, ...]  # likewise: advice that the documents do not want to hear
    documents: tuple[Document, ...]  # the agreements and where they are written, in the order of `agreements`
    files: tuple[str, ...]  # all that were read
    left_out: tuple[str, ...]  # found in a directory, but of another kind, as settings are
    calendars: int  # how many were defined


class _Found(NamedTuple):
    path: Path
    named: bool  # by the user, not found in a directory


class _Header(NamedTuple):
    root: Section
    metadata: Section
    spec: Section
    kind: str


class _Version(NamedTuple):
    document: Document
    silences: list[Silence]
    advice: list[Advice]  # that reading it gave

    @property
    def agreement(self) -> Agreement:
        return self.document.agreement

    @property
    def at(self) -> Place:
        return self.document.spec.key_place("effective")


def load(paths: Sequence[Path]) -> Loaded:
    """Reads files, and directories with all that is below them, each file once. FileNotFoundError for a missing path."""
    for path in paths:
        path.stat()
    report = Report()
    found = list(_files(paths, report))
    headers, left_out = _headers(found, report)
    complete = not report.faults  # else the calendars of a file may be among what could not be read
    calendars, names = _calendars(headers, report)
    versions = _versions(
        [one for one in headers if one.kind == "Agreement"], calendars, report, complete=complete
    )
    _refuse_overlaps(versions, report)
    silenced = _advise(versions, report)
    if not headers and not report.faults:
        for path in paths:
            report.fault(
                Place(str(path)),
                "no agreements and no calendars here",
                "documents begin with `apiVersion: slamon/v1`",
            )
    order = {str(one.path): index for index, one in enumerate(found)}

    def position(finding: Fault | Advice) -> tuple[int, int, int]:
        return order.get(finding.file, -1), finding.line, finding.column

    return Loaded(
        agreements=() if report.faults else tuple(version.agreement for version in versions),
        faults=tuple(sorted(report.faults, key=position)),
        advice=tuple(sorted(report.advice, key=position)),
        silenced=tuple(sorted(silenced, key=position)),
        documents=() if report.faults else tuple(version.document for version in versions),
        files=tuple(str(one.path) for one in found),
        left_out=tuple(left_out),
        calendars=names,
    )


def fingerprint(paths: Sequence[Path]) -> bytes:
    """Of what `load` would read, by content alone: how files come to be where they are, and when, makes no difference."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            for found in _files([path], Report()):
                digest.update(f"{found.path}\0".encode(errors="surrogateescape"))
                digest.update(hashlib.sha256(found.path.read_bytes()).digest())
        except OSError as error:
            digest.update(f"{path}\0{error.strerror}\0".encode(errors="surrogateescape"))
    return digest.digest()


def _files(paths: Sequence[Path], report: Report) -> Iterator[_Found]:
    seen: set[str] = set()
    for path in paths:
        if not path.is_dir():
            candidates = [_Found(path, named=True)]
        else:
            candidates = [_Found(one, named=False) for one in _below(path, set())]
            if not candidates:
                report.fault(
                    Place(str(path)), "no *.yaml or *.yml file in this directory", "is it the right one?"
                )
        for candidate in candidates:
            real = os.path.realpath(candidate.path)
            if real not in seen:
                seen.add(real)
                yield candidate


def _below(directory: Path, above: set[str]) -> Iterator[Path]:
    """Hidden names are left out: `..data` and what it points to are how Kubernetes swaps a mounted ConfigMap."""
    real = os.path.realpath(directory)
    if real in above:  # a link back to where we come from
        return
    for path in sorted(directory.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _below(path, above | {real})
        elif path.suffix.lower() in _SUFFIXES:
            yield path


def _headers(found: Sequence[_Found], report: Report) -> tuple[list[_Header], list[str]]:
    headers: list[_Header] = []
    left_out: list[str] = []
    for path, named in found:
        file = str(path)
        faults = len(report.faults)
        try:
            nodes = documents(file, path.read_bytes(), report)
        except OSError as error:
            report.fault(Place(file), f"this file cannot be read: {error.strerror}")
            continue
        if len(report.faults) == faults and not nodes:
            report.advise(Place(file), "empty-file", "this file holds no document", "remove it, or fill it")
        if nodes and not named and len(report.faults) == faults and not any(map(_is_meant, nodes)):
            left_out.append(file)
            continue
        headers += [header for node in nodes if (header := _header(node, report)) is not None]
    return headers, left_out


def _is_meant(node: Node) -> bool:
    """Whether this looks at all like one of our documents, spelt rightly or not."""
    return isinstance(node, Mapping) and any(closest(key, _HEADER) for key in node.entries)


def _header(node: Node, report: Report) -> _Header | None:
    if not isinstance(node, Mapping):
        found = "a list" if isinstance(node, Listing) else "one value"
        report.fault(
            node.at, f"a document is a mapping, not {found}", f"begin with `apiVersion: {_API_VERSION}`"
        )
        return None
    root = Section(node, Place(node.at.file, node.at.line, node.at.column, source=node.at.source), report)
    faults = len(report.faults)
    root.required("apiVersion", _api_version, _API_VERSION)
    if len(report.faults) > faults:  # somebody else's document: its contents are none of our business
        return None
    kind = root.required("kind", one_of(_KINDS, "kind of document", _LATER_KINDS), "Agreement")
    if kind is None:
        root.skip("metadata", "spec")
        if len(report.faults) == faults:
            root.close()
        return None
    metadata = root.child("metadata", "{name: acme-2026}", required=True)
    example = (
        "{timeZone: …, hours: {…}}"
        if kind == "Calendar"
        else "{customer: …, effective: {…}, objectives: […]}"
    )
    return _Header(root, metadata, root.child("spec", example, required=True), kind)


def _api_version(text: str) -> str:
    if text != _API_VERSION:
        raise RefusedError(
            f"{quoted(text)} is no version that is read here", f"write `apiVersion: {_API_VERSION}`"
        )
    return text


def _calendars(headers: Sequence[_Header], report: Report) -> tuple[dict[str, Calendar | None], int]:
    calendars: dict[str, Calendar | None] = {}
    places: dict[str, Place] = {}
    count = 0
    for root, metadata, spec, kind in headers:
        if kind != "Calendar":
            continue
        count += 1
        called = metadata.required("name", calendar_name, "office-de")
        metadata.optional("displayName", free_text, "")
        calendar = read_calendar(called or "unnamed", spec, report)
        root.close()
        if called is None:
            continue
        at = metadata.written("name")[0].at
        if called in places:
            report.fault(
                at,
                f"the calendar {quoted(called)} is already defined at {places[called]}",
                "remove one of the two, or give it another name",
            )
            continue
        places[called] = at
        calendars[called] = calendar
    return calendars, count


def _versions(
    headers: Sequence[_Header], calendars: dict[str, Calendar | None], report: Report, *, complete: bool
) -> list[_Version]:
    versions = []
    for root, metadata, spec, _ in headers:
        faults = len(report.faults)
        before = len(report.advice)
        called = metadata.required("name", name, "acme-2026")
        display_name = metadata.optional("displayName", free_text, "")
        agreement = read_agreement(called, display_name, spec, calendars, report, calendars_complete=complete)
        silences = read_silences(spec)
        root.close()
        advice = report.advice[before:]
        del report.advice[before:]
        if agreement is not None and len(report.faults) == faults:
            versions.append(_Version(Document(agreement, spec), silences, advice))
        else:  # what it forgets to say can be told when it can be read
            report.advice += hushed(advice, silences).said
    return versions


def _advise(versions: Sequence[_Version], report: Report) -> list[Advice]:
    """Reports the advice that is wanted, gives that which is silenced.

    What an agreement should also say is told when there are no faults: it is for somebody who can mend it now.
    """
    silenced: list[Advice] = []
    hints = _hints([version.document for version in versions]) if not report.faults else None
    for document, silences, advice in versions:
        found = Report()
        found.advice += advice
        for hint in hints[id(document.spec)] if hints else ():
            found.advise(document.spec.place(*hint.path), hint.rule, hint.message, hint.help)
        sorted_out = hushed(found.advice, silences)
        report.advice += sorted_out.said
        silenced += sorted_out.silenced
        for idle in sorted_out.idle if hints else ():
            report.advise(
                idle.place,
                "silences-nothing",
                f"the rule {quoted(idle.rule)} has nothing to say here",
                "remove the entry",
            )
    return silenced


def _hints(documents: Sequence[Document]) -> dict[int, list[Hint]]:
    """By the identity of the document."""
    hints = {id(document.spec): list(lint(document)) for document in documents}
    for document, hint in lint_together(documents):
        hints[id(document.spec)].append(hint)
    return hints


def _refuse_overlaps(versions: Sequence[_Version], report: Report) -> None:
    """Documents of one customer and name are versions of one agreement: at each instant at most one is in force."""
    by_name: dict[tuple[str, str], list[_Version]] = {}
    for version in versions:
        earlier = by_name.setdefault((version.agreement.customer, version.agreement.name), [])
        for other in earlier:
            if (
                other.agreement.start < version.agreement.end
                and version.agreement.start < other.agreement.end
            ):
                _refuse_overlap(version, other, report)
        earlier.append(version)


def _refuse_overlap(version: _Version, other: _Version, report: Report) -> None:
    mine, its = version.agreement, other.agreement
    if its.start < mine.start:
        day_before = mine.first_day - timedelta(days=1)
        advice = f"end the earlier one with `to: {day_before}`, or give this one another `metadata.name`"
    elif its.start > mine.start:
        day_before = its.first_day - timedelta(days=1)
        advice = f"end this one with `to: {day_before}`, or give it another `metadata.name`"
    else:
        advice = "is one a copy of the other? Remove it, or give it another `metadata.name`"
    report.fault(
        version.at,
        f"these dates overlap with those at {other.at} ({effective(its)}): "
        f"both are terms of {quoted(mine.name)} for the customer {quoted(mine.customer)}",
        advice,
    )
