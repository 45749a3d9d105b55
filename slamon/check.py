"""`slamon check PATH…`: what is wrong with agreements, what they should also say, and what a change of them means.

The findings are gathered once, and told in one of three formats: text for people, one JSON document for programs, and
workflow commands for GitHub, which shows them beside the lines of a pull request.
"""

import enum
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.text import Text

from slamon.agreement_files import (
    RULES,
    Advice,
    Difference,
    Fault,
    Kind,
    Loaded,
    Severity,
    compare,
    load,
    rendered,
    unknown_receivers,
)
from slamon.agreement_files.comparison_texts import as_record, headline, notes, told
from slamon.agreement_files.findings import COLOURS, Finding, Place, Report, wrapped
from slamon.agreement_files.rules import Rule
from slamon.agreement_files.wording import counted

FINE, FINDINGS = 0, 1


class Format(enum.Enum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run found."""

    loaded: Loaded
    faults: tuple[Fault, ...]
    advice: tuple[Advice, ...]
    differences: tuple[Difference, ...] | None  # None: nothing was compared


def check(
    paths: Sequence[Path],
    out: TextIO,
    *,
    form: Format = Format.TEXT,
    strict: bool = False,
    show_silenced: bool = False,
    against: Sequence[Path] = (),
    on: Callable[[str], date],
    receivers: Collection[str] | None = None,
) -> int:
    """The exit code: 1 for faults, with `strict` for advice too. OSError for a path that does not exist.

    `against`: an earlier state of the files. `on`: the day, in a time zone, on which the change is looked at.
    `receivers`: whom may be escalated to; None: that is not looked at.
    """
    checked = _checked(paths, against, on)
    if receivers is not None:
        unknown = unknown_receivers(checked.loaded.documents, receivers)
        checked = replace(checked, faults=(*checked.faults, *unknown))
    silenced = checked.loaded.silenced if show_silenced else ()
    _TELLERS[form](checked, silenced, out)
    return FINDINGS if checked.faults or (strict and checked.advice) else FINE


def _checked(paths: Sequence[Path], against: Sequence[Path], on: Callable[[str], date]) -> Checked:
    loaded = load(paths)
    if not against:
        return Checked(loaded, loaded.faults, loaded.advice, None)
    old = load(against)
    faults = (*loaded.faults, *old.faults)
    if faults:
        return Checked(loaded, faults, loaded.advice, None)
    differences = tuple(compare(old.documents, loaded.documents, on))
    lost = Report()
    for difference in filter(_is_lost, differences):
        rule = RULES["removed-in-effect"]
        lost.advise(difference.place, rule.name, headline(difference), rule.remedy)
    return Checked(loaded, (), (*loaded.advice, *lost.advice), differences)


def _is_lost(difference: Difference) -> bool:
    return difference.kind is Kind.REMOVED_IN_EFFECT


def rules(out: TextIO, form: Format) -> None:
    """Prints the rules of advice."""
    if form is Format.JSON:
        out.write(
            _json(
                [
                    {
                        "rule": rule.name,
                        "severity": rule.severity.value,
                        "reason": rule.reason,
                        "help": rule.remedy,
                    }
                    for rule in RULES.values()
                ]
            )
        )
        return
    console, width = _console(out)
    for rule in RULES.values():
        console.print(_rule(rule, width))
        console.print()
    console.print(f"{counted(len(RULES), 'rule')}; `silence` in an agreement leaves one out, with a reason")


# Text


def _rule(rule: Rule, width: int | None) -> Text:
    colour = COLOURS[rule.severity]
    parts: list[tuple[str, str]] = [(f"{rule.severity.value}[{rule.name}]", colour)]
    for lead, text in (("why", rule.reason), ("help", rule.remedy)):
        parts += [(f"\n  = {lead}: ", "blue"), (wrapped(text, width, len(lead) + 6), "")]
    return Text.assemble(*parts)


def _console(out: TextIO) -> tuple[Console, int | None]:
    console = Console(file=out, soft_wrap=True, highlight=False, markup=False, emoji=False)
    return console, console.width if console.is_terminal else None


def _tell_text(checked: Checked, silenced: Sequence[Advice], out: TextIO) -> None:
    console, width = _console(out)
    explained: set[str] = set()
    for finding in (*checked.faults, *checked.advice, *silenced):
        rule = finding.rule if isinstance(finding, Advice) else ""
        console.print(rendered(finding, why=rule not in explained, width=width))
        console.print()
        explained.add(rule)
    for difference in checked.differences or ():
        if not _is_lost(difference):
            console.print(told(difference, width))
            console.print()
    console.print(_summary(checked))


def _summary(checked: Checked) -> str:
    loaded = checked.loaded
    advice = len(checked.advice)
    parts = [f"{advice} {'piece' if advice == 1 else 'pieces'} of advice"] if advice else []
    parts += [f"{len(loaded.silenced)} silenced"] if loaded.silenced else []
    if checked.differences is not None:
        parts.append(_changed(checked.differences))
    if checked.faults:
        files = len({fault.file for fault in checked.faults})
        first = f"{counted(len(checked.faults), 'fault')} in {counted(files, 'file')}"
    else:
        first = f"{counted(len(loaded.agreements), 'agreement')}, {counted(loaded.calendars, 'calendar')}: no faults"
    named = ", ".join(loaded.left_out)
    left_out = f" (left out, for it is something else: {named})" if named and not checked.faults else ""
    return ", ".join([first, *parts]) + left_out


def _changed(differences: Sequence[Difference]) -> str:
    if not differences:
        return "nothing changed"
    corrections = sum(difference.kind is Kind.CORRECTION for difference in differences)
    return counted(len(differences), "change") + (
        f", of which {counted(corrections, 'correction')}" if corrections else ""
    )


# JSON


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _tell_json(checked: Checked, silenced: Sequence[Advice], out: TextIO) -> None:
    del silenced  # programs get everything, and can tell
    loaded = checked.loaded
    findings = (*checked.faults, *checked.advice, *loaded.silenced)
    document = {
        "findings": [_finding(finding) for finding in findings],
        "changes": None if checked.differences is None else [as_record(one) for one in checked.differences],
        "summary": {
            "files": len(loaded.files),
            "agreements": len(loaded.agreements),
            "calendars": loaded.calendars,
            "errors": len(checked.faults),
            "advice": len(checked.advice),
            "silenced": len(loaded.silenced),
            "left_out": loaded.left_out,
        },
    }
    out.write(_json(document))


def _finding(finding: Finding) -> dict[str, Any]:
    advice = finding if isinstance(finding, Advice) else None
    return {
        "level": "advice" if advice else "error",
        "severity": RULES[advice.rule].severity.value if advice else "error",
        "rule": advice.rule if advice else None,
        "file": finding.file,
        "line": finding.line or None,
        "column": finding.column or None,
        "path": finding.path,
        "message": finding.message,
        "reason": RULES[advice.rule].reason if advice else None,
        "help": finding.help or None,
        "silenced": advice.silenced or None if advice else None,
    }


# GitHub: https://docs.github.com/actions/reference/workflow-commands-for-github-actions

_COMMANDS = {Severity.WARNING: "warning", Severity.NOTE: "notice"}
_LOUD = frozenset({Kind.CORRECTION, Kind.ADDED_IN_EFFECT})


def _tell_github(checked: Checked, silenced: Sequence[Advice], out: TextIO) -> None:
    for fault in checked.faults:
        lines = [fault.message, fault.help]
        out.write(_command("error", fault, "fault", lines))
    for advice in (*checked.advice, *silenced):
        reason = f"Silenced: {advice.silenced}" if advice.silenced else ""
        lines = [advice.message, f"Why: {RULES[advice.rule].reason}", f"Help: {advice.help}", reason]
        out.write(_command(_COMMANDS[RULES[advice.rule].severity], advice, advice.rule, lines))
    for one in checked.differences or ():
        if not _is_lost(one):
            command = "warning" if one.kind in _LOUD else "notice"
            lines = [f"{lead}: {text}" for lead, text in notes(one)]
            out.write(_command(command, one.place, one.kind.value.replace("_", " "), [headline(one), *lines]))
    out.write(f"{_summary(checked)}\n")


def _command(command: str, at: Finding | Place, title: str, lines: Sequence[str]) -> str:
    place = {"file": at.file}
    if at.line:
        place |= {"line": str(at.line), "col": str(at.column), "endColumn": str(at.column + at.length)}
    properties = ",".join(f"{key}={_property(value)}" for key, value in {**place, "title": title}.items())
    return f"::{command} {properties}::{_data(chr(10).join(line for line in lines if line))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_TELLERS = {Format.TEXT: _tell_text, Format.JSON: _tell_json, Format.GITHUB: _tell_github}
