"""The JSON Schemas: what slamon reads is valid by them, and what it refuses for its keys is not."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from slamon import codec, schema
from slamon.agreement_files import load
from slamon.agreement_files.schema import agreement_schema
from slamon.cli import main
from slamon.codec import Rejected, decode

REPOSITORY = Path(__file__).parents[2]
EVERY_KEY = Path(__file__).parent / "schema" / "every-key.yaml"
AGREEMENT = Draft202012Validator(agreement_schema())
EVENT = Draft202012Validator(schema.event_schema())
SETTINGS = Draft202012Validator(schema.settings_schema())


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: numbers and booleans by the core schema, dates and times of day as text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as in the class that it is of


for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


def faults(validator: Draft202012Validator, value: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("of", ["agreement", "event", "settings"])
def test_the_command_prints_a_schema(of: str) -> None:
    result = CliRunner().invoke(main, ["schema", of])
    assert result.exit_code == 0
    printed = json.loads(result.output)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed)


# Agreements


def documents() -> Iterator[tuple[str, str]]:
    """All that are written down in this repository and load, as a name and the text of a file."""
    folders = (
        "config/agreements",
        "config/calendars",
        "slamon/demo/agreements",
        "tests/scenarios/agreements",
    )
    for folder in folders:
        for file in sorted((REPOSITORY / folder).glob("*.yaml")):
            yield str(file.relative_to(REPOSITORY)), file.read_text(encoding="utf-8")
    for file in sorted((REPOSITORY / "tests/scenarios/timelines").glob("*.yaml")):
        yield from stories(file)
    yield "every key", EVERY_KEY.read_text(encoding="utf-8")


def stories(file: Path) -> Iterator[tuple[str, str]]:
    """The agreements of timelines, which may be written as their `spec` alone."""
    written = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)
    terms = [*written.get("calendars", ()), *written.get("agreements", {}).values()]
    terms += [story["agreement"] for story in written["scenarios"] if not isinstance(story["agreement"], str)]
    for one in terms:
        for number, spec in enumerate(one if isinstance(one, list) else [one]):
            kind = "Calendar" if "hours" in spec else "Agreement"
            own = {key: value for key, value in spec.items() if key not in {"name", "kind"}}
            usual = {"customer": "acme", "effective": {"from": "2026-01-01"}} if kind == "Agreement" else {}
            document = {
                "apiVersion": "slamon/v1",
                "kind": kind,
                "metadata": {"name": spec.get("name", "terms")},
                "spec": usual | own,
            }
            yield f"{file.stem}-{number}", yaml.safe_dump(document)
    for story in written["scenarios"]:
        if isinstance(story["agreement"], str) and "\n" in story["agreement"]:
            yield file.stem, story["agreement"]


TEXTS = list(documents())


@pytest.mark.parametrize("loader", [yaml.BaseLoader, CoreLoader], ids=["as-text", "typed"])
def test_every_agreement_of_this_repository_is_valid(loader: Any) -> None:
    found = [
        (name, fault)
        for name, text in TEXTS
        for document in yaml.load_all(text, loader)
        for fault in faults(AGREEMENT, document)
    ]
    assert found == []
    assert len(TEXTS) > 60


# The free words of a mapping stand for no keys of ours.
FREE = frozenset({"attributes", "hours"})

PathOfKeys = tuple[str, ...]


def keys_of(part: Mapping[str, Any], above: PathOfKeys = ()) -> Iterator[PathOfKeys]:
    """All keys that a schema knows, lists and alternatives left out of the path."""
    for key, below in part.get("properties", {}).items():
        yield (*above, key)
        yield from keys_of(below, (*above, key))
    for inner in (*part.get("anyOf", ()), *([part["items"]] if "items" in part else [])):
        yield from keys_of(inner, above)


def schema_keys() -> set[PathOfKeys]:
    kinds = agreement_schema()["$defs"]
    return {(kind, *path) for kind, part in kinds.items() for path in keys_of(part)}


Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where each key of a document stands."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))
    elif isinstance(value, dict) and not (at and at[-1] in FREE):
        for key, below in value.items():
            yield (*at, key)
            yield from places(below, (*at, key))


def path_of(document: Any, at: Place) -> PathOfKeys:
    return (document["kind"], *(step for step in at if isinstance(step, str)))


EXAMPLES = list(yaml.load_all(EVERY_KEY.read_text(encoding="utf-8"), yaml.BaseLoader))
CALENDARS = [document for document in EXAMPLES if document["kind"] == "Calendar"]
KEYS = {path_of(document, at): (document, at) for document in reversed(EXAMPLES) for at in places(document)}


def refusals(document: Any, tmp_path: Path) -> list[tuple[str, str, str]]:
    """Path, message and help of each fault that the loader finds, with the calendars beside it."""
    others = [] if document in CALENDARS or document.get("kind") == "Calendar" else CALENDARS
    file = tmp_path / "example.yaml"
    file.write_text(yaml.safe_dump_all([*others, document], sort_keys=False, allow_unicode=True))
    return [(fault.path, fault.message, fault.help) for fault in load([file]).faults]


def changed(document: Any, at: Place, *, rename: str | None = None, add: str | None = None) -> Any:
    """A copy with the key at that place renamed, or with a key added to the mapping there."""
    whole = copy.deepcopy(document)
    parent = whole
    for step in at[:-1] if rename else at:
        parent = parent[step]
    if rename:
        entries = [(rename if key == at[-1] else key, value) for key, value in parent.items()]
        parent.clear()
        parent.update(entries)
    if add:
        parent[add] = "x"
    return whole


def test_every_key_of_the_schema_has_an_example() -> None:
    assert schema_keys() - set(KEYS) == set()


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[one["metadata"]["name"] for one in EXAMPLES])
def test_the_examples_load_but_for_what_is_not_built_yet(number: int, tmp_path: Path) -> None:
    assert [
        message for _, message, _ in refusals(EXAMPLES[number], tmp_path) if "not built yet" not in message
    ] == []


@pytest.mark.parametrize("key", sorted(KEYS), ids=".".join)
def test_a_misspelt_key_is_refused_by_the_schema_and_by_the_loader(key: PathOfKeys, tmp_path: Path) -> None:
    document, at = KEYS[key]
    misspelt = changed(document, at, rename=f"{at[-1]}x")
    assert faults(AGREEMENT, misspelt) != []
    assert refusals(misspelt, tmp_path) != []


def mappings(document: Any) -> list[Place]:
    """Where mappings stand whose keys are ours."""
    found: list[Place] = [()]
    for at in places(document):
        value = document
        for step in at:
            value = value[step]
        items = enumerate(value) if isinstance(value, list) else ()
        found += [at] if isinstance(value, dict) and at[-1] not in FREE else []
        found += [(*at, index) for index, item in items if isinstance(item, dict)]
    return found


def test_the_loader_allows_what_the_schema_knows_and_nothing_else(tmp_path: Path) -> None:
    known: dict[PathOfKeys, set[str]] = {}
    for path in schema_keys():
        known.setdefault(path[:-1], set()).add(path[-1])
    allowed: dict[PathOfKeys, set[str]] = {}
    not_built: set[PathOfKeys] = set()
    for document in EXAMPLES:
        for where, message, _ in refusals(document, tmp_path):
            assert "not built yet" in message
            not_built.add((document["kind"], *re.sub(r"\[\d+\]", "", where).split(".")))
        for at in mappings(document):
            for _, message, advice in refusals(changed(document, at, add="zzz"), tmp_path):
                listed = re.match("allowed(?: here)?: (.*)", advice)
                if listed and "`zzz`" in message:
                    words = set(re.findall("`([^`]*)`", listed[1]))
                    allowed.setdefault(path_of(document, at), set()).update(words)
    for above, keys in allowed.items():
        missing = {key for key in known[above] - keys if (*above, key) not in not_built}
        assert (above, keys - known[above], missing) == (above, set(), set())
    unseen = {above for above in known if above not in allowed}
    assert {above for above in unseen if not any(above[: len(one)] == one for one in not_built)} == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("target: 15m", "target: 15 minutes"),
        ("target: 99.9%", "target: 99,9%"),
        ("target: 99.9%", "target: 99.9"),
        ("measure: resolution", "measure: resolutions"),
        ("notice: 72h", "notice: 3bd"),
        ("from: 2026-01-01", "from: 01.01.2026"),
        ("minimumTickets: 20", "minimumTickets: some"),
        ("declared: true, notice", "notice"),
        ("timeWindow: {rolling: 30d}", "timeWindow: {rolling: 30d, calendar: month}"),
        ("kind: Agreement", "kind: Agrement"),
        ("name: resolution\n      service", "name: a b\n      service"),
        ("mon-thu:", "montag:"),
        ("SlaTicketAtRisk: info", "SlaTicketAtRisk: high"),
        ("rule: no-remedy", "rule: no-remedies"),
    ],
)
def test_a_wrong_value_is_refused_by_the_schema_and_by_the_loader(old: str, new: str, tmp_path: Path) -> None:
    text = "---".join(EVERY_KEY.read_text(encoding="utf-8").split("---")[:2])
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new, 1))
    assert load([file]).faults != ()
    assert [
        fault for one in yaml.load_all(file.read_text(), CoreLoader) for fault in faults(AGREEMENT, one)
    ] != []


# Events

EVENTS: dict[str, dict[str, Any]] = {
    "ticket": {
        "id": "1",
        "time": "2026-03-06T09:00:00.5+01:00",
        "customer": "acme",
        "seq": 1,
        "ticket": "T-1",
        "status": "waiting",
        "waiting_on": "customer",
        "priority": "P1",
        "service": "api",
        "reply": "agent",
        "opened_at": "2026-03-06T08:00:00Z",
        "attributes": {"region": "eu", "tier": None},
    },
    "availability": {
        "id": "1",
        "time": "2026-03-06t09:00:00z",
        "customer": "acme",
        "seq": -1,
        "service": "api",
        "status": "degraded",
        "interval_seconds": 0.5,
    },
    "requests": {
        "id": "1",
        "time": "2026-03-06T09:00:00Z",
        "customer": "acme",
        "seq": 0,
        "service": "api",
        "total": 10,
        "bad": 1,
        "seconds": 60,
    },
    "exclusion": {
        "id": "1",
        "time": "2026-03-06T09:00:00Z",
        "customer": "acme",
        "seq": 1,
        "exclusion": "CHG-1",
        "state": "declared",
        "reason": "maintenance",
        "from": "2026-03-06T10:00:00Z",
        "to": "2026-03-06T11:00:00Z",
        "service": "api",
        "announced_at": "2026-03-01T10:00:00Z",
        "approved_by": "somebody",
        "evidence": "https://example.com/1",
    },
}
WIRE: dict[str, type[msgspec.Struct]] = {
    "ticket": codec._Ticket,
    "availability": codec._Availability,
    "requests": codec._Requests,
    "exclusion": codec._Exclusion,
}


def both(event: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the codec takes an event, and whether it is valid."""
    read = not isinstance(decode(json.dumps(event).encode(), now=None), Rejected)
    return read, not faults(EVENT, event)


@pytest.mark.parametrize("kind", EVENTS)
def test_the_schema_of_an_event_has_the_members_that_the_codec_reads(kind: str) -> None:
    around = {"specversion", "data"}  # of CloudEvents
    wire = {field.encode_name for field in msgspec.structs.fields(WIRE[kind])} - around
    assert set(schema.event_schema()["$defs"][kind]["properties"]) == wire == set(EVENTS[kind])


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_with_all_its_members_is_read_and_valid(kind: str) -> None:
    assert both({"type": kind, **EVENTS[kind]}) == (True, True)
    assert both({"type": kind, **EVENTS[kind], "unknown": [1]}) == (True, True)


MEMBERS = [(kind, member) for kind, members in EVENTS.items() for member in (*members, "type")]


@pytest.mark.parametrize(("kind", "member"), MEMBERS)
def test_a_member_may_be_left_out_by_the_schema_where_the_codec_lets_it(kind: str, member: str) -> None:
    event = {"type": kind, **EVENTS[kind]}
    without = {key: value for key, value in event.items() if key != member}
    read, valid = both(without)
    assert read is valid
    assert both(event | {member: None}) == (read, valid)


WRONG: dict[str, tuple[Any, ...]] = {
    "id": ("", 1),
    "time": ("2026-03-06T09:00:00", "2026-03-06", "2026-03-06T24:00:00Z", "2026-03-06T09:00:60Z", 1),
    "customer": (1,),
    "seq": (1.5, "1", 2**63),
    "status": ("open soon",),
    "reply": ("robot",),
    "attributes": ({"tier": 1}, []),
    "interval_seconds": (0, -1, "60", 10**10),
    "total": (-1, 1.5),
    "seconds": (0, "60"),
    "state": ("withdrawn",),
    "reason": ("holidays",),
    "from": ("today",),
}


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        (kind, member, value)
        for kind, members in EVENTS.items()
        for member in members
        for value in WRONG.get(member, ())
    ],
)
def test_a_wrong_value_of_a_member_is_refused_by_both(kind: str, member: str, value: object) -> None:
    assert both({"type": kind, **EVENTS[kind], member: value}) == (False, False)


def test_a_cancelled_exclusion_needs_its_id_and_state_alone() -> None:
    event = {key: EVENTS["exclusion"][key] for key in ("id", "time", "customer", "exclusion")}
    assert both({"type": "exclusion", "state": "cancelled", **event}) == (True, True)
    assert both({"type": "exclusion", "state": "declared", **event}) == (False, False)


# Settings


def test_the_shipped_settings_are_valid_and_a_misspelt_key_is_not() -> None:
    settings = yaml.load((REPOSITORY / "config" / "slamon.yaml").read_text(), CoreLoader)
    assert faults(SETTINGS, settings) == []
    assert faults(SETTINGS, {**settings, "kafka": {"bootstrap_server": "localhost:9092"}}) != []
