"""The home directory: who may run a server in it, and whether the server's user can reach it."""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likeness.errors import HomeRefusedError

SOCKET_FOLDER_MAX = 90  # sun_path holds 108 bytes; "/.s.PGSQL.5432" goes on top
ELSEWHERE = Path("/var/lib/likeness")  # state that no package manages (FHS 3.0, 5.8)
OWN_NAMES = frozenset(
    [
        "pg",
        "run",
        "pg.pass",
        ".lock",
        "owner",
        "stack.lock",
        "stack.json",
        "weights",
        "keys",
        "blobs",
        "work",
        "logs",
        "signer",
        "static",
    ]
)
SERVER_USERS = ("postgres", "likeness", "nobody")
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "glusterfs", "ceph"})


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the server runs as; ``drop`` when this process is root and must change to it."""

    uid: int
    gid: int
    name: str
    drop: bool

    def keywords(self) -> dict[str, Any]:
        """Give ``subprocess`` its keywords to become that user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}


def server_user() -> ServerUser:
    """Give the current user, or under root the first unprivileged one: PostgreSQL refuses uid 0.

    Raises:
        HomeRefusedError: root, and nobody to change to.
    """
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid(), str(os.geteuid()), drop=False)
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(entry.pw_uid, entry.pw_gid, name, drop=True)
    raise HomeRefusedError(f"No user of {', '.join(SERVER_USERS)} exists to run PostgreSQL as.")


def give(path: Path, *, to: ServerUser) -> None:
    """Make the server's user the owner of a path."""
    if to.drop:
        os.chown(path, to.uid, to.gid)


def claim(home: Path, *, user: ServerUser) -> None:
    """Create the directory if missing and make sure that a server may run in it on this machine.

    Raises:
        HomeRefusedError: path too long, on a network, not reachable, of another user or machine.
    """
    socket_folder = home / "run"
    if len(os.fsencode(socket_folder)) > SOCKET_FOLDER_MAX:
        raise HomeRefusedError(f"{socket_folder} is longer than {SOCKET_FOLDER_MAX} bytes: no socket fits.")
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o711 if user.drop else 0o700)
    _refuse_network(home)
    _refuse_other_owner(home / "pg", user)
    _refuse_other_machine(home)


def settle(home: Path, *, user: ServerUser) -> None:
    """Give the server a place that its user can enter; call it with the home's lock held.

    A closed parent directory is never opened. Where one stands between root's home and the server's user, pg/
    and run/ become links to a directory under ``ELSEWHERE``.

    Raises:
        HomeRefusedError: no such place either.
    """
    if (home / "pg").is_symlink():
        return
    _open_own(home, user)
    blocked = closed_folder(home, user)
    if blocked is None:
        return
    if (home / "pg").exists():
        raise HomeRefusedError(f"{blocked} cannot be entered by the user {user.name}, who runs PostgreSQL.")
    place = elsewhere(user, instead_of=blocked) / secrets.token_hex(8)
    place.mkdir()
    place.chmod(0o711)
    for name in ("run", "pg"):  # pg last: it says that all is done
        (home / name).unlink(missing_ok=True)
        (home / name).symlink_to(place / name)


def elsewhere(user: ServerUser, *, instead_of: Path) -> Path:
    """Give the directory for what the server's user must reach when the usual place is closed.

    Raises:
        HomeRefusedError: the user cannot enter that one either.
    """
    if closed_folder(ELSEWHERE.parent, user) is not None:
        raise HomeRefusedError(
            f"{instead_of} cannot be entered by the user {user.name}, who runs PostgreSQL."
        )
    ELSEWHERE.mkdir(exist_ok=True)
    ELSEWHERE.chmod(0o711)
    return ELSEWHERE


def closed_folder(path: Path, user: ServerUser) -> Path | None:
    """Give the first directory on the way to the path that the server's user cannot enter, or None."""
    if not user.drop:
        return None
    for folder in (*reversed(path.resolve().parents), path.resolve()):
        facts = folder.stat()
        mine, ours = facts.st_uid == user.uid, facts.st_gid == user.gid
        bit = stat.S_IXUSR if mine else stat.S_IXGRP if ours else stat.S_IXOTH
        if not facts.st_mode & bit:
            return folder
    return None


def machine_id() -> str:
    """Give what tells this machine, or container, from others."""
    source = Path("/etc/machine-id")
    return f"{socket.gethostname()} {source.read_text().strip() if source.is_file() else ''}".strip()


def file_system(path: Path, *, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Give the type of the file system that holds the path, empty where it cannot be known."""
    if not mounts.is_file():
        return ""
    best, kind = "", ""
    for line in mounts.read_text(errors="replace").splitlines():
        words = line.split(" ")
        point = words[1].replace("\\040", " ")
        inside = path == Path(point) or Path(point) in path.parents
        if inside and len(point) >= len(best):
            best, kind = point, words[2]
    return kind


def _open_own(home: Path, user: ServerUser) -> None:
    # The home itself may be passed through, not read, when nothing but our own names lie in it.
    facts = home.stat()
    ours = facts.st_uid == os.geteuid() and {path.name for path in home.iterdir()} <= OWN_NAMES
    if user.drop and ours:
        home.chmod(stat.S_IMODE(facts.st_mode) | 0o011)


def _refuse_network(home: Path) -> None:
    kind = file_system(home.resolve())
    if kind in NETWORK_FILE_SYSTEMS:
        raise HomeRefusedError(f"{home} lies on {kind}, a network file system: a database there is not safe.")


def _refuse_other_owner(data: Path, user: ServerUser) -> None:
    if not data.exists():
        return
    owner = data.stat().st_uid
    if owner != user.uid:
        raise HomeRefusedError(f"{data} belongs to user {owner}; this process would run it as {user.uid}.")


def _refuse_other_machine(home: Path) -> None:
    # A pid file says nothing about another machine that sees the same directory. A server that was stopped
    # leaves no pid file, and the directory may move.
    mark, mine = home / "owner", machine_id()
    theirs = mark.read_text().strip() if mark.exists() else ""
    if theirs == mine:
        return
    if theirs and (home / "pg" / "postmaster.pid").exists():
        raise HomeRefusedError(
            f"{home} is in use by the machine {theirs.split(' ')[0]}: two servers would destroy it. "
            f"If that machine is gone, delete {mark}."
        )
    mark.write_text(mine + "\n")
