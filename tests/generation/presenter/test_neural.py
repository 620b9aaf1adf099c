"""Neural lip-sync by its contract, with networks of a few nodes that the tests build themselves."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from generation.engine.errors import (
    ContractMismatchError,
    LicenceRefusedError,
    ModelOutputError,
    WeightsAlteredError,
    WeightsMissingError,
    WeightsUnknownError,
)
from generation.engine.media.colour import from_planes
from generation.engine.types import Image, Planes
from generation.engine.weights.registry import load_registry
from generation.presenter import mel as mels
from generation.presenter.bases import StillBase
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.lipnet import CONTRACTS, LipNet, open_lipnet
from generation.presenter.mouthpaste import aligned_crop, box_crop, crop
from generation.presenter.neural import NeuralEngine, spoken_share
from generation.presenter.scene import Layout, Plate
from generation.presenter.speech import Phone, Speech, Timing, Voice
from tests.generation.presenter.conftest import Portrait
from tests.generation.presenter.idle_clips import still_motion

FPS, RATE = 25, 16_000
LAYOUT = Layout(width_px=480, height_px=360)


def network(
    contract: str = "wav2lip",
    *,
    mel: tuple[object, ...] = (1, 1, 80, 16),
    face: tuple[object, ...] = (),
    names: tuple[str, str] = ("a", "b"),
    tint: float = 0.0,
    gain: float = -0.1,
    extra: bool = False,
    like: str = "",
) -> bytes:
    """The face it is given, brighter by ``tint`` and by ``gain`` x (mean of the mel + 4), 0 in silence."""
    kind = CONTRACTS[like or contract]
    shape = face or (1, kind.channels, kind.side, kind.side)
    inputs = [
        helper.make_tensor_value_info(names[0], TensorProto.FLOAT, mel),
        helper.make_tensor_value_info(names[1], TensorProto.FLOAT, shape),
    ]
    numbers = {"tint": tint, "gain": gain, "four": 4.0}
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [1], [value]) for name, value in numbers.items()]
    nodes = [
        helper.make_node("ReduceMean", [names[0]], ["mean"], keepdims=1),
        helper.make_node("Add", ["mean", "four"], ["loud"]),
        helper.make_node("Mul", ["loud", "gain"], ["moved"]),
        helper.make_node("Add", ["moved", "tint"], ["change"]),
    ]
    source = names[1]
    if kind.channels == 6:
        ends = [("from", [3]), ("to", [6]), ("axis", [1])]
        constants += [helper.make_tensor(name, TensorProto.INT64, [1], value) for name, value in ends]
        nodes.append(helper.make_node("Slice", [source, "from", "to", "axis"], ["whole"]))
        source = "whole"
    nodes.append(helper.make_node("Add", [source, "change"], ["out"]))
    if kind.weighted:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (1,)))
    if extra:
        inputs.append(helper.make_tensor_value_info("pose", TensorProto.FLOAT, (1, 7)))
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 3, kind.side, kind.side))
    graph = helper.make_graph(nodes, "lips", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def opened(contract: str = "wav2lip", **how: object) -> LipNet:
    return LipNet(
        ort.InferenceSession(network(contract, **how), providers=["CPUExecutionProvider"]), contract
    )


# ---- what is refused ---------------------------------------------------------------------------------

MISFITS = {
    "a mel of another size": ("wav2lip", {"mel": (1, 1, 80, 20)}),
    "a face of another size": ("wav2lip", {"face": (1, 6, 128, 128)}),
    "one face of three channels": ("wav2lip", {"face": (1, 3, 96, 96), "like": "edtalk"}),
    "an input nobody knows": ("wav2lip", {"extra": True}),
    "free sizes and strange names": ("edtalk", {"mel": (1, "c", "h", "w"), "face": (1, "d", "i", "j")}),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_network_of_another_contract_is_refused(case: str) -> None:
    contract, how = MISFITS[case]
    with pytest.raises(ContractMismatchError):
        opened(contract, **how)


def test_a_contract_nobody_knows_is_refused() -> None:
    with pytest.raises(ContractMismatchError, match="musetalk"):
        LipNet(None, "musetalk")


@pytest.mark.parametrize("gain", [float("nan"), float("inf"), 9.0, -9.0])
def test_what_is_no_picture_is_refused(gain: float) -> None:
    face = np.full((96, 96, 3), 120, np.uint8)
    with pytest.raises(ModelOutputError):
        opened(gain=gain).speak(face, np.ones((80, 16), np.float32))


def test_a_network_that_does_not_run_is_refused() -> None:
    net = opened(mel=(1, 1, "h", "w"), names=("mel", "face"))
    with pytest.raises(ModelOutputError, match="does not run"):
        net.speak(np.zeros((96, 96, 3), np.uint8), np.zeros((1, 80, 16), np.float32))


def table(blob: bytes, **changes: object) -> str:
    row = {
        "file": "lips.onnx",
        "bytes": len(blob),
        "sha256": hashlib.sha256(blob).hexdigest(),
        "licence": "Apache-2.0",
        "commercial": True,
        "contract": "wav2lip",
    } | changes
    told = {True: "true", False: "false"}
    lines = [
        f"{key} = {told[value] if isinstance(value, bool) else repr(value)}" for key, value in row.items()
    ]
    return "\n".join(["[lips]", *lines]).replace("'", '"')


LICENCES = {
    "non-commercial": ({"licence": "CC-BY-NC-4.0", "commercial": False}, "commercial", LicenceRefusedError),
    "unknown": ({"licence": "unknown"}, "commercial", LicenceRefusedError),
    "a policy nobody knows": ({}, "any", LicenceRefusedError),
    "another contract": ({"contract": "inswapper"}, "commercial", ContractMismatchError),
    "another hash": ({"sha256": "0" * 64}, "commercial", WeightsAlteredError),
    "no file": ({"file": "other.onnx"}, "commercial", WeightsMissingError),
}


@pytest.mark.parametrize("case", LICENCES)
def test_weights_are_used_only_as_the_registry_and_the_policy_allow(case: str, tmp_path: Path) -> None:
    changes, policy, error = LICENCES[case]
    blob = network()
    (tmp_path / "lips.onnx").write_bytes(blob)
    (tmp_path / "site.toml").write_text(table(blob, **changes))

    with pytest.raises(error):
        open_lipnet("lips", registry=load_registry(tmp_path), policy=policy, weights_dir=tmp_path)


def test_registered_weights_are_opened_and_named_for_the_record(tmp_path: Path) -> None:
    blob = network()
    (tmp_path / "lips.onnx").write_bytes(blob)
    (tmp_path / "site.toml").write_text(table(blob))

    net, entry = open_lipnet(
        "lips", registry=load_registry(tmp_path), policy="commercial", weights_dir=tmp_path
    )

    assert (net.name, entry.licence) == ("lips", "Apache-2.0")
    with pytest.raises(WeightsUnknownError):
        open_lipnet("wav2lip", registry=load_registry(), policy="commercial", weights_dir=tmp_path)


# ---- what a network is fed ---------------------------------------------------------------------------


def test_the_mel_scale_is_slaney_s() -> None:
    # the first and last of librosa.mel_frequencies(n_mels=40), as its documentation prints them
    found = mels._hertz(np.linspace(0, mels._mels(11_025), 40))
    assert found[[1, 2, 11, 12, 13, 39]] == pytest.approx(
        [85.317, 170.635, 938.49, 1024.856, 1119.114, 11_025], abs=0.001
    )


def test_a_tone_stands_in_its_own_band_and_silence_in_none() -> None:
    time_s = np.arange(RATE) / RATE
    for hertz in (220.0, 1000.0, 3000.0):
        found = mels.mel((8000 * np.sin(2 * np.pi * hertz * time_s)).astype(np.int16), rate=RATE)
        edges = mels._hertz(np.linspace(mels._mels(55), mels._mels(7600), 82))
        assert found.shape == (80, 81)
        assert abs(int(found[:, 40].argmax()) - int(np.searchsorted(edges[1:-1], hertz))) <= 1
    assert (mels.mel(np.zeros(RATE, np.int16), rate=RATE) == mels.silent()[0, 0]).all()


def test_sound_of_another_rate_is_heard_alike() -> None:
    def chirp(rate: int) -> np.ndarray:
        time_s = np.arange(rate) / rate
        return (6000 * np.sin(2 * np.pi * (200 + 800 * time_s) * time_s)).astype(np.int16)

    one, other = (mels.mel(chirp(rate), rate=rate)[:, 3:-3] for rate in (RATE, 22_050))

    assert np.abs(one - other)[one > -1].mean() < 0.1


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5, 2.0])
def test_every_frame_hears_something(seconds: float) -> None:
    found = mels.mel(np.zeros(round(seconds * RATE), np.int16), rate=RATE)
    frames = round(seconds * FPS)

    assert mels.windows(found, frames=max(1, frames), fps=FPS).shape == (max(1, frames), 80, 16)


def test_frames_hear_their_own_time() -> None:
    found = np.repeat(np.arange(200, dtype=np.float32)[None], 80, 0)
    heard = mels.windows(found, frames=60, fps=FPS)
    assert heard[[0, 25, 50, 59], 0, 0].tolist() == [0, 80, 160, 184]  # the last window ends with the sound


def test_a_face_is_fed_with_its_lower_half_black_and_whole(closed: Portrait) -> None:
    net = opened()
    fed = net._fed(crop(closed.picture, box_crop(closed.mesh, 96), 96))
    assert fed.shape == (1, 6, 96, 96)
    assert (fed[0, :3, :48] == fed[0, 3:, :48]).all()
    assert fed[0, :3, 48:].max() == 0 < fed[0, 3:, 48:].min() + 1e-3
    assert 0 <= fed.min() <= fed.max() <= 1


@pytest.mark.parametrize(("contract", "first"), [("wav2lip", 0), ("edtalk", 2)])
def test_colours_are_fed_in_the_contract_s_order(contract: str, first: int) -> None:
    net = opened(contract)
    side = net.contract.side
    blue = np.zeros((side, side, 3), np.uint8)
    blue[..., 0] = 255

    fed = net._fed(blue)

    assert fed[0, -3:, -1, -1].tolist() == [float(channel == first) for channel in range(3)]
    assert (net.speak(blue, mels.silent()) == blue).all()


def test_crops_show_the_face_where_networks_expect_it(closed: Portrait) -> None:
    def at(into: np.ndarray, point: int) -> np.ndarray:
        return np.asarray(into[:, :2] @ closed.mesh[point, :2] + into[:, 2])

    box = box_crop(closed.mesh, 96)
    assert at(box, 152)[1] == pytest.approx(96, abs=1.5)
    assert 60 < at(box, 13)[1] < 80
    aligned = aligned_crop(closed.mesh, 256)
    assert at(aligned, 61) == pytest.approx(np.array([0.393, 0.725]) * 256, abs=8)
    assert at(aligned, 291) == pytest.approx(np.array([0.611, 0.725]) * 256, abs=8)


# ---- what is shown -----------------------------------------------------------------------------------


def speech(parts: list[tuple[str, float]]) -> Speech:
    """Phones of given lengths: noise where something is said."""
    ends = np.cumsum([0.0, *(length for _, length in parts)])
    phones = tuple(Phone(ipa, float(ends[at]), float(ends[at + 1])) for at, (ipa, _) in enumerate(parts))
    pcm = np.zeros(round(ends[-1] * RATE), np.int16)
    chance = np.random.default_rng(5)
    for phone in phones:
        part = slice(round(phone.start_s * RATE), round(phone.end_s * RATE))
        pcm[part] = chance.normal(0, 3000, part.stop - part.start) if phone.ipa else 0
    return Speech(pcm, RATE, phones, (), "test", Timing.EXACT, Voice("v"))


def performed(frames: int) -> Performance:
    return Performance(np.ones((frames, 7)), still_motion(frames))


@pytest.fixture(scope="module")
def plate(closed: Portrait) -> Plate:
    scale = 360 / closed.picture.shape[0]
    small = cv2.resize(closed.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Plate(
        np.asarray(small, np.uint8), np.ones(small.shape[:2], np.float32), closed.mesh * np.float32(scale)
    )


def driven(net: LipNet, said: Speech, plate: Plate, *, first: int = 0, count: int = 0) -> list[Planes]:
    frames = count or round(said.duration_s * FPS)
    engine = NeuralEngine(net, StillBase(), said, first=first)
    return list(engine.frames(plate, LAYOUT, performed(frames), fps=FPS))


def still(plate: Plate) -> Image:
    performance = performed(1)
    return from_planes(next(StillBase().shown(plate, LAYOUT, performance, fps=FPS)).planes())


SAID = [("", 0.4), ("a", 0.48), ("", 0.4), ("a", 0.2), ("", 0.12), ("a", 0.4)]


def test_there_is_exactly_one_frame_for_each_of_the_speech(plate: Plate) -> None:
    for said in (SAID, [("a", 0.04)], [("a", 0.52)]):
        assert len(driven(opened(), speech(said), plate)) == round(sum(length for _, length in said) * FPS)


def test_pauses_show_the_idle_mouth_and_short_ones_do_not(plate: Plate) -> None:
    found = driven(opened(), speech(SAID), plate)
    rest = still(plate)

    off = [float(cv2.absdiff(from_planes(each), rest).mean()) for each in found]

    assert max(off[:8]) == 0  # before the first sound
    assert min(off[11:22]) > 0.1
    assert max(off[25:29]) == 0  # in the middle of the pause
    assert min(off[33:49]) > 0.05  # 120 ms are no pause


def test_the_mouth_fades_into_a_pause_and_out_of_it() -> None:
    phones = speech(SAID).phones
    share = spoken_share(phones, frames=50, fps=FPS)

    assert share[:8].tolist() == [0] * 8
    assert share[10:22].tolist() == [1] * 12
    assert 0 < share[22] < 1
    assert 0 < share[31] < 1
    assert share[32:].tolist() == [1] * 18
    assert np.abs(np.diff(share[11:])).max() < 0.9


def test_nothing_but_the_mouth_changes(plate: Plate) -> None:
    found = from_planes(driven(opened(gain=-0.08), speech([("a", 0.4)]), plate)[5])

    changed = np.argwhere(cv2.absdiff(found, still(plate)).max(2) > 2)
    left = (480 - plate.picture.shape[1]) // 2
    lips = plate.mesh[[61, 291], :2].mean(0)[::-1] + np.array([0, left])
    unit = float(np.linalg.norm(plate.mesh[33, :2] - plate.mesh[263, :2]))
    assert len(changed) > 120
    assert (np.abs(changed - lips) < (0.62 * unit, 0.5 * unit)).all()
    assert changed[:, 0].min() > plate.mesh[2, 1]  # the nose stays
    assert changed[:, 0].max() < plate.mesh[152, 1]  # and the chin's edge


@pytest.mark.parametrize("contract", ["wav2lip", "edtalk"])
@pytest.mark.parametrize("tint", [-0.08, 0.0, 0.1])
def test_lips_keep_their_colour_whatever_the_network_s(tint: float, contract: str, plate: Plate) -> None:
    found = from_planes(driven(opened(contract, tint=tint, gain=0.0), speech([("a", 0.2)]), plate)[2])

    left = (480 - plate.picture.shape[1]) // 2
    ring = np.zeros(found.shape[:2], np.uint8)
    points = plate.mesh[[61, 37, 0, 267, 291, 314, 17, 84], :2] + (left, 0)
    cv2.fillPoly(ring, [points.astype(np.int32)], 1)
    lips = [picture[ring > 0].mean(0) for picture in (found, still(plate))]
    assert np.abs(lips[0] - lips[1]).max() < 3


def test_a_part_shows_what_the_whole_shows_there(plate: Plate) -> None:
    said = speech(SAID)
    whole = driven(opened(), said, plate)

    part = driven(opened(), said, plate, first=12, count=5)

    for a, b in zip(part, whole[12:17], strict=True):
        assert (a.y == b.y).all()


def test_a_performance_longer_than_its_speech_is_refused(plate: Plate) -> None:
    with pytest.raises(DrivingMismatchError, match="10 frames, 11"):
        driven(opened(), speech([("a", 0.4)]), plate, count=11)


def test_names_decide_where_sizes_are_free() -> None:
    net = opened("wav2lip", mel=(1, 1, "h", "w"), face=(1, "c", "i", "j"), names=("source", "target"))
    face = np.full((96, 96, 3), 90, np.uint8)
    assert (net.speak(face, mels.silent()) == face).all()


def test_the_share_of_speech_without_pauses_is_whole() -> None:
    phones = replace(speech([("a", 1.0)]), marks={}).phones
    assert (spoken_share(phones, frames=25, fps=FPS) == 1).all()
