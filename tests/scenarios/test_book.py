"""The book (`docs/`) says what is so: its stories come out, its agreements are read, its references lead somewhere.

The marks of blocks are those of `tests/shell/documentation.py`. A story stands in a block as in `timelines/`, alone or several
under `scenarios`; `agreements` and `calendars` of a block are there for every story of the page.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from slamon.agreement_files import load
from slamon.codec import Rejected, decode
from tests.scenarios.stories import KEYS, Story, faults_are_pending, prove, read_stories
from tests.shell.documentation import DOCS, PAGES, Block, blocks, of_kind

PARAGRAPH = re.compile(r'^<a id="([a-z]-\d+)"></a>\*\*§ ([A-Z]-\d+)\*\* ', re.MULTILINE)
LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")

# Where the specification left a choice, a ruling was made. The paragraphs that state each of them:
RULINGS = {
    1: "F-13",
    2: "F-14",
    3: "F-11",
    4: "F-15",
    5: "F-16",
    6: "F-17",
    7: "F-18",
    8: "F-19",
    9: "F-20",
    10: "F-8",
    11: "F-4",
    12: "F-3",
    13: "F-23",
    14: "F-22",
    15: "F-5",
    16: "F-25",
    17: "F-24",
    18: "F-26",
    19: "F-27",
    20: "F-28",
    21: "F-29",
    22: "T-6",
    23: "T-7",
    24: "T-8",
    25: "T-9",
    26: "T-10",
    27: "T-26",
    28: "T-28",
    29: "T-29",
    30: "T-30",
    31: "T-31",
    32: "T-32",
    33: "T-33",
    34: "T-34",
    35: "T-37",
    36: "T-40",
    37: "T-39",
    38: "T-42",
    39: "E-1",
    40: "E-2 E-3",
    41: "E-5",
    42: "T-2",
    43: "T-3",
    44: "Y-3",
    45: "Y-4 Y-5",
    46: "Y-6",
    47: "T-4",
    48: "Y-1",
    49: "T-43",
    50: "T-15",
    51: "T-14",
    52: "T-17",
    53: "T-18 T-20",
    54: "T-21",
    55: "T-23",
    56: "T-13",
    57: "T-12",
    58: "T-22",
    59: "T-24",
    60: "T-25",
    61: "Y-7",
    62: "Y-8",
    63: "Y-9",
    64: "Y-11",
    65: "Y-12",
    66: "Y-13",
    67: "A-4",
    68: "A-5 A-6",
    69: "A-3",
    70: "A-8",
    71: "A-7",
    72: "V-2",
    73: "V-3",
    74: "V-6",
    75: "V-4",
    76: "V-5",
    77: "V-7",
    78: "V-8",
    79: "X-2",
    80: "V-9",
    81: "V-11",
    82: "V-14",
    83: "V-13",
    84: "V-17",
    85: "X-5",
    86: "X-4",
    87: "X-6",
    88: "X-7",
    89: "X-8",
    90: "X-3",
    91: "X-1",
    92: "R-1 R-2",
    93: "R-4",
    94: "P-1 P-2",
    95: "P-3",
    96: "P-4",
    97: "P-8",
    98: "P-6",
    99: "P-11",
    100: "P-12",
    101: "M-1",
    102: "M-3",
    103: "M-4",
    104: "M-6",
    105: "M-7",
    106: "M-9",
    107: "M-10",
    108: "M-2",
    109: "M-11",
    110: "C-8",
    111: "C-4 C-5 C-6",
    112: "C-10 C-12",
    113: "C-13",
    114: "C-7",
    115: "C-2",
    116: "C-14",
    117: "L-3",
    118: "L-5",
    119: "L-6",
    120: "L-8",
    121: "S-1",
    122: "S-2",
    123: "S-3",
    124: "F-14 F-25",
    125: "T-27",
    126: "T-41",
    127: "V-19 P-5",
    128: "V-18",
    129: "P-7",
    130: "L-4",
    131: "M-8",
    132: "T-19",
    133: "F-7",
    134: "L-7",
}


def stories() -> Iterator[Story]:
    for path in PAGES:
        files = [
            (block, yaml.load(block.text, yaml.BaseLoader))
            for block in blocks(path)
            if block.kind.startswith("yaml story")
        ]
        shared: dict[str, Any] = {
            "agreements": {key: one for _, file in files for key, one in file.get("agreements", {}).items()},
            "calendars": [one for _, file in files for one in file.get("calendars", [])],
        }
        for block, file in files:
            pending = block.mark.endswith("pending")
            yield from read_stories(str(block), scenarios(file), shared, pending=pending)


def scenarios(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    alone = {key: value for key, value in file.items() if key not in {"agreements", "calendars", "scenarios"}}
    return [*file.get("scenarios", []), *([alone] if alone.keys() & KEYS else [])]


AGREEMENTS = of_kind("yaml agreement", "yaml agreement pending", "yaml agreement refused")
EVENTS = of_kind("json event", "json event refused")


@pytest.mark.parametrize("story", list(stories()), ids=str)
def test_the_story_of_the_book_comes_out_as_it_says(story: Story, tmp_path: Path) -> None:
    prove(story, tmp_path)


@pytest.mark.parametrize("block", AGREEMENTS, ids=str)
def test_the_agreement_of_the_book_is_read_as_it_says(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "agreement.yaml"
    file.write_text(block.text, encoding="utf-8")
    faults = load([file]).faults
    if block.mark == "agreement pending":
        faults_are_pending(faults)
    elif block.mark == "agreement refused":
        words = block.text.splitlines()[0].removeprefix("# refused: ")
        assert [str(fault) for fault in faults if words not in fault.message] == []
        assert faults, f"this is not refused: {words}"
    else:
        assert [str(fault) for fault in faults] == []


def test_every_key_of_the_reference_stands_in_an_example() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", (DOCS / "agreements.md").read_text(encoding="utf-8"), re.MULTILINE)
    keys = {key.split(".")[-1].split("[")[0] for row in rows for key in re.findall(r"`([^`]+)`", row)}
    examples = "\n".join(block.text for block in AGREEMENTS)
    assert {key for key in keys if not re.search(rf"\b{key}:", examples)} == set()
    assert keys >= {"customer", "warnAt", "percentPerPoint"}, "the rows of the tables are not found"


def test_every_word_of_a_contract_stands_as_the_table_says_in_the_agreement_below_it() -> None:
    page = (DOCS / "agreements.md").read_text(encoding="utf-8")
    table, agreement = page.split("## From the words of a contract")[1].split("```")[:2]
    rows = [row.rpartition(" | ")[2] for row in table.splitlines() if row.startswith('| "')]
    terms = [term for row in rows for term in re.findall(r"`([^`]+)`", row)]
    assert [term for term in terms if term not in agreement] == []
    assert len(rows) >= 15


@pytest.mark.parametrize("block", EVENTS, ids=str)
def test_the_events_of_the_book_are_events_or_refused_as_it_says(block: Block) -> None:
    read = [decode(line.encode(), now=None) for line in block.text.splitlines()]
    assert [isinstance(one, Rejected) for one in read] == [block.mark == "event refused"] * len(read)


def paragraphs(path: Path) -> list[str]:
    found = PARAGRAPH.findall(path.read_text(encoding="utf-8"))
    assert all(label.lower() == anchor for anchor, label in found), path
    return [label for _, label in found]


def test_every_ruling_stands_in_a_paragraph_of_the_book() -> None:
    assert list(RULINGS) == list(range(1, 135))
    known = {label for path in PAGES for label in paragraphs(path)}
    assert {label for labels in RULINGS.values() for label in labels.split()} <= known
    assert all(RULINGS.values())


@pytest.mark.parametrize("path", [path for path in PAGES if paragraphs(path)], ids=lambda path: path.stem)
def test_the_paragraphs_of_a_page_have_its_letter_and_count_from_one(path: Path) -> None:
    labels = paragraphs(path)
    assert labels == [f"{labels[0][0]}-{number}" for number in range(1, len(labels) + 1)]


def test_no_two_pages_have_the_same_letter() -> None:
    letters = [labels[0][0] for path in PAGES if (labels := paragraphs(path))]
    assert len(set(letters)) == len(letters)


def test_every_link_leads_to_a_page_and_a_place_that_is_there() -> None:
    broken = []
    for path in PAGES:
        for label, target in LINK.findall(path.read_text(encoding="utf-8")):
            if target.startswith("https:"):
                continue
            file, _, place = target.partition("#")
            page = (path.parent / file).resolve() if file else path
            there = page.exists() and (not place or place in places(page))
            meant = not label.startswith("§ ") or label[2:].lower() == place
            broken += [] if there and meant else [f"{path.name}: [{label}]({target})"]
    assert broken == []


def places(path: Path) -> set[str]:
    """Its numbered paragraphs and its headings, as their anchors are written."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))
