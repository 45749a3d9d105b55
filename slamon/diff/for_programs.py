"""A comparison as JSON. Clocks, statements, standings and alerts are the records that `slamon replay` writes."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from slamon import records
from slamon.agreement_files.comparison_texts import as_record
from slamon.codec import format_instant
from slamon.diff.comparing import Compared, Consequences
from slamon.diff.differences import KINDS, Money, Pair, in_sum
from slamon.domain.decisions import Statement
from slamon.domain.service_credits import money


def document(compared: Compared) -> str:
    consequences = compared.consequences
    whole = {
        "differs": compared.differs,
        "customers": {"changed": compared.customers, "untouched": compared.untouched},
        "changes": [as_record(one) for one in compared.terms],
        "judged": None if consequences is None else _judged(consequences),
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _judged(found: Consequences) -> dict[str, Any]:
    differences, said = found.differences, found.sides.taken_up
    writers: Mapping[str, Callable[[Any], bytes]] = {
        "standings": records.standing_record,
        "statements": _statement,
        "clocks": records.clock_record,
        "alerts": _alert,
    }
    return {
        "by": found.sides.heard,
        "at": format_instant(found.sides.now),
        **{kind: [_pair(pair, writers[kind]) for pair in getattr(differences, kind)] for kind in KINDS},
        "same": {kind: differences.same[kind] for kind in KINDS},
        "credits": {
            "customers": [
                {"customer": account.customer, **_money(account.currency, one)}
                for account, one in found.money.items()
            ],
            "in_sum": [_money(currency, one) for currency, one in in_sum(found.money).items()],
        },
        "taken_into_use": {
            "statements": [orjson.Fragment(_statement(one)) for one in said.statements],
            "alerts": [orjson.Fragment(_alert(one)) for one in said.alerts],
            "statements_left": found.restated.left,
            "events_not_kept": said.unheard,
            "statements_by_other_terms": found.sides.foreign,
        },
    }


def _pair(pair: Pair[Any, Any], write: Callable[[Any], bytes]) -> dict[str, Any]:
    return {
        side: None if one is None else orjson.Fragment(write(one))
        for side, one in (("old", pair.old), ("new", pair.new))
    }


def _statement(statement: Statement) -> bytes:
    return records.statement_record(statement, history=True)


def _alert(alert: Any) -> bytes:
    return records.alert_record(alert, None)


def _money(currency: str, one: Money) -> dict[str, str]:
    return {
        "currency": currency,
        "old": money(one.old, currency),
        "new": money(one.new, currency),
        "booked": money(one.booked, currency),
    }
