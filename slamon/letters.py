"""`slamon dead-letters`: the letters as people, programs and editors read them. What records hold is never trusted.

- text: when, why, from where, how large, whose; what is wrong; and the beginning of the record with control characters
  escaped, so that no record can write on somebody's terminal.
- json: one object a line, with the whole record.
- lines: the records alone, one a line, to be mended in an editor and given to `slamon publish`.
"""

import base64
import enum
import unicodedata
from collections.abc import Callable, Iterator, Mapping

import orjson

from slamon.codec import flat, format_instant
from slamon.kafka.dead_letter_box import Listed, customer_of
from slamon.kafka.dead_letter_retry import Handling
from slamon.kafka.dead_letters import Handled, Letter

SHOWN = 200  # characters of a record, or of what is wrong with it


class Form(enum.Enum):
    TEXT = "text"
    JSON = "json"
    LINES = "lines"


Found = tuple[Letter, Handled | None]


def told(listed: Listed, form: Form) -> Iterator[str]:
    for letter, handled in listed.newest:
        yield from _TELLERS[form](letter, handled)
    if form is Form.TEXT:
        yield summary(listed)


def summary(listed: Listed) -> str:
    """How many there are for which reason; those that were not shown too."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(listed.reasons.items()))
    counted = [f"{listed.letters:,} dead {'letter' if listed.letters == 1 else 'letters'}"]
    if reasons:
        counted[0] += f" ({reasons})"
    if len(listed.newest) < listed.letters:
        counted.append(f"the newest {len(listed.newest):,} are shown")
    if listed.handled:
        counted.append(f"{listed.handled:,} more handled before: --handled shows them")
    if listed.foreign:
        counted.append(f"{listed.foreign:,} in the topic not written by slamon")
    return "; ".join(counted)


def outcome(handling: Handling, *, dry_run: bool) -> Iterator[str]:
    """What was done, or would be."""
    would = "would be " if dry_run else ""
    for topic, count in sorted(handling.sent.items()):
        yield f"{topic}: {_records(count)} {would}sent again"
    if handling.dismissed:
        yield f"{handling.dismissed:,} {would}dismissed"
    for why, count in handling.unsent.items():
        yield f"{_records(count)} not sent: {why.value}"
    if handling.before:
        yield f"{handling.before:,} handled before"
    if not (handling.sent or handling.dismissed or handling.unsent or handling.before):
        yield "no dead letters"


def headline(letter: Letter, handled: Handled | None = None) -> str:
    stamp = format_instant(letter.at)[:19] + "Z"
    told = [stamp, letter.reason, str(letter.origin)]
    told.append(f"{letter.records:,} records" if letter.is_tally else f"{letter.size:,} B")
    customer = customer_of(letter)
    if customer is not None:
        told.append(f"customer {safe(customer, SHOWN)}")
    if handled is not None:
        told.append(handled.value)
    return "  ".join(told)


def safe(text: str, limit: int) -> str:
    """One line of visible characters: control, format and unassigned ones are escaped, what is beyond the limit left out."""
    shown = "".join(
        char if unicodedata.category(char)[0] != "C" else char.encode("unicode_escape").decode()
        for char in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}…"


def _text(letter: Letter, handled: Handled | None) -> Iterator[str]:
    yield headline(letter, handled)
    yield f"    {safe(letter.message, SHOWN)}"
    if letter.value:
        yield f"    {safe(letter.value[: 4 * SHOWN].decode(errors='backslashreplace'), SHOWN)}"
    elif not letter.is_tally:
        yield f"    ({'no value' if letter.whole else 'not kept, for it was too large'})"
    yield ""


def _json(letter: Letter, handled: Handled | None) -> Iterator[str]:
    yield orjson.dumps(
        {
            "at": format_instant(letter.at),
            "reason": letter.reason,
            "message": _unpaired(letter.message),
            "from": letter.origin._asdict(),
            "customer": _unpaired(customer_of(letter)),
            "records": letter.records,
            "last_offset": letter.last_offset,
            "size": letter.size,
            "whole": letter.whole,
            "handled": None if handled is None else handled.value,
            "letter": letter.place._asdict(),
            "headers": [{"name": name, **_bytes("value", value)} for name, value in letter.headers],
            **_bytes("key", letter.key),
            **_bytes("value", letter.value),
        }
    ).decode()


def _bytes(name: str, value: bytes | None) -> Mapping[str, str | None]:
    """Text where it is text, else base64 under a name that says so."""
    try:
        return {name: None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value or b"").decode()}


def _unpaired(text: str | None) -> str | None:
    """Half of a surrogate pair cannot be written."""
    return None if text is None else text.encode(errors="backslashreplace").decode()


def _lines(letter: Letter, handled: Handled | None) -> Iterator[str]:
    del handled
    if letter.value:
        # Within JSON, a line break is only ever white space.
        line = flat(letter.value, letter.headers).decode(errors="backslashreplace")
        yield " ".join(line.splitlines())


def _records(count: int) -> str:
    return f"{count:,} {'record' if count == 1 else 'records'}"


_TELLERS: Mapping[Form, Callable[[Letter, Handled | None], Iterator[str]]] = {
    Form.TEXT: _text,
    Form.JSON: _json,
    Form.LINES: _lines,
}
