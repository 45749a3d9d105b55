"""The documentation as a site: it is whole, opens without a network, and cannot be built with a link that leads nowhere."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md"))
# What a browser fetches by itself; what a link leads to is asked for by people.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "use": "href"}


def build(docs: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """As `make docs` does."""
    recipe = re.search(r"-m sphinx (.+) docs build/docs", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipe
    command = [sys.executable, "-m", "sphinx", *recipe[1].split(), str(docs), str(into)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def leads_to(link: str, page: str) -> tuple[str, str]:
    """The file, from the top of the site, and the place in it."""
    file, _, place = link.partition("#")
    return normpath(Path(page).parent / unquote(file.partition("?")[0])) if file else page, place


class Read(HTMLParser):
    """What a page fetches, what it links to, and what in it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetches, self.links, self.places = list[str](), list[str](), set[str]()
        self.navigation = list[str]()
        self.within_navigation = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self.places |= {have["id"]} if "id" in have else set()
        self.fetches += [have[FETCHED[tag]]] if FETCHED.get(tag) in have else []
        self.links += [have["href"]] if tag == "a" and "href" in have else []
        self.within_navigation += tag == "div" and (
            bool(self.within_navigation) or have.get("class") == "sidebar-tree"
        )
        if self.within_navigation and tag == "a":
            self.navigation.append(have["href"])

    def handle_endtag(self, tag: str) -> None:
        self.within_navigation -= tag == "div" and bool(self.within_navigation)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("site")
    built = build(DOCS, into)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return into


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Read]:
    return {
        path.relative_to(site).as_posix(): Read(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }


def test_every_page_is_there_and_stands_once_in_the_navigation_of_each(pages: dict[str, Read]) -> None:
    assert {f"{page}.html" for page in PAGES} <= pages.keys()
    wanted = Counter(f"{page}.html" for page in PAGES if page != "README")
    for page in PAGES:
        file = f"{page}.html"
        assert Counter(leads_to(target, file)[0] for target in pages[file].navigation) == wanted, page


def test_the_address_in_an_alert_leads_to_its_page(pages: dict[str, Read]) -> None:
    for alert in (page for page in PAGES if page.startswith("runbook/Sla")):
        file = f"{alert}/index.html"  # what a server gives for slamon's own `runbook_url`
        assert [leads_to(link, file) for link in pages[file].links] == [(f"{alert}.html", "")]


def test_no_page_fetches_anything_from_elsewhere(site: Path, pages: dict[str, Read]) -> None:
    fetched = {
        (page, target)
        for page, read in pages.items()
        for target in read.fetches
        if not target.startswith("data:")
    }
    assert len(fetched) > len(PAGES), "what pages fetch is not found"
    gone = {
        (page, target)
        for page, target in fetched
        if re.match(r"\w+:|//", target) or not (site / leads_to(target, page)[0]).is_file()
    }
    assert gone == set()
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"@import|url\(\s*[\"']?(?!data:|#)(?:\w+:)?//[^)]*", text) == [], style


def test_every_link_within_the_site_leads_to_a_place_that_is_there(
    site: Path, pages: dict[str, Read]
) -> None:
    broken = []
    for page, read in pages.items():
        for link in read.links:
            if re.match(r"\w+:", link):
                continue
            target, place = leads_to(link, page)
            known = pages[target].places if target in pages else set[str]()
            there = (site / target).is_file() and (not place or place in known)
            broken += [] if there else [(page, link)]
    assert broken == []


def test_the_site_can_be_searched_without_a_server(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(")
    assert all(f'"{page}"' in index for page in PAGES)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("[there](nowhere.md)", "nowhere.md"),
        ("[there](meaning/calendars.md#c-99)", "c-99"),
        ("[there](#not-here)", "not-here"),
        ("[there](../slamon/nowhere.py)", "nowhere.py"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(line: str, complaint: str, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "meaning").mkdir(parents=True)
    for name in ("conf.py", "_templates", "_static"):
        (shutil.copytree if (DOCS / name).is_dir() else shutil.copy)(DOCS / name, docs / name)
    (docs / "README.md").write_text("# A page\n\nWords.\n", encoding="utf-8")
    (docs / "meaning" / "calendars.md").write_text(
        '# Calendars\n\n<a id="c-1"></a>**§ C-1** Words.\n', encoding="utf-8"
    )
    assert build(docs, tmp_path / "well").returncode == 0
    (docs / "README.md").write_text(f"# A page\n\n{line}\n", encoding="utf-8")
    failed = build(docs, tmp_path / "site")
    assert failed.returncode == 1
    assert complaint in failed.stderr
