import hashlib

import numpy as np
import pytest

from watermark.errors import MarkIdError, WeakKeyError
from watermark.invisible import Carrier
from watermark.payload import (
    CODE_BITS,
    MESSAGE_BITS,
    MarkKeys,
    accept,
    encode,
    message,
    new_mark_id,
    viterbi,
)

# Made with an independent implementation of the format: master, tenant, id, SHA-256 of the 448 code bits and
# of the coefficients of tiles (0, 0) and (1, 2) in the first second as int8. Never change them: marks in the
# field depend on them.
GOLDEN = [
    (
        bytes(32),
        "bank-a",
        1,
        "ed2878b2697e21d5267017fd34494b99ae7314e8bb4a9d8563cd92764aa738da",
        "82880d66278847e2b7427f7aaa4433f5ff6991485388f3814c87b6e356b20b84",
    ),
    (
        bytes(range(32)),
        "bank-b",
        0x0123456789ABCDEF,
        "87eb00b93560b1496622827273a0068dfe2f99596787c52b2095ba2063d961d9",
        "e1d3827431589d02056443a2da77a299b5f89535b4736d95862d23630ab5ef8e",
    ),
    (
        b"\xff" * 48,
        "分行",
        2**64 - 1,
        "a06e58af9319ea0ead3862d088d06791501861e031fa1ae1ef5b6f1ba4bf1317",
        "a352cc1bc76e4af248dd8b66787987c1c5109bce9a0606bd7a842b1f72221c36",
    ),
]


@pytest.mark.parametrize("master", [b"", b"short", bytes(31)])
def test_short_master_secret_is_refused(master):
    with pytest.raises(WeakKeyError):
        MarkKeys(master, "bank-a")


def test_keys_without_tenant_are_refused():
    with pytest.raises(WeakKeyError):
        MarkKeys(bytes(32), "")


@pytest.mark.parametrize("mark_id", [0, -1, 2**64])
def test_id_that_is_not_64_bits_is_refused(keys, mark_id):
    with pytest.raises(MarkIdError):
        message(keys, mark_id)


def test_keys_do_not_show_in_their_repr(keys):
    assert keys.master.hex() not in repr(keys)
    assert repr(keys.data) not in repr(keys)
    assert repr(keys.sync) not in repr(keys)


@pytest.mark.parametrize(("master", "tenant", "mark_id", "code", "tile"), GOLDEN)
def test_format_gives_its_golden_vectors(master, tenant, mark_id, code, tile):
    keys = MarkKeys(master, tenant)
    carrier = Carrier(keys)
    tiles = carrier.coefficients(mark_id, carrier.set_at(mark_id, 0), 2, 3).astype(np.int8)
    assert hashlib.sha256(encode(message(keys, mark_id)).tobytes()).hexdigest() == code
    assert hashlib.sha256(tiles[0, 0].tobytes() + tiles[1, 2].tobytes()).hexdigest() == tile


def test_code_bits_decode_to_the_message(keys):
    for _ in range(3):
        bits = message(keys, new_mark_id())
        code = encode(bits)
        assert len(bits) == MESSAGE_BITS
        assert len(code) == CODE_BITS
        assert np.array_equal(viterbi((1.0 - 2.0 * code).astype(np.float32)), bits)


def test_message_survives_a_tenth_of_the_code_bits_negated(keys, mark_id):
    soft = (1.0 - 2.0 * encode(message(keys, mark_id))).astype(np.float32)
    soft[np.random.default_rng(2).permutation(CODE_BITS)[: CODE_BITS // 10]] *= -1
    assert accept(keys, viterbi(soft)) == mark_id


def test_one_wrong_bit_is_not_accepted(keys, mark_id):
    for at in range(MESSAGE_BITS):
        bits = message(keys, mark_id)
        bits[at] ^= 1
        assert accept(keys, bits) is None


def test_tag_of_another_tenant_is_not_accepted(keys, mark_id):
    assert accept(MarkKeys(keys.master, "bank-b"), message(keys, mark_id)) is None


def test_tenants_share_pilots_and_nothing_else(keys):
    other = MarkKeys(keys.master, "bank-b")
    assert (other.sync, other.key_id) == (keys.sync, keys.key_id)
    assert other.data != keys.data
    assert other.tag != keys.tag


def test_new_ids_are_different_and_not_zero():
    ids = {new_mark_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(0 < mark_id < 2**64 for mark_id in ids)
