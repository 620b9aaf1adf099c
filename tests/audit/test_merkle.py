import json
import random
from pathlib import Path

import pytest

from audit import merkle, tiles
from audit.errors import ProofError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "audit.json").read_text())
INPUTS = [bytes.fromhex(item) for item in VECTORS["inputs"]]
SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 513, 1000, 65_535, 65_536, 65_537, 70_000]
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(70_000)]


def brute_root(entries):
    if not entries:
        return merkle.EMPTY_ROOT
    if len(entries) == 1:
        return merkle.leaf_hash(entries[0])
    k = 1 << ((len(entries) - 1).bit_length() - 1)
    return merkle.node_hash(brute_root(entries[:k]), brute_root(entries[k:]))


def reader(leaves):
    levels = [leaves]
    while len(levels[-1]) >= tiles.WIDTH:
        row = levels[-1]
        levels.append([merkle.fold(row[i : i + 256]) for i in range(0, len(row) // 256 * 256, 256)])
    return lambda level, n, width: b"".join(levels[level][n * 256 : n * 256 + width])


READ = reader(LEAVES)


def tree(size):
    return tiles.TileTree(size, READ)


BAD_INCLUSION = {
    "one hash too many": lambda p: (*p, bytes(32)),
    "one hash too few": lambda p: p[:-1],
    "short hash": lambda p: (p[0][:31], *p[1:]),
    "changed hash": lambda p: (bytes(32), *p[1:]),
    "swapped": lambda p: (p[1], p[0], *p[2:]),
    "64 hashes": lambda p: p * 13,
    "empty": lambda p: p[:0],
}


@pytest.mark.parametrize("spoil", BAD_INCLUSION.values(), ids=BAD_INCLUSION.keys())
def test_spoiled_inclusion_proof_is_refused(spoil):
    proof, root = tree(1000).inclusion(700), tree(1000).root()
    with pytest.raises(ProofError):
        merkle.verify_inclusion(700, 1000, LEAVES[700], spoil(proof), root)


@pytest.mark.parametrize(("index", "size"), [(1000, 1000), (1001, 1000), (-1, 1000), (0, 0)])
def test_index_outside_the_tree_is_refused(index, size):
    with pytest.raises(ProofError):
        merkle.verify_inclusion(index, size, LEAVES[0], (), merkle.EMPTY_ROOT)
    with pytest.raises(ProofError):
        tree(1000).inclusion(1000)


@pytest.mark.parametrize(
    ("old", "size", "proof"),
    [
        (8, 7, ()),
        (-1, 8, ()),
        (3, 8, ()),
        (0, 8, (bytes(32),)),
        (8, 8, (bytes(32),)),
        (3, 8, (bytes(32),) * 4),
        (4, 8, (bytes(32),)),
        (3, 8, (bytes(32),) * 9),
        (3, 8, (bytes(31),) * 4),
    ],
)
def test_bad_consistency_proof_is_refused(old, size, proof):
    old_root = tree(old).root() if old > 0 else merkle.EMPTY_ROOT
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, size, old_root, tree(size).root(), proof)


@pytest.mark.parametrize(("old", "root"), [(8, merkle.EMPTY_ROOT), (0, merkle.EMPTY_ROOT)])
def test_wrong_old_root_is_refused(old, root):
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, 8, bytes(32), root, ())


def test_known_answers_of_rfc_6962():
    assert brute_root(INPUTS).hex() == VECTORS["root8"]
    assert brute_root(INPUTS[:1]).hex() == VECTORS["root1"]
    compact = merkle.CompactRange()
    assert compact.root() == merkle.EMPTY_ROOT
    for entry in INPUTS:
        compact.push(merkle.leaf_hash(entry))
    assert compact.root().hex() == VECTORS["root8"]


@pytest.mark.parametrize("size", SIZES)
def test_tile_tree_edge_and_compact_range_agree(size):
    compact, edge = merkle.CompactRange(), tiles.Edge(0, [])
    for leaf in LEAVES[:size]:
        compact.push(leaf)
        edge.append(leaf)
    loaded = tiles.Edge.load(size, READ)
    assert tree(size).root() == compact.root() == edge.root() == loaded.root()
    assert loaded.copy().append(bytes(32)) == edge.append(bytes(32))
    if size <= 1000:
        assert compact.root() == brute_root([b"%d" % i for i in range(size)])


@pytest.mark.parametrize("size", SIZES)
def test_proofs_verify_and_only_for_their_own_leaf(size):
    rng, root = random.Random(size), tree(size).root()  # noqa: S311 - test data
    for _ in range(20):
        index, old = rng.randrange(size), rng.randrange(1, size + 1)
        proof = tree(size).inclusion(index)
        merkle.verify_inclusion(index, size, LEAVES[index], proof, root)
        with pytest.raises(ProofError):
            merkle.verify_inclusion(index, size, bytes(32), proof, root)
        merkle.verify_consistency(old, size, tree(old).root(), root, tree(size).consistency(old))
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, size, bytes(32), root, tree(size).consistency(old))
