import stat

import pytest

from audit import checkpoint, merkle
from audit.checkpoint import Checkpoint
from audit.errors import LogKeyMissingError, SignerRefusedError
from audit.signer import KEY_FILE, MARK_FILE, FileSigner, published_key
from audit.tiles import Edge, TileTree

ORIGIN, SEED = "likeness.example/audit", bytes(range(32))
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(200)]


def tree(size, leaves=LEAVES):
    return TileTree(size, lambda _, n, width: b"".join(leaves[n * 256 : n * 256 + width]))


def head(size, leaves=LEAVES):
    return Checkpoint(ORIGIN, size, tree(size, leaves).root())


@pytest.fixture
def signer(tmp_path):
    made = FileSigner(ORIGIN, seed=SEED, home=tmp_path / "signer")
    made.sign(head(100), ())
    return made


OTHER = [bytes(32), *LEAVES[1:]]
REFUSED = {
    "smaller tree": (head(99), ()),
    "empty tree": (Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), ()),
    "same size, other root": (head(100, OTHER), ()),
    "larger, rewritten": (head(150, OTHER), tree(150, OTHER).consistency(100)),
    "larger, no proof": (head(150), ()),
    "larger, proof from another size": (head(150), tree(150).consistency(99)),
    "other origin": (Checkpoint("other.example/log", 150, head(150).root), tree(150).consistency(100)),
}


@pytest.mark.parametrize(("new", "proof"), REFUSED.values(), ids=REFUSED.keys())
def test_tree_that_does_not_extend_the_mark_is_refused(signer, new, proof):
    with pytest.raises(SignerRefusedError):
        signer.sign(new, proof)
    assert signer.mark() == head(100)


@pytest.mark.parametrize("content", [b"", b"\xff", b"garbage", str(head(3)).encode(), None])
def test_damaged_or_foreign_mark_is_refused(signer, tmp_path, content):
    foreign = checkpoint.sign(head(100), bytes(32)).encode()
    (tmp_path / "signer" / MARK_FILE).write_bytes(foreign if content is None else content)
    with pytest.raises(SignerRefusedError, match="high-water mark"):
        signer.mark()
    with pytest.raises(SignerRefusedError, match="high-water mark"):
        signer.sign(head(150), tree(150).consistency(100))


def test_extension_is_signed_and_remembered_by_the_next_process(signer, tmp_path):
    note = signer.sign(head(150), tree(150).consistency(100))
    assert checkpoint.open_checkpoint(note, signer.key) == head(150)
    assert FileSigner(ORIGIN, seed=SEED, home=tmp_path / "signer").mark() == head(150)
    assert signer.sign(head(150), ()) == note


def test_signer_home_is_private_and_publishes_the_key(signer, tmp_path):
    folder = tmp_path / "signer"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / KEY_FILE).read_text() == f"{signer.key}\n"
    assert sorted(path.name for path in folder.iterdir()) == [MARK_FILE, "keys", "lock", KEY_FILE]


def test_key_is_missing_before_the_first_start(home):
    with pytest.raises(LogKeyMissingError):
        published_key()


def test_edge_and_tree_sign_the_same_root():
    edge = Edge(0, [])
    for item in LEAVES:
        edge.append(item)
    assert edge.root() == head(200).root
