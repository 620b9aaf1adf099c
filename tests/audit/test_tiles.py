import pytest

from audit import merkle, tiles
from audit.errors import TileError
from audit.tiles import TilePath

BAD_PATHS = [
    "",
    "0",
    "0/1",
    "0/01",
    "0/0001",
    "00/000",
    "64/000",
    "63/001",
    "-1/000",
    "0/x000/001",
    "0/001/002",
    "0/x001/x002",
    "0/000.p/0",
    "0/000.p/256",
    "0/000.p/01",
    "0/000.p/",
    "0/000/",
    "0/000\n",
    "entries/00a",
    "entries/٠٠١",
    "../0/000",
    "0/" + "x999/" * 7 + "999",
]
GOOD_PATHS = {
    "0/000": TilePath(0, 0),
    "1/273.p/112": TilePath(1, 273, 112),
    "0/x001/x234/067": TilePath(0, 1_234_067),
    "0/x001/000": TilePath(0, 1000),
    "entries/273.p/112": TilePath(None, 273, 112),
    "63/000.p/1": None,
}


@pytest.mark.parametrize("text", BAD_PATHS)
def test_malformed_path_is_refused(text):
    with pytest.raises(TileError):
        tiles.parse_path(text)


@pytest.mark.parametrize(("text", "path"), [item for item in GOOD_PATHS.items() if item[1]])
def test_path_reads_and_writes_the_same(text, path):
    assert tiles.parse_path(text) == path
    assert str(path) == f"tile/{text}"


def test_path_knows_the_leaves_under_it():
    assert (TilePath(1, 1, 17).first, TilePath(1, 1, 17).last) == (65_536, 65_536 + 17 * 256)
    assert (TilePath(None, 273, 112).first, TilePath(None, 273, 112).last) == (69_888, 70_000)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, []),
        (1, ["tile/entries/000.p/1", "tile/0/000.p/1"]),
        (256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]),
    ],
)
def test_paths_of_small_trees(size, expected):
    assert list(map(str, tiles.paths(size))) == expected


def test_paths_of_seventy_thousand():
    names = list(map(str, tiles.paths(70_000)))
    assert sum(name.startswith("tile/0/") for name in names) == 274
    assert {"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= set(names)
    assert len(names) == 274 * 2 + 2 + 1


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", b"\x00\x01a\x00"])
def test_cut_entry_bundle_is_refused(data):
    with pytest.raises(TileError):
        tiles.unbundle(data)


def test_entry_bundle_round_trip():
    entries = [b"", b"a", b"x" * 65_535]
    assert tiles.unbundle(tiles.bundle(entries)) == entries
    with pytest.raises(TileError):
        tiles.bundle([b"x" * 65_536])


@pytest.mark.parametrize("tile", [b"", bytes(31), bytes(64)])
def test_tile_of_the_wrong_width_is_refused(tile):
    with pytest.raises(TileError):
        tiles.TileTree(1, lambda *_: tile).root()
    with pytest.raises(TileError):
        tiles.Edge.load(1, lambda *_: tile)


def test_edge_gives_each_tile_once_when_it_is_full():
    edge = tiles.Edge(0, [])
    full = [tile for i in range(65_536) for tile in edge.append(merkle.leaf_hash(b"%d" % i))]
    assert [(tile.level, tile.n) for tile in full if tile.level] == [(1, 0)]
    assert [tile.n for tile in full if tile.level == 0] == list(range(256))
    assert all(
        len(tile.hashes) == 8192 and merkle.fold(tiles.split(tile.hashes)) == tile.root for tile in full
    )
