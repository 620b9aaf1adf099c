from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest

from likeness.errors import KeyringError
from likeness.keyring import PURPOSES, FileKeyring
from likeness.private import create_once, read_private


def test_a_seed_is_made_once_and_stays(tmp_path):
    first = FileKeyring(tmp_path).seed("kek")
    assert len(first) == 32
    assert FileKeyring(tmp_path).seed("kek") == first


def test_every_purpose_has_a_key_of_its_own(tmp_path):
    keyring = FileKeyring(tmp_path)
    assert len({keyring.seed(name) for name in PURPOSES}) == len(PURPOSES)


def test_the_default_place_is_the_home(home):
    FileKeyring().seed("log")
    assert (home / "keys" / "log.key").is_file()


def test_keys_are_private(tmp_path):
    folder = tmp_path / "keys"
    FileKeyring(folder).seed("kek")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("name", ["keks", "", "../kek", "KEK", "kek\n"])
def test_an_unknown_purpose_is_refused(tmp_path, name):
    with pytest.raises(KeyringError, match="purpose"):
        FileKeyring(tmp_path).seed(name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    FileKeyring(tmp_path).seed("kek")
    (tmp_path / "kek.key").chmod(mode)
    with pytest.raises(KeyringError, match=f"{mode:04o}"):
        FileKeyring(tmp_path).seed("kek")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused_and_kept(tmp_path, length):
    path = tmp_path / "kek.key"
    create_once(path, b"x" * length)
    with pytest.raises(KeyringError, match=f"{length} bytes"):
        FileKeyring(tmp_path).seed("kek")
    assert path.read_bytes() == b"x" * length


def test_a_link_in_place_of_a_key_is_refused(tmp_path):
    create_once(tmp_path / "elsewhere", b"x" * 32)
    (tmp_path / "kek.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyringError, match="cannot be read"):
        FileKeyring(tmp_path).seed("kek")


def test_a_folder_in_place_of_a_key_is_refused(tmp_path):
    (tmp_path / "kek.key").mkdir()
    with pytest.raises(KeyringError):
        read_private(tmp_path / "kek.key")


def _seed(folder: Path) -> bytes:
    return FileKeyring(folder).seed("kek")


def test_processes_that_race_agree_on_one_key(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_seed, [tmp_path] * 8))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kek.key"]


def test_making_a_file_that_exists_leaves_it(tmp_path):
    path = tmp_path / "secret"
    create_once(path, b"first")
    create_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_credential_chain_is_made_once_and_stays_private(home):
    chain = FileKeyring().credential_chain()
    assert FileKeyring().credential_chain() == chain
    assert chain.signer().sign(b"claim")
    assert stat.S_IMODE((home / "keys" / "credentials.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"root_pem": 1}'])
def test_a_damaged_credential_chain_is_refused(home, content):
    create_once(home / "keys" / "credentials.json", content)
    with pytest.raises(KeyringError, match="chain"):
        FileKeyring().credential_chain()
