import hashlib
import io

import pytest

from consent import vault
from consent.errors import CiphertextError, KeyUnavailableError

KEY = bytes(range(32))
CONTEXT = "tenant=demo|asset=ast_1|kind=portrait"
SMALL = 1 << 16
STORED = SMALL + vault.TAG_BYTES


def sealed(plain: bytes) -> bytes:
    box = io.BytesIO()
    vault.encrypt(io.BytesIO(plain), box, key=KEY, context=CONTEXT, chunk_bytes=SMALL)
    return box.getvalue()


def opened(data: bytes, *, key: bytes = KEY, context: str = CONTEXT) -> bytes:
    return b"".join(vault.decrypt(io.BytesIO(data), key=key, context=context))


PLAIN = bytes(i * 7 % 251 for i in range(3 * SMALL + 5))
FILE = sealed(PLAIN)
BODY = vault.HEADER_BYTES
CHUNKS = [FILE[at : at + STORED] for at in range(BODY, len(FILE), STORED)]


DAMAGED = {
    "nothing left": b"",
    "header only": FILE[:BODY],
    "header cut": FILE[: BODY - 1],
    "other magic": b"LKV2" + FILE[4:],
    "chunk size of 4 GiB": FILE[:4] + b"\xff\xff\xff\xff" + FILE[8:],
    "other allowed chunk size": FILE[:4] + (1 << 20).to_bytes(4, "big") + FILE[8:],
    "salt edited": FILE[:9] + bytes([FILE[9] ^ 1]) + FILE[10:],
    "nonce prefix edited": FILE[:41] + bytes([FILE[41] ^ 1]) + FILE[42:],
    "last chunk dropped": FILE[: BODY + 3 * STORED],
    "last byte cut": FILE[:-1],
    "byte appended": FILE + b"x",
    "one chunk dropped": FILE[:BODY] + FILE[BODY + STORED :],
    "two chunks swapped": FILE[:BODY] + CHUNKS[1] + CHUNKS[0] + b"".join(CHUNKS[2:]),
    "bit flipped": FILE[:-20] + bytes([FILE[-20] ^ 1]) + FILE[-19:],
}


@pytest.mark.parametrize("damage", DAMAGED)  # by name: the salt is another one in every process
def test_damaged_file_does_not_open(damage):
    with pytest.raises(CiphertextError):
        opened(DAMAGED[damage])


def test_file_of_another_asset_does_not_open():
    with pytest.raises(CiphertextError):
        opened(FILE, context=CONTEXT.replace("ast_1", "ast_2"))


def test_file_does_not_open_with_another_key():
    with pytest.raises(CiphertextError):
        opened(FILE, key=bytes(32))


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL])
def test_every_edge_size_comes_back(size):
    assert opened(sealed(PLAIN[:size])) == PLAIN[:size]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (SMALL - 1, 2), (100, 3 * SMALL), (3 * SMALL, 99), (len(PLAIN), 5), (7, 0)]
)
def test_range_reads_the_same_bytes(offset, length):
    found = vault.decrypt_range(
        io.BytesIO(FILE), size=len(FILE), key=KEY, context=CONTEXT, offset=offset, length=length
    )
    assert found == PLAIN[offset : offset + length]


def test_range_of_a_cut_file_is_refused():
    cut = FILE[: BODY + 3 * STORED]
    with pytest.raises(CiphertextError):
        vault.decrypt_range(
            io.BytesIO(cut), size=len(FILE), key=KEY, context=CONTEXT, offset=3 * SMALL, length=1
        )


def test_format_gives_the_fixed_answer():
    header = vault.new_header(SMALL, salt=bytes(32), prefix=bytes(7))
    box = io.BytesIO()
    vault.encrypt_with(header, io.BytesIO(b"likeness" * 10_000), box, key=KEY, context=CONTEXT)
    assert hashlib.sha256(box.getvalue()).hexdigest() == (
        "474ed4484938e33fe538a0b04d2dbc1a3da0f40e14a826818da82f837162f5ec"
    )


def test_wrapped_key_opens_only_in_its_place():
    wrapped = vault.wrap(KEY, b"k" * 32, "tenant=demo|asset=ast_1")
    assert vault.unwrap(KEY, wrapped, "tenant=demo|asset=ast_1") == b"k" * 32
    for kek, place in ((KEY, "tenant=demo|asset=ast_2"), (bytes(32), "tenant=demo|asset=ast_1")):
        with pytest.raises(CiphertextError):
            vault.unwrap(kek, wrapped, place)


@pytest.mark.parametrize("sealed_value", [b"", b"short", bytes(28)])
def test_value_that_was_never_sealed_does_not_open(sealed_value):
    with pytest.raises(CiphertextError):
        vault.open_row(KEY, sealed_value, "row=1")


def test_value_moved_to_another_row_does_not_open():
    with pytest.raises(CiphertextError):
        vault.open_row(KEY, vault.seal_row(KEY, b"vector", "row=1"), "row=2")


def test_commitment_depends_on_the_key():
    sha256 = hashlib.sha256(b"picture").hexdigest()
    assert vault.commitment(KEY, sha256) != vault.commitment(bytes(32), sha256)


class ShortKeyring:
    def seed(self, name):
        return name.encode()


class AbsentKeyring:
    def seed(self, name):
        raise FileNotFoundError(name)


@pytest.mark.parametrize(
    "keyring", [f"{__name__}.ShortKeyring", f"{__name__}.AbsentKeyring", "nowhere.Keyring"]
)
def test_no_key_means_refused(settings, keyring):
    settings.LIKENESS_KEYRING = keyring
    with pytest.raises(KeyUnavailableError):
        vault.seed("kek")
