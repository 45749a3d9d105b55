"""OpenSLO v1 documents as values, every fault with file, line and path.

Read as the specification says (github.com/OpenSLO/OpenSLO, README.md at v1), and as files in use have it: documents after
one another or in one list, lists left empty, alert policies by bare name. Of where metrics come from only type and query
are read: the rest may be anything, secrets included.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

from slamon.agreement_files.calendar_document import zone
from slamon.agreement_files.findings import Place, Report, quoted
from slamon.agreement_files.notations import one_of, word
from slamon.agreement_files.sections import RefusedError, Section
from slamon.agreement_files.yaml_source import Listing, Mapping, Node, Scalar, documents

T = TypeVar("T")

_API_VERSION = "openslo/v1"
_KINDS = ("SLO", "SLI", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource")
_METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
_OPERATORS = ("lte", "gte", "lt", "gt")
_NULLS = ("", "~", "null")
_SOURCE = "{metricSource: {type: Prometheus, spec: {query: …}}}"
_INDICATOR = "{metadata: {name: …}, spec: {ratioMetric: {…}}}"
_CONDITION = "{kind: burnrate, threshold: 2, lookbackWindow: 1h, alertAfter: 5m}"


class Length(NamedTuple):
    """The specification's duration-shorthand: m, h, d, w, M(onths), Q(uarters), Y(ears)."""

    text: str
    number: int
    unit: str


class Window(NamedTuple):
    """Rolling, or from `start` on in `zone`, length after length."""

    at: Place
    length: Length
    start: datetime | None  # without zone; None: rolling
    zone: str | None


class Source(NamedTuple):
    """One metric of an indicator. `role`: good, bad, total, raw or threshold; `text`: type and query, as far as told."""

    role: str
    text: str


class Indicator(NamedTuple):
    at: Place
    name: str | None
    sources: tuple[Source, ...]

    def has(self, role: str) -> bool:
        return any(source.role == role for source in self.sources)


class Reference(NamedTuple):
    """To a document of its own, which may be in another file or nowhere."""

    at: Place
    name: str


class Condition(NamedTuple):
    at: Place
    name: str | None
    threshold: Decimal
    lookback: Length
    after: Length | None


class Policy(NamedTuple):
    at: Place
    name: str | None
    conditions: tuple[Condition | Reference, ...]


class Target(NamedTuple):
    """One entry of an SLO's objectives. `share`: of what must be good, 0 to 1."""

    at: Place
    display_name: str
    share: Decimal
    comparison: str | None  # `lt 500`: what a value of a threshold metric must be to be good
    slice_share: Decimal | None
    slice_length: Length | None
    indicator: Indicator | Reference | None  # of its own
    weight: Decimal | None


class Slo(NamedTuple):
    at: Place
    name: str
    display_name: str
    description: str
    service: str
    method: str
    indicator: Indicator | Reference | None
    window: Window | None
    targets: tuple[Target, ...]
    policies: tuple[Policy | Reference, ...]
    labelled: tuple[str, ...]  # which of labels and annotations it has


class Service(NamedTuple):
    name: str
    description: str


class Other(NamedTuple):
    """A document of which nothing but its name is of use here."""

    at: Place
    kind: str
    name: str


@dataclass(slots=True)
class Documents:
    """All of a run, each kind in the order in which it was read."""

    slos: dict[str, Slo] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    indicators: dict[str, Indicator] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    others: list[Other] = field(default_factory=list)


def read_files(paths: Sequence[Path], report: Report) -> Documents:
    """What the files hold; with faults in the report it is incomplete. Raises OSError for what cannot be opened."""
    found = Documents()
    seen: dict[tuple[str, str], Place] = {}
    for path in paths:
        faults = len(report.faults)
        nodes = documents(str(path), path.read_bytes(), report)
        # A file may be one list of documents.
        flat = [item for node in nodes for item in (node.items if isinstance(node, Listing) else (node,))]
        for node in flat:
            _document(node, found, seen, report)
        if not flat and len(report.faults) == faults:
            report.fault(
                Place(str(path)), "this file holds no document", f"begin with `apiVersion: {_API_VERSION}`"
            )
    return found


def _document(node: Node, found: Documents, seen: dict[tuple[str, str], Place], report: Report) -> None:
    if not isinstance(node, Mapping):
        report.fault(node.at, "a document is a mapping", f"begin with `apiVersion: {_API_VERSION}`")
        return
    at = node.entries["kind"].key_at if "kind" in node.entries else node.at
    root = Section(node, node.at._replace(path=""), report)
    faults = len(report.faults)
    root.required("apiVersion", _api_version, _API_VERSION)
    if len(report.faults) > faults:  # somebody else's document
        return
    kind = root.required("kind", _word_of(_KINDS, "kind of document"), "SLO")
    if kind is None:
        return
    metadata = root.child("metadata", "{name: web-availability}", required=True)
    name = metadata.required("name", word, "web-availability")
    display_name = _texts(metadata)
    labelled = tuple(key for key in ("labels", "annotations") if metadata.has(key))
    read = _READERS.get(kind)
    if read is None:
        root.skip("spec")
        if name is not None:
            found.others.append(Other(at, kind, name))
    else:
        spec = root.child("spec", "{…}", required=True)
        read(spec, _Head(at, name or "?", display_name, labelled), found, report)
    root.close()
    if name is not None and (kind, name) in seen:
        report.fault(
            metadata.written("name")[0].at,
            f"the {kind} {quoted(name)} is already defined at {seen[kind, name]}",
            "remove one of the two, or give it another name",
        )
    elif name is not None:
        seen[kind, name] = at


class _Head(NamedTuple):
    at: Place
    name: str
    display_name: str
    labelled: tuple[str, ...]


# Each kind -----------------------------------------------------------------------------------------------------------


def _slo(spec: Section, head: _Head, found: Documents, report: Report) -> None:
    faults = len(report.faults)
    description = _text(spec, "description")
    service = spec.required("service", word, "web")
    method = spec.required("budgetingMethod", _word_of(_METHODS, "budgeting method"), "Occurrences")
    indicator = _indicator_or_reference(spec, report)
    windows = _list(spec, "timeWindow", "{duration: 28d, isRolling: true}")
    window = _window(windows[0], report) if windows else None
    for extra in windows[1:]:
        report.fault(extra.at, "an SLO has one time window", "make an SLO of its own for each")
        extra.skip("duration", "isRolling", "calendar")
    entries = spec.children("objectives", "{target: 0.99}", required=True)
    targets = [target for entry in entries if (target := _target(entry, method, report)) is not None]
    policies = _named(spec, "alertPolicies", "alertPolicyRef", _policy, report)
    if len(report.faults) > faults or service is None or method is None:
        return
    if indicator is None and any(target.indicator is None for target in targets):
        report.fault(spec.at, "what is measured?", f"add `indicatorRef: …` or `indicator: {_INDICATOR}`")
    found.slos[head.name] = Slo(
        at=head.at,
        name=head.name,
        display_name=head.display_name,
        description=description,
        service=service,
        method=method,
        indicator=indicator,
        window=window,
        targets=tuple(targets),
        policies=policies,
        labelled=head.labelled,
    )


def _sli(spec: Section, head: _Head, found: Documents, report: Report) -> None:
    indicator = _indicator(spec, head.at, head.name, report)
    if indicator is not None:
        found.indicators[head.name] = indicator


def _service(spec: Section, head: _Head, found: Documents, report: Report) -> None:
    del report
    described = [head.display_name, _text(spec, "description")]
    found.services[head.name] = Service(head.name, ": ".join(filter(None, described)))


def _alert_policy(spec: Section, head: _Head, found: Documents, report: Report) -> None:
    found.policies[head.name] = _policy(spec, head.at, head.name, report)


def _alert_condition(spec: Section, head: _Head, found: Documents, report: Report) -> None:
    condition = _condition(spec, head.at, head.name, report)
    if condition is not None:
        found.conditions[head.name] = condition


_READERS: dict[str, Callable[[Section, _Head, Documents, Report], None]] = {
    "SLO": _slo,
    "SLI": _sli,
    "Service": _service,
    "AlertPolicy": _alert_policy,
    "AlertCondition": _alert_condition,
}


# Their parts ---------------------------------------------------------------------------------------------------------


def _target(entry: Section, method: str | None, report: Report) -> Target | None:
    display_name = _text(entry, "displayName")
    share = entry.optional("target", _share, None, "0.99")
    percent = entry.optional("targetPercent", _percent, None, "99")
    op = entry.optional("op", _word_of(_OPERATORS, "operator"), None, "lt")
    value = entry.optional("value", _number, None, "500")
    slice_share = entry.optional("timeSliceTarget", _share, None, "0.95")
    slice_length = entry.optional("timeSliceWindow", _slice, None, "5m")
    indicator = _indicator_or_reference(entry, report)
    weight = entry.optional("compositeWeight", _number, None, "1")
    if entry.has("target") and entry.has("targetPercent"):
        report.fault(
            entry.key_place("targetPercent"),
            "`target` and `targetPercent` say the same",
            "keep one of the two",
        )
    elif entry.present and entry.nothing_like("target", "targetPercent"):
        report.fault(entry.at, "an objective without target", "add `target: 0.99` or `targetPercent: 99`")
    if method == "Timeslices" and entry.present:
        if entry.nothing_like("timeSliceWindow"):
            report.fault(entry.at, "how long is a time slice?", "add `timeSliceWindow: 1m`")
        if entry.nothing_like("timeSliceTarget", "value"):
            report.fault(entry.at, "when is a time slice good?", "add `timeSliceTarget: 0.95`")
    reached = share if share is not None else percent
    if reached is None:
        return None
    comparison = None if op is None or value is None else f"{op} {value:f}"
    return Target(entry.at, display_name, reached, comparison, slice_share, slice_length, indicator, weight)


def _window(section: Section, report: Report) -> Window | None:
    length = section.required("duration", _length, "28d")
    rolling = section.optional("isRolling", _yes_or_no, None, "true")
    aligned = section.child("calendar", "{startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}")
    start = aligned.required("startTime", _start_time, "2026-01-01 00:00:00")
    time_zone = aligned.required("timeZone", zone, "Europe/Berlin")
    if rolling is True and aligned.present:
        report.fault(
            section.key_place("isRolling"),
            "a window is either rolling or aligned with a calendar",
            "remove `isRolling` or `calendar`",
        )
    elif rolling is False and not aligned.present:
        report.fault(
            section.at, "aligned with which calendar?", "add `calendar: {startTime: …, timeZone: …}`"
        )
    return None if length is None else Window(section.at, length, start, time_zone)


def _indicator_or_reference(section: Section, report: Report) -> Indicator | Reference | None:
    inline = section.child("indicator", _INDICATOR)
    metadata = inline.child("metadata", "{name: …}")
    name = metadata.optional("name", word, None)
    _texts(metadata)
    spec = inline.child("spec", "{ratioMetric: {…}}", required=True)
    reference = section.optional("indicatorRef", word, None)
    if inline.present and reference is not None:
        report.fault(
            section.key_place("indicatorRef"),
            "`indicator` is here, and `indicatorRef` names another",
            "keep one of the two",
        )
    if reference is not None:
        return Reference(section.key_place("indicatorRef"), reference)
    return _indicator(spec, inline.at, name, report) if inline.present else None


_ROLES = ("good", "bad", "total", "raw")


def _indicator(spec: Section, at: Place, name: str | None, report: Report) -> Indicator | None:
    _text(spec, "description")
    threshold = spec.child("thresholdMetric", _SOURCE)
    ratio = spec.child("ratioMetric", f"{{good: {_SOURCE}, total: {_SOURCE}}}")
    ratio.optional("counter", _yes_or_no, None)
    ratio.optional("rawType", _word_of(("success", "failure"), "type of ratio"), None, "success")
    metrics = {"threshold": threshold} | {role: ratio.child(role, _SOURCE) for role in _ROLES}
    sources = tuple(_source(role, metric) for role, metric in metrics.items() if metric.present)
    if spec.present and spec.has("thresholdMetric") == spec.has("ratioMetric"):
        report.fault(
            spec.at,
            "an indicator has either a ratio metric or a threshold metric",
            f"add `ratioMetric: {{good: …, total: …}}` or `thresholdMetric: {_SOURCE}`, and not both",
        )
        return None
    roles = {role for role in _ROLES if ratio.has(role)}
    if ratio.present and roles not in ({"good", "total"}, {"bad", "total"}, {"raw"}):
        report.fault(
            ratio.at,
            "a ratio is of `good` and `total`, of `bad` and `total`, or `raw`",
            "write one of the three pairs",
        )
        return None
    return Indicator(at, name, sources)


def _source(role: str, metric: Section) -> Source:
    source = metric.child("metricSource", "{type: Prometheus, spec: {query: …}}", required=True)
    said = {pair.key: pair.node for pair in source.pairs()}
    spec = said.get("spec")
    query = spec.entries["query"].value if isinstance(spec, Mapping) and "query" in spec.entries else None
    words = [
        node.text
        for node in (said.get("type", said.get("metricSourceRef")), query)
        if isinstance(node, Scalar)
    ]
    return Source(role, ": ".join(filter(None, words)))


def _policy(spec: Section, at: Place, name: str | None, report: Report) -> Policy:
    _text(spec, "description")
    for key in ("alertWhenNoData", "alertWhenResolved", "alertWhenBreaching"):
        spec.optional(key, _yes_or_no, None)
    spec.skip("notificationTargets")  # where alerts go is for the settings
    return Policy(at, name, _named(spec, "conditions", "conditionRef", _condition, report))


def _condition(spec: Section, at: Place, name: str | None, report: Report) -> Condition | None:
    del report
    _text(spec, "description")
    spec.optional("severity", str, "")
    said = spec.child("condition", _CONDITION, required=True)
    said.optional("kind", _word_of(("burnrate",), "kind of condition"), "burnrate")
    said.optional("op", _word_of(_OPERATORS, "operator"), None)
    threshold = said.required("threshold", _number, "2")
    lookback = said.required("lookbackWindow", _length, "1h")
    after = said.optional("alertAfter", _length, None, "5m")
    return None if threshold is None or lookback is None else Condition(at, name, threshold, lookback, after)


def _named(
    section: Section,
    key: str,
    reference: str,
    read: Callable[[Section, Place, str | None, Report], T | None],
    report: Report,
) -> tuple[T | Reference, ...]:
    """Entries of a list, each written out or named by `reference`; bare names are taken for such."""
    bare = section.written(key)
    if bare and all(node.text not in _NULLS for node in bare):
        section.skip(key)
        return tuple(Reference(node.at, node.text) for node in bare)
    found: list[T | Reference] = []
    for entry in _list(section, key, f"{{{reference}: …}}"):
        if entry.has(reference):
            name = entry.required(reference, word, "…")
            if name is not None:
                found.append(Reference(entry.key_place(reference), name))
            continue
        entry.skip("apiVersion", "kind")
        metadata = entry.child("metadata", "{name: …}")
        name = metadata.optional("name", word, None)
        _texts(metadata)
        value = read(entry.child("spec", "{…}", required=True), entry.at, name, report)
        if value is not None:
            found.append(value)
    return tuple(found)


def _list(section: Section, key: str, example: str) -> list[Section]:
    """The entries of a list that may be left empty."""
    if [node.text in _NULLS for node in section.written(key)] == [True]:
        section.skip(key)
        return []
    return section.children(key, example)


def _texts(metadata: Section) -> str:
    """The display name; what else metadata may hold has no fixed shape."""
    metadata.skip("labels", "annotations")
    return _text(metadata, "displayName")


def _text(section: Section, key: str) -> str:
    """Free text on one line, which may be left empty."""
    if [node.text for node in section.written(key)] == [""]:
        section.skip(key)
        return ""
    printable = (char if char.isprintable() else " " for char in section.optional(key, str, ""))
    return " ".join("".join(printable).split())


# Their values --------------------------------------------------------------------------------------------------------


def _api_version(text: str) -> str:
    if text == _API_VERSION:
        return text
    if text.startswith(("openslo/", "openslo.com/")):
        raise RefusedError(
            f"{quoted(text)} is not read", "only `openslo/v1` is: bring the document to it first"
        )
    raise RefusedError(f"{quoted(text)} is not OpenSLO", f"write `apiVersion: {_API_VERSION}`")


def _word_of(words: Sequence[str], what: str) -> Callable[[str], str]:
    return one_of({one: one for one in words}, what)


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text):
        raise RefusedError(f"{quoted(text)} is no number", "write it like `0.5`")
    return Decimal(text)


def _share(text: str) -> Decimal:
    share = _number(text)
    if 1 < share <= 100:
        raise RefusedError(
            f"{quoted(text)} is more than everything",
            f"write `{(share / 100).normalize():f}`, or use `targetPercent`",
        )
    if not 0 <= share <= 1:
        raise RefusedError(f"{quoted(text)} is no share", "write a number from 0 to 1")
    return share


def _percent(text: str) -> Decimal:
    percent = _number(text)
    if not 0 <= percent <= 100:
        raise RefusedError(f"{quoted(text)} is no percentage", "write a number from 0 to 100")
    return percent / 100


def _length(text: str) -> Length:
    found = re.fullmatch("([1-9][0-9]{0,5})([mhdwMQY])", text)
    if found is None:
        raise RefusedError(
            f"{quoted(text)} is no duration of OpenSLO",
            "one number and one of `m`, `h`, `d`, `w`, `M` (month), `Q` (quarter), `Y` (year): `28d`",
        )
    return Length(text, int(found[1]), found[2])


def _slice(text: str) -> Length:
    """A bare number is minutes."""
    length = _length(f"{text}m" if text.isdecimal() else text)
    if length.unit not in "mhdw":
        raise RefusedError(
            f"{quoted(text)} has no length of its own", "write minutes, hours, days or weeks: `5m`"
        )
    return length


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise RefusedError(f"{quoted(text)} is neither `true` nor `false`", "write `true` or `false`")
    return text.lower() == "true"


def _start_time(text: str) -> datetime:
    written = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}", text)
    try:
        return datetime.fromisoformat(text if written else "")
    except ValueError:
        raise RefusedError(
            f"{quoted(text)} is no start of a window", "write it like `2026-01-01 00:00:00`"
        ) from None
