"""Agreement files that change under a running process: what is seen, what is taken, what is refused."""

import os
from pathlib import Path

import pytest

from slamon.agreement_files import AgreementsInUse, AgreementsRefused

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme-2026}
spec:
  customer: acme
  effective: {from: 2026-01-01}
  objectives:
    - name: resolution
      ticketClock: {measure: resolution, calendar: always, target: 4h}
"""
FAULTY = ACME.replace("target: 4h", "target: four hours")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As Kubernetes mounts a ConfigMap: `acme.yaml` → `..data/acme.yaml`, `..data` → a folder with a date."""
    mount(tmp_path, "..2026_01_01", {"acme.yaml": ACME})
    (tmp_path / "acme.yaml").symlink_to("..data/acme.yaml")
    return tmp_path


def mount(folder: Path, version: str, files: dict[str, str]) -> None:
    """Another version takes the place of the last, at once for all of its files."""
    (folder / version).mkdir()
    for name, text in files.items():
        (folder / version / name).write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").replace(folder / "..data")


def targets(in_use: AgreementsInUse) -> list[str]:
    return [f"{one.customer} {objective.name}" for one in in_use.agreements for objective in one.objectives]


def test_what_has_not_changed_is_not_read_again(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    before = in_use.agreements
    assert len(before) == 1
    assert in_use.look() is False
    os.utime(folder / "acme.yaml")
    assert in_use.look() is False
    assert in_use.agreements is before


def test_a_mount_that_was_swapped_without_a_change_is_not_read_again(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    mount(folder, "..2026_01_02", {"acme.yaml": ACME})
    assert in_use.look() is False


def test_a_swapped_mount_with_other_contents_is_taken(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    mount(folder, "..2026_01_02", {"acme.yaml": ACME.replace("name: resolution", "name: solved")})
    assert in_use.look() is True
    assert targets(in_use) == ["acme solved"]


def test_a_file_that_came_and_went_is_seen(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    (folder / "globex.yaml").write_text(ACME.replace("acme", "globex"))
    assert in_use.look() is True
    assert targets(in_use) == ["acme resolution", "globex resolution"]
    (folder / "globex.yaml").unlink()
    assert in_use.look() is True
    assert targets(in_use) == ["acme resolution"]


def test_faults_are_told_once_and_what_was_in_use_stays(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    mount(folder, "..2026_01_02", {"acme.yaml": FAULTY})
    with pytest.raises(AgreementsRefused) as refused:
        in_use.look()
    assert [fault.line for fault in refused.value.faults] == [9]
    assert targets(in_use) == ["acme resolution"]
    assert in_use.look() is False
    with pytest.raises(AgreementsRefused):
        in_use.look(anyway=True)


def test_a_mended_file_is_taken_also_if_it_is_as_it_was_before_the_fault(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    mount(folder, "..2026_01_02", {"acme.yaml": FAULTY})
    with pytest.raises(AgreementsRefused):
        in_use.look()
    mount(folder, "..2026_01_03", {"acme.yaml": ACME})
    assert in_use.look() is True
    assert targets(in_use) == ["acme resolution"]


def test_a_path_that_is_gone_is_told_once_and_read_when_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(ACME)
    in_use = AgreementsInUse([file])
    file.unlink()
    with pytest.raises(FileNotFoundError):
        in_use.look()
    assert in_use.look() is False
    assert targets(in_use) == ["acme resolution"]
    file.write_text(ACME)
    assert in_use.look() is True


def test_nothing_to_judge_by_is_refused(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    calendar = ACME[: ACME.index("kind:")] + (
        "kind: Calendar\nmetadata: {name: office}\nspec: {timeZone: UTC, hours: {mon: '09:00-17:00'}}\n"
    )
    mount(folder, "..2026_01_02", {"acme.yaml": calendar})
    with pytest.raises(ValueError, match="there are no agreements to judge by"):
        in_use.look()
    assert targets(in_use) == ["acme resolution"]


def test_agreements_that_need_facts_for_longer_than_they_are_kept_are_refused_and_what_was_in_use_stays(
    folder: Path,
) -> None:
    in_use = AgreementsInUse([folder], keep_days=67)
    yearly = ACME.replace("target: 4h}", "target: 4h}\n      attainment: {timeWindow: {calendar: year}}")
    mount(folder, "..2026_01_02", {"acme.yaml": yearly})
    before = in_use.agreements
    needs = "facts are kept for .* days, but agreement acme-2026 of acme needs 402: .* Set facts.keep to 402 or more"
    with pytest.raises(ValueError, match=needs):
        in_use.look()
    assert in_use.agreements is before
    with pytest.raises(ValueError, match=needs):
        AgreementsInUse([folder], keep_days=401)
    for days in (402, None):
        AgreementsInUse([folder], keep_days=days)


def test_it_can_be_asked_to_read_what_has_not_changed(folder: Path) -> None:
    in_use = AgreementsInUse([folder])
    before = in_use.agreements
    assert in_use.look(anyway=True) is True
    assert in_use.agreements == before


def test_files_that_change_under_the_reader_are_read_until_they_stand_still(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap between two files would else be taken for a state that never was."""
    first, second = folder / "acme.yaml", folder / "globex.yaml"
    second.symlink_to("..data/globex.yaml")
    old = {"acme.yaml": ACME, "globex.yaml": ACME.replace("acme", "globex")}
    new = {name: text.replace("name: resolution", "name: solved") for name, text in old.items()}
    mount(folder, "..2026_01_02", old)
    in_use = AgreementsInUse([folder])
    assert targets(in_use) == ["acme resolution", "globex resolution"]
    mount(folder, "..2026_01_03", {**old, "acme.yaml": old["acme.yaml"] + "# a comment\n"})
    read, looks = Path.read_bytes, []

    def read_bytes(path: Path) -> bytes:
        looks.append(path)
        if looks.count(first) == 2 and path == second and looks.count(second) == 2:
            mount(folder, "..2026_01_04", new)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert in_use.look() is True
    assert targets(in_use) == ["acme solved", "globex solved"]
    assert looks.count(first) > 3
