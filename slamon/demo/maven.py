"""Finds a Maven repository without knowing an address itself, and fetches jars from it that are what they should be."""

import contextlib
import hashlib
import http.client
import importlib
import importlib.util
import os
import shutil
import threading
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from slamon import clock

MIB = 1024 * 1024
PAUSES = (1, 2, 4)  # seconds before each further attempt; a repository under load asks for no more
SCHEMES = ("http", "https", "file")


class NotFetched(Exception):  # noqa: N818 - the name says what it is
    """Why a jar is not to be had, and what the reader can do about it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}. {remedy}.")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where every Maven repository keeps it."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"


def read_lock(lock: Path) -> tuple[Jar, ...]:
    """The jars of a lock, whose lines are `group:artifact:version sha256`."""
    fields = (line.replace(":", " ").split() for line in lock.read_text().splitlines())
    return tuple(Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in fields)


def fetch(base: str, jars: Sequence[Jar], folder: Path, say: Callable[[str], None]) -> None:
    """Fetch from the repository at `base`; a jar that is not what the lock says is never written.

    Raises:
        NotFetched: one could not be had, or differs.

    """
    said, size = clock.monotonic(), 0
    given_up = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        fetched = {pool.submit(_content, base, jar, given_up): jar for jar in jars}
        try:
            for done, future in enumerate(as_completed(fetched), 1):
                content = future.result()
                (folder / fetched[future].file).write_bytes(content)
                size += len(content)
                if clock.monotonic() - said > 2:
                    said = clock.monotonic()
                    say(f"{done} of {len(jars)} jars, {size // MIB} MiB")
        except BaseException:
            given_up.set()  # Ctrl-C, or one that is not to be had: the others need not go on trying
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _content(base: str, jar: Jar, given_up: threading.Event) -> bytes:
    url = f"{base.rstrip('/')}/{jar.path}"
    remedy = "Try again, or set SLAMON_MAVEN_MIRROR to another Maven repository"
    for pause in (*PAUSES, None):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - its scheme is one of SCHEMES
                content: bytes = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            if isinstance(fault, urllib.error.HTTPError):
                fault.close()  # an answer too, with a connection of its own
            if pause is None or not _may_pass(fault) or given_up.wait(pause):
                given_up.set()
                raise NotFetched(f"{url}: {fault}", remedy) from fault
            continue
        found = hashlib.sha256(content).hexdigest()
        if found != jar.sha256:
            reason = (
                f"{url} is not what it should be (SHA-256 {found}, expected {jar.sha256}) and was refused"
            )
            raise NotFetched(reason, remedy)
        return content
    raise AssertionError("the last attempt has no pause: it returns or raises")


def _may_pass(fault: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(fault, urllib.error.HTTPError):
        return fault.code in {408, 429} or fault.code >= 500
    return True


def repository() -> tuple[str, str]:
    """The address of a Maven repository, and where that was learned.

    The first of: SLAMON_MAVEN_MIRROR; a mirror of `central` in the user's Maven settings, or in those of an
    installed Maven; what an installed Maven itself takes for `central`; the default of the package `maven-artifact`.

    Raises:
        NotFetched: none of them says.

    """
    for sought in (_from_variable, _from_settings, _from_maven, _from_maven_artifact):
        if found := sought():
            base, source = found
            if urllib.parse.urlsplit(base).scheme not in SCHEMES:
                reason = f"{source} is {base!r}, which is no address that begins with {', '.join(SCHEMES)}"
                raise NotFetched(reason, "Correct it, or set SLAMON_MAVEN_MIRROR")
            return found
    reason = "no Maven repository is known from which to fetch the jars"
    remedy = "Set SLAMON_MAVEN_MIRROR to the address of one, or `pip install maven-artifact`, which knows the usual one"
    raise NotFetched(reason, remedy)


def _from_variable() -> tuple[str, str] | None:
    value = os.environ.get("SLAMON_MAVEN_MIRROR")
    return (value, "SLAMON_MAVEN_MIRROR") if value else None


def _maven_home() -> Path | None:
    mvn = shutil.which("mvn")
    return Path(mvn).resolve().parent.parent if mvn else None


def _from_settings() -> tuple[str, str] | None:
    maven = _maven_home()
    files = [Path.home() / ".m2" / "settings.xml", *([maven / "conf" / "settings.xml"] if maven else [])]
    for file in filter(Path.is_file, files):
        try:
            root = ET.parse(file).getroot()  # noqa: S314 - the user's own settings
        except ET.ParseError as fault:
            raise NotFetched(f"{file} is not XML: {fault}", "Mend it, or set SLAMON_MAVEN_MIRROR") from fault
        mirrors = [
            (mirror.findtext("{*}mirrorOf", "").strip(), mirror.findtext("{*}url", "").strip())
            for mirror in root.findall("{*}mirrors/{*}mirror")
            if mirror.findtext("{*}blocked") != "true"
        ]
        mirrors.sort(
            key=lambda mirror: mirror[0] != "central"
        )  # Maven prefers the mirror that names it alone
        if url := next((url for of, url in mirrors if mirrors_central(of)), None):
            return url, f"the mirror in {file}"
    return None


def mirrors_central(mirror_of: str) -> bool:
    """Whether Maven would use a mirror of these repositories for `central`."""
    names = {name.strip() for name in mirror_of.split(",")}
    return "!central" not in names and bool(names & {"central", "*", "external:*"})


def _from_maven() -> tuple[str, str] | None:
    """An installed Maven names `central` in the model from which every project inherits."""
    maven = _maven_home()
    for jar in maven.glob("lib/maven-model-builder*.jar") if maven else ():
        with contextlib.suppress(OSError, KeyError, zipfile.BadZipFile, ET.ParseError):
            with zipfile.ZipFile(jar) as archive:
                model = ET.fromstring(archive.read("org/apache/maven/model/pom-4.0.0.xml"))  # noqa: S314 - Maven's own
            for repository in model.findall("{*}repositories/{*}repository"):
                if repository.findtext("{*}id") == "central":
                    return repository.findtext("{*}url", ""), "the repository that the installed Maven uses"
    return None


def _from_maven_artifact() -> tuple[str, str] | None:
    if not importlib.util.find_spec("maven_artifact"):
        return None
    base: str = importlib.import_module("maven_artifact").Downloader().resolver.base
    return base, "the repository that maven-artifact uses"
