from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from likeness.embedded import home as homes
from likeness.errors import HomeRefusedError

ME = homes.ServerUser(os.geteuid(), os.getegid(), "me", drop=False)
OTHER_UID = 64321


def test_a_new_home_is_private_to_its_user(tmp_path):
    home = tmp_path / "home"
    homes.claim(home, user=ME)
    assert home.stat().st_mode & 0o777 == 0o700


def test_claiming_twice_is_fine(tmp_path):
    homes.claim(tmp_path, user=ME)
    homes.claim(tmp_path, user=ME)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    home = tmp_path / ("x" * 90)
    with pytest.raises(HomeRefusedError, match="no socket fits"):
        homes.claim(home, user=ME)
    assert not home.exists()


def test_length_counts_bytes_not_letters(tmp_path):
    with pytest.raises(HomeRefusedError, match="no socket fits"):
        homes.claim(tmp_path / ("脸" * 40), user=ME)


def test_another_users_cluster_is_refused(tmp_path):
    (tmp_path / "pg").mkdir()
    stranger = homes.ServerUser(OTHER_UID, OTHER_UID, "stranger", drop=False)
    with pytest.raises(HomeRefusedError, match="belongs to user"):
        homes.claim(tmp_path, user=stranger)


STRANGER = homes.ServerUser(OTHER_UID, OTHER_UID, "stranger", drop=True)


@pytest.fixture
def closed(tmp_path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "home").mkdir()
    return folder


def test_a_closed_parent_stays_closed_and_links_lead_elsewhere(closed, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o711)
        monkeypatch.setattr(homes, "ELSEWHERE", Path(name) / "likeness")
        homes.settle(closed / "home", user=STRANGER)
        homes.settle(closed / "home", user=STRANGER)
        for link in ("pg", "run"):
            assert (closed / "home" / link).resolve().is_relative_to(Path(name))
        assert homes.closed_folder((closed / "home" / "pg").resolve().parent, STRANGER) is None
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_no_place_to_enter_at_all_names_the_folder(closed, monkeypatch):
    monkeypatch.setattr(homes, "ELSEWHERE", closed / "likeness")
    with pytest.raises(HomeRefusedError, match="cannot be entered by the user stranger"):
        homes.settle(closed / "home", user=STRANGER)
    assert not list((closed / "home").iterdir())


def test_a_server_that_lost_its_way_is_not_replaced_by_an_empty_one(closed, monkeypatch):
    (closed / "home" / "pg").mkdir()
    monkeypatch.setattr(homes, "ELSEWHERE", closed.parent / "likeness")
    with pytest.raises(HomeRefusedError, match="cannot be entered"):
        homes.settle(closed / "home", user=STRANGER)


def test_a_home_of_our_own_may_be_passed_through(tmp_path):
    home = tmp_path / "home"
    (home / "weights").mkdir(parents=True)
    home.chmod(0o700)
    homes._open_own(home, STRANGER)
    assert stat.S_IMODE(home.stat().st_mode) == 0o711


def test_a_home_with_other_things_in_it_stays_closed(tmp_path):
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    home.chmod(0o700)
    homes._open_own(home, STRANGER)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_an_open_home_keeps_its_server(tmp_path):
    homes.settle(tmp_path, user=ME)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_another_machine_runs_is_refused(tmp_path):
    homes.claim(tmp_path, user=ME)
    (tmp_path / "owner").write_text("bank-7 0123456789abcdef\n")
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "postmaster.pid").write_text("1\n")
    with pytest.raises(HomeRefusedError, match="in use by the machine bank-7"):
        homes.claim(tmp_path, user=ME)


def test_a_directory_that_another_machine_left_cleanly_is_taken_over(tmp_path):
    (tmp_path / "owner").write_text("bank-7 0123456789abcdef\n")
    homes.claim(tmp_path, user=ME)
    assert (tmp_path / "owner").read_text().strip() == homes.machine_id()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/srv/data/likeness", "nfs4"), ("/srv/database", "ext4"), ("/with space/x", "cifs")],
)
def test_file_systems_are_found_by_the_longest_mount(tmp_path, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/x /srv/data nfs4 rw 0 0\n//server/y /with\\040space cifs rw 0 0\n"
    )
    assert homes.file_system(Path(path), mounts=mounts) == kind


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(homes, "file_system", lambda _: "nfs4")
    with pytest.raises(HomeRefusedError, match="nfs4, a network file system"):
        homes.claim(tmp_path, user=ME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_root_gives_the_server_an_unprivileged_user():
    user = homes.server_user()
    assert user.drop
    assert user.uid != 0
