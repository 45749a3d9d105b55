"""`spec.remedies` and `support.escalation`: what a missed period costs, and who else is told.

Credits are about objectives of the same agreement, so they are read after them. What can be built and judged is taken;
whether it is wise (gaps between bands, no cap) is asked elsewhere.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from slamon.agreement_files.findings import Report, closest, listed, quoted
from slamon.agreement_files.frame import UNITS, share_step
from slamon.agreement_files.notations import (
    above_zero,
    duration,
    one_of,
    percentage,
    percentage_up_to_100,
    word,
)
from slamon.agreement_files.sections import RefusedError, Section
from slamon.domain.agreement import (
    Band,
    Bands,
    CreditTerm,
    Escalation,
    Fee,
    Linear,
    PerMiss,
    Remedies,
)
from slamon.domain.currencies import MINOR_UNIT

_FEE = '{amount: "12000.00", currency: EUR, per: month}'
_BAND = "{below: 99.9%, credit: 10%}"
_LINEAR = "{percentPerPoint: 1}"
_WAYS = {"bands": f"[{_BAND}]", "perMiss": "1%", "linear": _LINEAR}
_CREDIT = f"{{objective: api-availability, bands: [{_BAND}]}}"
_ESCALATION = "{after: 75%, to: duty manager}"
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")


def read_remedies(section: Section, counts_tickets: Mapping[str, bool], report: Report) -> Remedies | None:
    """`counts_tickets`: the objectives by name, each with whether its cycles can be missed one by one.

    None: not written, or with a fault, which is in the report.
    """
    faults = len(report.faults)
    fee = _fee(section.child("fee", _FEE), report)
    entries = section.children("credits", _CREDIT, required=True)
    credits_ = [_credit(entry, counts_tickets, report) for entry in entries]
    cap = section.optional("cap", _share_of_fee, None, "100%")
    claim_within = section.optional("claimWithin", above_zero(duration), None, "30d")
    if not section.present or len(report.faults) > faults:
        return None
    return Remedies(tuple(term for term in credits_ if term is not None), fee, cap, claim_within)


def read_escalation(support: Section) -> tuple[Escalation, ...]:
    levels = []
    for entry in support.children("escalation", _ESCALATION):
        after = entry.required("after", share_step, "75%")
        to = entry.required("to", _receiver, "duty manager")
        if after is not None and to is not None:
            levels.append(Escalation(after, to))
    return tuple(levels)


def _receiver(text: str) -> str:
    """Receivers are listed in one annotation, with commas between them."""
    if "," in text:
        raise RefusedError(
            f"{quoted(text)}: a receiver's name has no comma", "write an entry for each of them"
        )
    return word(text)


def _fee(section: Section, report: Report) -> Fee | None:
    currency = section.required("currency", _currency, "EUR")
    amount = section.required("amount", _amount, '"12000.00"')
    per = section.required("per", one_of(UNITS, "period"), "month")
    if amount is not None and currency is not None:
        _refuse_too_fine(section, currency, report)
    return None if amount is None or currency is None or per is None else Fee(amount, currency, per)


def _refuse_too_fine(fee: Section, currency: str, report: Report) -> None:
    decimals = MINOR_UNIT[currency]
    for written in fee.written("amount"):
        if len(written.text.partition(".")[2]) > decimals:
            report.fault(
                written.at,
                f"{quoted(written.text)} is finer than {currency} can be paid",
                f"write at most {decimals} decimals" if decimals else "write a whole number",
            )


def _amount(text: str) -> Fraction:
    if _NUMBER.fullmatch(text):
        if not Fraction(text):
            raise RefusedError(
                f"{quoted(text)}: credits are shares of the fee, and there is none",
                "write the fee, or remove `fee`",
            )
        return Fraction(text)
    raise RefusedError(f"{quoted(text)} is no amount", f"write `amount: {_meant_amount(text)}`")


def _meant_amount(text: str) -> str:
    """Of `12,000.00`, `12.000,00 €` and `EUR 12000`; the last mark of several kinds is the decimal one."""
    digits = re.sub(r"[^0-9.,]", "", text).strip(".,")
    marks = re.sub("[0-9]", "", digits)
    if marks and (len(set(marks)) == 2 or len(marks) == 1):
        whole, mark, rest = digits.rpartition(marks[-1])
        grouped = len(marks) == 1 and len(rest) == 3  # 12,000 is rather twelve thousand
        digits = re.sub("[.,]", "", whole) + (rest if grouped else f".{rest}" if mark else "")
    else:
        digits = re.sub("[.,]", "", digits)
    return f'"{digits}"' if _NUMBER.fullmatch(digits) else '"12000.00"'


def _currency(text: str) -> str:
    if text in MINOR_UNIT:
        return text
    meant = closest(text, MINOR_UNIT)
    question = f": did you mean {quoted(meant)}?" if meant else ""
    raise RefusedError(
        f"{quoted(text)} is no currency{question}",
        f"write `currency: {meant}`"
        if meant
        else "write its three letters by ISO 4217, such as `EUR` or `USD`",
    )


def _share_of_fee(text: str) -> Fraction:
    share = percentage(text)
    if not share:
        raise RefusedError(f"{quoted(text)} of the fee is nothing", "write a share above `0%`, or remove it")
    return share


def _percent_per_point(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        number = text.removesuffix("%").strip()
        raise RefusedError(
            f"{quoted(text)} is no number",
            f"percent of the fee for each point: write `{number if _NUMBER.fullmatch(number) else '1'}`",
        )
    if not Fraction(text):
        raise RefusedError(f"{quoted(text)} credits nothing", "write a number above 0")
    return Fraction(text)


def _credit(entry: Section, counts_tickets: Mapping[str, bool], report: Report) -> CreditTerm | None:
    def objective(text: str) -> str:
        if text in counts_tickets:
            return text
        meant = closest(text, counts_tickets)
        question = f": did you mean {quoted(meant)}?" if meant else ""
        raise RefusedError(
            f"no objective is named {quoted(text)}{question}", f"there are {listed(counts_tickets)}"
        )

    named = entry.required("objective", objective, "api-availability")
    bands = _bands(entry, report)
    per_miss = entry.optional("perMiss", _share_of_fee, None, "1%")
    linear = entry.child("linear", _LINEAR).required("percentPerPoint", _percent_per_point, "1")
    cap = entry.optional("cap", _share_of_fee, None, "15%")
    ways = [way for way in _WAYS if entry.has(way)]
    if len(ways) > 1:
        report.fault(
            entry.key_place(ways[1]),
            f"one entry credits by {' or by '.join(map(quoted, ways))}",
            "make an entry of its own out of each: those of one objective add up",
        )
    if entry.present and not ways and entry.nothing_like(*_WAYS):
        written = (f"`{way}: {example}`" for way, example in _WAYS.items())
        report.fault(entry.at, "how much is credited?", f"add one of {', '.join(written)}")
    if entry.has("perMiss") and named is not None and not counts_tickets[named]:
        report.fault(
            entry.key_place("perMiss"),
            f"{quoted(named)} has no tickets that could be missed one by one",
            f"write `bands: [{_BAND}]` or `linear: {_LINEAR}`",
        )
    by = (
        Bands(bands)
        if bands
        else PerMiss(per_miss)
        if per_miss is not None
        else Linear(linear)
        if linear is not None
        else None
    )
    return None if named is None or by is None else CreditTerm(named, by, cap)


def _bands(entry: Section, report: Report) -> tuple[Band, ...]:
    bands = []
    lines: dict[Fraction, int] = {}
    for section in entry.children("bands", _BAND):
        below = section.required("below", percentage_up_to_100, "99.9%")
        credited = section.required("credit", _share_of_fee, "10%")
        for written in section.written("below"):
            if below is not None and below in lines:
                report.fault(
                    written.at,
                    f"another band in line {lines[below]} is below {quoted(written.text)} too: which one counts?",
                    "remove one of the two",
                )
            elif below is not None:
                lines[below] = written.at.line
        if below is not None and credited is not None:
            bands.append(Band(below, credited))
    return tuple(bands)
