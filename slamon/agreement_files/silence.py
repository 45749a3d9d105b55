"""`spec.silence`: advice that the author knows and does not want to hear, with the reason.

    silence:
      - {rule: pause-on-supplier, at: resolution, reason: "§ 4.2: the maker of the tills works in its own time"}

`at` names an objective, an exclusion or a service; without it, the rule is silent in the whole document.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from slamon.agreement_files.findings import Advice, Place, closest, listed, quoted
from slamon.agreement_files.notations import free_text
from slamon.agreement_files.rules import RULES
from slamon.agreement_files.sections import RefusedError, Section
from slamon.agreement_files.yaml_source import Listing, Mapping, Scalar

_EXAMPLE = '{rule: no-exclusions, reason: "ACME wants it so"}'

# What may be named by `at`: lists of the document, and the key under which an entry has the name.
_NAMED = (
    ("objectives", "name"),
    ("exclusions", "name"),
    ("services", "name"),
    ("remedies.credits", "objective"),
)


class Silence(NamedTuple):
    rule: str
    reason: str
    below: tuple[str, ...] | None  # paths of what is meant; None: the whole document
    place: Place

    def covers(self, advice: Advice) -> bool:
        if advice.rule != self.rule:
            return False
        return self.below is None or any(_is_below(advice.path, path) for path in self.below)


def read_silences(spec: Section) -> list[Silence]:
    """Those without a fault."""
    paths: dict[str, list[str]] = {}
    for called, path in _names(spec):
        paths.setdefault(called, []).append(path)

    def known(text: str) -> tuple[str, ...]:
        if text not in paths:
            meant = closest(text, paths)
            raise RefusedError(
                f"no objective, exclusion or service is named {quoted(text)}"
                + (f": did you mean {quoted(meant)}?" if meant else ""),
                f"known are {listed(paths)}",
            )
        return tuple(paths[text])

    silences = []
    for entry in spec.children("silence", _EXAMPLE):
        rule = entry.required("rule", _rule, "no-exclusions")
        reason = entry.required("reason", free_text, '"ACME wants it so, minutes of 2026-01-12"')
        below = entry.optional("at", known, None, "p1-response")
        if rule is not None and reason is not None and (below is not None or not entry.has("at")):
            silences.append(Silence(rule, reason, below, entry.place("rule")))
    return silences


def _rule(text: str) -> str:
    if text not in RULES:
        meant = closest(text, RULES)
        raise RefusedError(
            f"no rule is named {quoted(text)}" + (f": did you mean {quoted(meant)}?" if meant else ""),
            "`slamon check --rules` lists them",
        )
    return text


def _names(spec: Section) -> Iterator[tuple[str, str]]:
    for path, key in _NAMED:
        found = spec.find(*path.split("."))
        for index, item in enumerate(found.items if isinstance(found, Listing) else ()):
            entry = item.entries.get(key) if isinstance(item, Mapping) else None
            if entry is not None and isinstance(entry.value, Scalar):
                yield entry.value.text, f"spec.{path}[{index}]"


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}["))


class Hushed(NamedTuple):
    said: list[Advice]
    silenced: list[Advice]
    idle: list[Silence]  # for which there was nothing to silence


def hushed(advice: Iterable[Advice], silences: Sequence[Silence]) -> Hushed:
    """Advice sorted by whether it is wanted."""
    found = Hushed([], [], list(silences))
    for one in advice:
        by = next((silence for silence in silences if silence.covers(one)), None)
        if by is None:
            found.said.append(one)
        else:
            found.silenced.append(one.silenced_by(by.reason))
            if by in found.idle:
                found.idle.remove(by)
    return found
