import json
import struct
import zlib

import cv2
import numpy as np
import pytest

from watermark import pictures
from watermark.errors import AigcLabelError, ContainerError, LabelLostError, ProviderCodeError
from watermark.metadata import (
    LABEL_MAX,
    AigcLabel,
    AigcState,
    ProviderRole,
    SourceType,
    check_label,
    embed_label,
    provider_code,
    read_label,
)

CREDIT = "91110000100012345X"
TEXT = (
    '{"Label":"1","ContentProducer":"001191110000100012345X1DEMO","ProduceID":"7c1d2f9e0a5b4c33",'
    '"ReservedCode1":"leaf 48213","ContentPropagator":"001191110000100012345X2DEMO",'
    '"PropagateID":"7c1d2f9e0a5b4c33","ReservedCode2":""}'
)


def picture(kind):
    bgr = np.full((32, 48, 3), 90, np.uint8)
    return cv2.imencode(f".{kind}", bgr)[1].tobytes()


def with_xmp(data, packet):
    """A PNG file with this XMP packet, whatever is in it."""
    chunk = pictures.png_chunk(b"iTXt", pictures.XMP_PNG_KEYWORD + b"\0\0\0\0\0" + packet)
    return data[:33] + chunk + data[33:]


def xmp(text, prefix=""):
    return (
        f'{prefix}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">'
        f"<TC260:AIGC>{text}</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def label_of(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    return read_label(path)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credit", "application"),
    [
        ("", "DEMO"),
        (CREDIT[:-1], "DEMO"),
        (CREDIT + "1", "DEMO"),
        (CREDIT.lower(), "DEMO"),
        ("I" + CREDIT[1:], "DEMO"),
        ("中" * 18, "DEMO"),
        (CREDIT, "DEM"),
        (CREDIT, "DEMO1"),
        (CREDIT, "D\nMO"),
    ],
)
def test_provider_code_of_a_wrong_form_is_refused(credit, application):
    with pytest.raises(ProviderCodeError):
        provider_code(credit, application=application)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "[]",
        "{}",
        "{'Label':'1'}",
        '{"Label":1,"ContentProducer":"p","ProduceID":"i"}',
        '{"Label":"1","ContentProducer":"p"}',
        '{"Label":"4","ContentProducer":"p","ProduceID":"i"}',
        '{"Label":"1","ContentProducer":"","ProduceID":"i"}',
        '{"Label":"1","Label":"2","ContentProducer":"p","ProduceID":"i"}',
        '{"Label":"1","ContentProducer":"p","ProduceID":"i","Extra":["x"]}',
        '{"Label":"1","ContentProducer":"p","ProduceID":"' + "i" * LABEL_MAX + '"}',
        "[" * 100_000,
    ],
    ids=range(13),
)
def test_malformed_label_is_refused(tmp_path, text):
    with pytest.raises(AigcLabelError):
        AigcLabel.parse(text)
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    assert label_of(tmp_path, with_xmp(picture("png"), xmp(escaped))).state is AigcState.MALFORMED


@pytest.mark.parametrize("produce_id", ["", "a\x00b", "a\nb", "\ud800", "\ufffe", "i" * 40_000])
def test_label_that_cannot_be_written_is_refused(produce_id):
    with pytest.raises(AigcLabelError):
        AigcLabel("1", "producer", produce_id).to_json()


BILLION = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "packet",
    [xmp("&c;", BILLION), xmp("&b;", EXTERNAL), xmp(TEXT)[:-9], xmp(TEXT, "<!DOCTYPE a>"), xmp("&u;")],
    ids=["entities", "external entity", "cut off", "document type", "undefined entity"],
)
def test_hostile_xmp_is_malformed(tmp_path, packet):
    assert label_of(tmp_path, with_xmp(picture("png"), packet)).state is AigcState.MALFORMED


def test_two_copies_are_malformed(tmp_path, aigc):
    data = with_xmp(embed_label(picture("png"), aigc), xmp(TEXT))
    found = label_of(tmp_path, data)
    assert found.state is AigcState.MALFORMED
    assert "2 AIGC labels" in found.reason


def test_compressed_bomb_is_not_unpacked(tmp_path):
    packed = zlib.compress(b" " * (64 << 20))
    chunk = pictures.png_chunk(b"iTXt", pictures.XMP_PNG_KEYWORD + b"\0\1\0\0\0" + packed)
    data = picture("png")
    assert label_of(tmp_path, data[:33] + chunk + data[33:]).state is AigcState.ABSENT


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0", b"\0\0\0\x08ftyp"], ids=range(5)
)
def test_file_that_is_none_has_no_label(tmp_path, data):
    found = label_of(tmp_path, data)
    assert found.state in {AigcState.ABSENT}
    assert found.label is None


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_cut_off_picture_is_refused(kind, aigc):
    data = picture(kind)
    for size in (3, 12, 21, len(data) // 2 if kind == "png" else 60):
        with pytest.raises(ContainerError):
            embed_label(data[:size], aigc)


def test_mp4_is_labelled_by_its_muxer_only(aigc):
    with pytest.raises(ContainerError):
        embed_label(b"\0\0\0\x18ftypisom" + bytes(16), aigc)


@pytest.mark.parametrize(
    "moov",
    [
        struct.pack(">I4s", 2000, b"meta"),
        struct.pack(">I4s", 4, b"udta"),
        struct.pack(">I4sQ", 1, b"udta", 1 << 62),
    ],
    ids=["over the end", "too small", "huge"],
)
def test_malformed_boxes_give_no_label(tmp_path, moov):
    data = struct.pack(">I4s8s", 16, b"ftyp", b"isom") + struct.pack(">I4s", 8 + len(moov), b"moov") + moov
    found = label_of(tmp_path, data)
    assert found.state is AigcState.ABSENT
    assert "runs over" in found.reason


# ---- what must work -----------------------------------------------------------------------------


def test_provider_code_has_27_characters():
    code = provider_code(CREDIT, role=ProviderRole.PROPAGATION, application="DEMO")
    assert code == "001191110000100012345X2DEMO"
    assert len(code) == 27


def test_json_is_canonical(aigc):
    assert aigc.to_json() == TEXT
    assert AigcLabel.parse(TEXT) == aigc
    assert list(json.loads(TEXT)) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("producer", ["001191110000100012345X1DEMO", "示范银行 <&\"'> ]]>"])
def test_picture_gives_its_label_back(tmp_path, kind, producer):
    label = AigcLabel("1", producer, "id-1")
    data = embed_label(picture(kind), label)
    path = tmp_path / f"picture.{kind}"
    path.write_bytes(data)
    assert check_label(path, label.to_json()) == label
    assert SourceType.COMPOSITE.encode() in data
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded, cv2.imdecode(np.frombuffer(picture(kind), np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_new_label_replaces_the_old_one(tmp_path, kind, aigc):
    data = embed_label(embed_label(picture(kind), AigcLabel("3", "other", "old")), aigc)
    assert label_of(tmp_path, data).text == TEXT
    assert data == embed_label(picture(kind), aigc)


def test_picture_data_of_a_png_becomes_one_chunk(tmp_path, aigc):
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8)
    data = cv2.imencode(".png", noise)[1].tobytes()
    assert data.count(b"IDAT") > 1
    done = embed_label(data, aigc)
    assert [part.name for part in pictures.png_chunks(done)] == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]
    assert np.array_equal(cv2.imdecode(np.frombuffer(done, np.uint8), cv2.IMREAD_COLOR), noise)


def test_label_as_png_text_or_xmp_attribute_is_read_too(tmp_path):
    data = picture("png")
    chunk = pictures.png_chunk(b"tEXt", b"AIGC\0" + TEXT.encode())
    assert label_of(tmp_path, data[:33] + chunk + data[33:]).text == TEXT
    quoted = TEXT.replace('"', "&quot;")
    packet = f'<d xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" TC260:AIGC="{quoted}"/>'.encode()
    assert label_of(tmp_path, with_xmp(data, packet)).text == TEXT


def test_file_without_label_is_absent(tmp_path, luma, muxed):
    assert label_of(tmp_path, picture("png")).state is AigcState.ABSENT
    assert label_of(tmp_path, picture("jpg")).state is AigcState.ABSENT
    assert read_label(muxed([luma(240, 320)] * 2, tmp_path / "clip.mp4")).state is AigcState.ABSENT


@pytest.mark.parametrize("movflags", ["+use_metadata_tags+faststart", "+use_metadata_tags"])
def test_mp4_gives_its_label_back(tmp_path, luma, muxed, movflags, aigc):
    path = muxed([luma(240, 320)] * 2, tmp_path / "clip.mp4", {"AIGC": TEXT, "title": "x"}, movflags)
    assert check_label(path, TEXT) == aigc


def test_muxer_that_drops_the_label_fails_the_job(tmp_path, luma, muxed):
    path = muxed([luma(240, 320)] * 2, tmp_path / "clip.mp4", {"AIGC": TEXT}, "+faststart")
    with pytest.raises(LabelLostError):
        check_label(path, TEXT)


def test_label_that_differs_by_an_octet_fails_the_job(tmp_path, luma, muxed):
    path = muxed([luma(240, 320)] * 2, tmp_path / "clip.mp4", {"AIGC": TEXT.replace("4c33", "4c34")})
    with pytest.raises(LabelLostError):
        check_label(path, TEXT)
