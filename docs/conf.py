"""Builds docs/ as a site: `make docs`. Every warning is an error there, so a link or an anchor that leads nowhere is one.

The pages are plain Markdown whose links also work on a code host, so two things that Sphinx wants in its own notation are added
while it reads them: where a page stands in the navigation (`NAVIGATION`), and what can be linked to (`<a id="…"></a>`).
Pages need nothing from any other host, and open from a folder, without a server.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

from sphinx.application import Sphinx

from slamon import __version__

project = "slamon"
author = "The slamon authors"
version = release = __version__
html_title = f"slamon {release}"

extensions = ["myst_parser"]
root_doc = "README"
exclude_patterns = ["_*"]
templates_path = ["_templates"]
# What servers and people open, where README is what code hosts show; and where alerts lead (`runbook/SlaBreached/`).
RUNBOOK = sorted(page.stem for page in Path(__file__).with_name("runbook").glob("Sla*.md"))
html_additional_pages = {"index": "index.html"} | {
    f"runbook/{alert}/index": "runbook.html" for alert in RUNBOOK
}

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4  # as code hosts make them
nitpicky = True
smartquotes = False  # pages say what code hosts show
suppress_warnings = [
    "misc.highlighting_failure"
]  # the lexer of PromQL does not know the colons of recorded names

html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["slamon.css"]

# A folder's pages stand under its README. All others, and those READMEs, stand under the first caption with a pattern for them.
NAVIGATION = {
    "Begin": ["quickstart"],
    "Agreements": ["agreements", "meaning/README", "explain"],
    "On call": ["runbook/*", "notifications", "dashboards"],
    "Operating": ["operating/README", "kubernetes"],
    "Reference": ["commands", "settings", "metrics", "*"],
}
# What of a folder comes first, in this order; the rest follows by name.
FIRST = {
    "meaning": "facts-and-time calendars ticket-clocks cycles-and-reopening attainment availability exclusions requests"
    " periods-and-statements credits alerts standing agreements-in-time stories glossary",
    "operating": "install kubernetes chart-values sizing security doctor watching behind dead-letters disaster-recovery upgrades repartition faults performance",
}


def above(page: str, pages: set[str]) -> str:
    """The page under which it stands."""
    folders = Path(page).parents[1 if page.endswith("README") else 0 :]
    return next(str(folder / "README") for folder in folders if str(folder / "README") in pages)


def order(page: str) -> tuple[int, str]:
    folder, _, name = page.rpartition("/")
    first = FIRST.get(folder, "").split()
    return (first.index(name) if name in first else len(first), page)


def navigation(page: str, pages: set[str]) -> dict[str, list[str]]:
    """What stands under a page, by captions."""
    left = sorted((each for each in pages - {root_doc} if above(each, pages) == page), key=order)
    if page != root_doc:
        return {"": left}
    under: dict[str, list[str]] = {}
    for caption, patterns in NAVIGATION.items():
        under[caption] = [each for pattern in patterns for each in left if fnmatch(each, pattern)]
        left = [each for each in left if each not in under[caption]]
    return under


def completed(app: Sphinx, page: str, source: list[str]) -> None:
    """What a page says to readers, with what Sphinx has to know besides; no line moves."""
    text = re.sub(r'<a id="([\w-]+)"></a>', r"[]{#\1}", source[0])
    # Pygments' PromQL knows no colons, and so none of the names that are recorded.
    text = re.sub(r"^( *```)promql$", r"\1text", text, flags=re.MULTILINE)
    for caption, pages in navigation(page, set(app.env.found_docs)).items():
        options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
        entries = "".join(f"/{each}\n" for each in dict.fromkeys(pages))
        text += f"\n```{{toctree}}\n{options}\n{entries}```\n" if pages else ""
    source[0] = text


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", completed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
