from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from tests.bench import peer
from watermark.errors import MarkUnreadableError, UnsupportedFrameError
from watermark.haar import Method
from watermark.legacy import (
    KNOWN,
    RECOGNISED_BOUND,
    KnownMessage,
    LegacyState,
    decode_bits,
    embed_bits,
    read_legacy,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "legacy"
SDXL = np.array([int(bit) for bit in "101100111110110010010000011110111011000110011110"], np.uint8)
BITS = np.random.default_rng(5).integers(0, 2, 64).astype(np.uint8)  # of dwtdctsvd-64.png


def drawn(height=256, width=264):
    """The picture under the vectors, which the package itself marked."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 61 + c) * 25 + np.cos(y / (53 + 19 * c)) * 20 + 120 + 10 * c for c in range(3)]
    return np.clip(np.stack(waves, -1), 0, 255).astype(np.uint8)


def vector(name):
    return cv2.imread(str(VECTORS / name))


def photos():
    pictures = (data.astronaut(), data.coffee(), data.rocket(), data.logo()[..., :3])
    return [np.ascontiguousarray(picture[..., 2::-1]) for picture in pictures]


@pytest.fixture(scope="module")
def package():
    found = peer.load()
    if found is None:
        pytest.skip("invisible-watermark is not installed: make peer")
    return found


# ---- bad input ----------------------------------------------------------------------------------

REFUSED = {
    "floats": np.zeros((300, 300, 3), np.float32),
    "not a number": np.full((300, 300, 3), np.nan),
    "two channels": np.zeros((300, 300, 2), np.uint8),
    "five channels": np.zeros((300, 300, 5), np.uint8),
    "a row": np.zeros(300 * 300, np.uint8),
    "a clip": np.zeros((4, 300, 300, 3), np.uint8),
    "nothing": np.zeros((0, 300, 3), np.uint8),
    "signed": np.zeros((300, 300, 3), np.int16),
    "yes and no": np.zeros((300, 300, 3), bool),
}


@pytest.mark.parametrize("image", REFUSED.values(), ids=REFUSED)
def test_what_is_no_picture_is_refused(image):
    for call in (read_legacy, lambda bad: decode_bits(bad, length=8), lambda bad: embed_bits(bad, [0, 1])):
        with pytest.raises(UnsupportedFrameError):
            call(image)


NOT_RUN = {
    "grey": np.zeros((300, 300), np.uint8),
    "grey of one channel": np.zeros((300, 300, 1), np.uint8),
    "grey of 16 bits": np.zeros((300, 300), np.uint16),
    "8 x 8": np.zeros((8, 8, 3), np.uint8),
    "1 x 1": np.zeros((1, 1, 3), np.uint8),
    "255 x 256": np.zeros((255, 256, 3), np.uint8),
    "a line": np.zeros((1, 70000, 3), np.uint8),
}


@pytest.mark.parametrize("image", NOT_RUN.values(), ids=NOT_RUN)
def test_a_picture_that_cannot_carry_the_mark_is_not_read(image):
    read = read_legacy(image)
    assert read.state is LegacyState.NOT_RUN
    assert read.reason


@pytest.mark.parametrize(
    "bits",
    [[], [0, 2], [-1, 1], [0.5], [[0, 1]], ["0", "1"], [1] * 1024 * 2],
    ids=["none", "a two", "negative", "half", "two rows", "text", "more than blocks"],
)
def test_bits_that_cannot_be_written_are_refused(bits):
    with pytest.raises(UnsupportedFrameError):
        embed_bits(drawn(), bits)


@pytest.mark.parametrize("shape", [(300, 300, 4), (300, 300), (200, 200, 3)])
def test_only_whole_colour_pictures_are_marked(shape):
    with pytest.raises(UnsupportedFrameError):
        embed_bits(np.zeros(shape, np.uint8), [0, 1])


@pytest.mark.parametrize("length", [0, -1, 1025])
def test_a_length_that_does_not_fit_is_refused(length):
    with pytest.raises(UnsupportedFrameError):
        decode_bits(drawn(256, 256), length=length)


def test_colours_that_cannot_carry_the_mark_raise_instead_of_lying():
    with pytest.raises(MarkUnreadableError):
        embed_bits(np.full((256, 256, 3), (255, 0, 0), np.uint8), BITS)


# ---- reading ------------------------------------------------------------------------------------


def test_marks_of_the_package_are_read():
    assert np.array_equal(decode_bits(vector("dwtdctsvd-64.png"), length=64, method=Method.DWT_DCT_SVD), BITS)
    assert (decode_bits(vector("dwtdct-sdxl.png"), length=48) == SDXL).sum() == 47  # its own reader: 47


@pytest.mark.parametrize("name", ["dwtdct-sdxl.png", "dwtdct-sdxl-rgb-float.png"])
def test_a_published_message_is_recognised_with_its_bound(name):
    read = read_legacy(vector(name))
    assert (read.state, read.name, read.method) == (LegacyState.RECOGNISED, "Stable Diffusion XL", "dwtDct")
    assert read.matched >= 47
    assert read.false_positive_bound <= RECOGNISED_BOUND


@pytest.mark.parametrize(
    ("method", "read"),
    [
        (Method.DWT_DCT, ["ba81000040000000", "dfddfbfecfdffeff", "0000000000000000", "0200000000003200"]),
        (
            Method.DWT_DCT_SVD,
            ["a00355533f000000", "d43f1944e0760ff9", "0100010002000000", "0000968000001410"],
        ),
    ],
)
def test_unmarked_photographs_give_the_bits_that_the_original_gives(method, read):
    bits = [decode_bits(picture, length=64, method=method) for picture in photos()]
    assert [np.packbits(each).tobytes().hex() for each in bits] == read


def test_a_mark_whose_message_nobody_knows_is_only_suspected():
    read = read_legacy(vector("dwtdctsvd-64.png"))
    assert read.state is LegacyState.SUSPECTED
    assert read.message == np.packbits(BITS).tobytes().hex()
    assert (read.name, read.false_positive_bound) == ("", 1.0)


def test_a_message_of_ones_own_is_recognised():
    own = KnownMessage.of_bits("our outputs of 2023", "".join(map(str, BITS)))
    read = read_legacy(vector("dwtdctsvd-64.png"), known=(*KNOWN, own))
    assert (read.state, read.name) == (LegacyState.RECOGNISED, own.name)


def test_a_text_of_four_letters_is_never_more_than_suspected():
    message = next(known for known in KNOWN if known.name == "SDV2")
    read = read_legacy(embed_bits(photos()[0], [int(bit) for bit in message.bits]))
    assert (read.state, read.name, read.matched) == (LegacyState.SUSPECTED, "SDV2", 32)
    assert read.false_positive_bound > RECOGNISED_BOUND


def test_alpha_and_16_bits_hide_nothing():
    marked = vector("dwtdct-sdxl.png")
    alpha = np.dstack([marked, np.full(marked.shape[:2], 7, np.uint8)])
    for same in (alpha, marked.astype(np.uint16) * 257):
        assert read_legacy(same) == read_legacy(marked)


def test_nothing_is_claimed_of_unmarked_pictures():
    noise = np.random.default_rng(2).integers(0, 256, (300, 411, 3), dtype=np.uint8)
    flat = [np.full((256, 300, 3), level, np.uint8) for level in (0, 9, 128, 255)]
    for picture in (*photos(), noise, drawn(), *flat):
        read = read_legacy(picture)
        assert read.state is LegacyState.NOTHING
        assert (read.message, read.false_positive_bound) == ("", 1.0)


def test_a_cropped_mark_is_not_claimed():
    assert read_legacy(vector("dwtdct-sdxl.png")[3:, 5:]).state is not LegacyState.RECOGNISED


# ---- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(256, 256), (301, 419), (270, 1023)])
def test_what_is_written_is_read_in_any_size(size):
    picture = drawn(*size)
    marked = embed_bits(picture, BITS)
    assert np.array_equal(decode_bits(marked, length=64, method=Method.DWT_DCT_SVD), BITS)
    assert cv2.PSNR(marked, picture) > 40


def test_the_picture_that_was_given_stays_as_it_was():
    picture = drawn()
    embed_bits(picture, BITS)
    assert np.array_equal(picture, drawn())


# ---- beside the original ------------------------------------------------------------------------


@pytest.mark.parametrize("method", Method)
def test_every_bit_is_the_one_that_the_original_reads(package, method):
    for picture in photos():
        small = picture[:259, :331]
        marked = peer.embed(package, small, BITS, method)
        worn = cv2.imdecode(cv2.imencode(".jpg", marked, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], 1)
        for image in (small, marked, worn):
            ours = decode_bits(image, length=64, method=method)
            assert np.array_equal(ours, peer.decode(package, image, 64, method))


def test_the_original_reads_what_is_written(package):
    for picture in photos()[:2]:
        marked = embed_bits(picture[:300, :300], BITS)
        assert np.array_equal(peer.decode(package, marked, 64, "dwtDctSvd"), BITS)


def test_the_vectors_are_the_originals(package):
    assert np.array_equal(peer.embed(package, drawn(), SDXL, "dwtDct"), vector("dwtdct-sdxl.png"))
    assert np.array_equal(peer.embed(package, drawn(), BITS, "dwtDctSvd"), vector("dwtdctsvd-64.png"))
