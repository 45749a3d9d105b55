"""What the next commit of a task writes: gathered from the monitor's decisions, coalesced by key, laid out as records."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from slamon.codec import RejectReason, format_instant
from slamon.domain.decisions import (
    AlertChanged,
    AlertTransition,
    Decision,
    FactKey,
    Facts,
    FactsChanged,
    Standing,
    StandingChanged,
    Statement,
    StatementIssued,
    Upshot,
)
from slamon.domain.events import Event, Taken
from slamon.kafka import changelog
from slamon.kafka.alert_numbers import Announced
from slamon.kafka.changelog import Positions
from slamon.kafka.clients import Outgoing
from slamon.kafka.dead_letters import Tally
from slamon.kafka.observations import Figures
from slamon.records import alert_record, standing_record, statement_record
from slamon.settings import Topics


@dataclass(slots=True)
class Pending:
    facts: dict[FactKey, Facts | None] = field(default_factory=dict)
    alerts: list[Announced] = field(default_factory=list)
    alerts_again: list[Announced] = field(default_factory=list)  # they stand in the outbox already
    standings: dict[tuple[str, str, str], Standing] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    dead_letters: list[Outgoing] = field(default_factory=list)
    letter_bytes: int = 0
    tallies: dict[tuple[str, RejectReason], Tally] = field(
        default_factory=dict
    )  # by input; not kept as letters
    events: Counter[type[Event]] = field(default_factory=Counter)
    taken: Counter[Taken] = field(default_factory=Counter)  # those that were not just accepted
    rejected: Counter[RejectReason] = field(default_factory=Counter)
    records: int = 0  # of the inputs
    moved: bool = False  # the positions, at least

    def note(self, decisions: Iterable[Decision], announce: Callable[[AlertTransition], Announced]) -> None:
        for decision in decisions:
            match decision:
                case FactsChanged(key=key, facts=facts):
                    self.facts[key] = facts
                case StandingChanged(standing=standing):
                    self.standings[standing.customer, standing.agreement, standing.objective] = standing
                case StatementIssued(statement=statement):
                    self.statements.append(statement)
                case AlertChanged(transition=transition):
                    self.alerts.append(announce(transition))

    def tally(self, topic: str, reason: RejectReason, offset: int) -> None:
        """A record of an input is rejected, and not kept."""
        of = self.tallies.get((topic, reason))
        if of is None:
            self.tallies[topic, reason] = Tally(offset, offset)
        else:
            of.last = offset
            of.records += 1

    @property
    def size(self) -> int:
        """Records to be written, without those that are few anyway."""
        return len(self.facts) + len(self.alerts) + len(self.statements) + len(self.dead_letters)

    @property
    def anything(self) -> bool:
        return self.moved or bool(self.size or self.standings)

    @property
    def urgent(self) -> bool:
        return bool(self.alerts or self.alerts_again)

    def for_readers(self, names: Topics, partition: int) -> list[Outgoing]:
        def outgoing(topic: str, key: str, value: bytes) -> Outgoing:
            return Outgoing(topic, partition, key.encode(errors="surrogatepass"), value)

        return [
            *(
                outgoing(names.alerts, one.transition.id, alert_record(one.transition, one.number))
                for one in (*self.alerts_again, *self.alerts)
            ),
            *(
                outgoing(names.standings, "/".join(objective), standing_record(standing))
                for objective, standing in self.standings.items()
            ),
            *(
                outgoing(
                    names.statements, statement_key(statement), statement_record(statement, history=True)
                )
                for statement in self.statements
            ),
            *self.dead_letters,
        ]

    def for_changelog(
        self,
        positions: Positions,
        seen: Sequence[int],
        parts: dict[FactKey, int],
        version: int,
        upshot_of: Callable[[FactKey], Upshot | None],
    ) -> list[changelog.Record]:
        """`seen`: numbers that leave the outbox. `parts`: of facts that stand in more than one; is kept up to date.

        `version`: of the format. `upshot_of`: what the monitor says that a ticket came to.
        """
        records: list[changelog.Record] = []
        for key, facts in self.facts.items():
            upshot = upshot_of(key) if facts is not None and facts.tickets is not None else None
            those = changelog.fact_records(key, facts, parts.pop(key, 1), version, upshot)
            count = sum(value is not None for _, value in those)
            if count > 1:
                parts[key] = count
            records += those
        records += [changelog.outbox_record(one.number, one.transition, version) for one in self.alerts]
        records += [changelog.outbox_record(number, None) for number in seen]
        # Last: what follows them is of another commit.
        records.append(changelog.positions_record(positions, version))
        return records

    def count_into(self, figures: Figures) -> None:
        for kind, count in self.events.items():
            figures.events[str(kind.__struct_config__.tag)] += count
        for taken, count in self.taken.items():
            figures.taken[taken.value] += count
        for reason, count in self.rejected.items():
            figures.rejected[reason.value] += count
        for (_, reason), of in self.tallies.items():
            figures.tallied[reason.value] += of.records


def statement_key(statement: Statement) -> str:
    """The period as ISO 8601 writes an interval where "/" is taken."""
    period = f"{format_instant(statement.start)}--{format_instant(statement.end)}"
    return f"{statement.customer}/{statement.agreement}/{statement.objective}/{period}/{statement.revision}"
