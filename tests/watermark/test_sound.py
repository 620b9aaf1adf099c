"""The sound mark: what it refuses, what it leaves, what it survives, and whom it never names by chance."""

import hashlib
import math
import struct
import wave

import av
import numpy as np
import pytest
from scipy.signal import resample_poly

from tests.watermark import sound_attacks as attacks
from tests.watermark import voice
from watermark import listening, sound_search, sound_speed
from watermark.errors import DecodeLimitError, StrengthUnsetError, UnreadableError, UnsupportedSoundError
from watermark.payload import CODE_BITS, GENERATORS, MarkKeys, encode, message
from watermark.sound import (
    CODE_STEP,
    PERIOD,
    RATE_HZ,
    READABLE,
    TILE,
    TILES,
    Pattern,
    SoundCarrier,
    SoundGauge,
    SoundMarker,
)
from watermark.sound_evidence import NOWHERE, Evidence, Residuals, correlate, decode, likeliest_bits, locate
from watermark.sound_search import read_intact_sound, read_sound
from watermark.state import MarkState

SPEECH = {"man": {"seed": 1}, "woman": {"pitch_hz": 205, "size": 1.15, "seed": 2}}


@pytest.fixture(scope="module")
def tone(keys):
    return SoundCarrier(keys)


@pytest.fixture(scope="module")
def made(tone, mark_id):
    """made(sound, ...): the marked sound (n,) at 16 kHz, and its marker."""

    def make(sound, *, carrier=tone, said=mark_id):
        gauge = SoundGauge(rate_hz=RATE_HZ, channels=1)
        gauge.feed(sound[:, None])
        strength = gauge.plan().strength
        marker = SoundMarker(carrier, said, rate_hz=RATE_HZ, channels=1, strength=strength)
        return np.concatenate([marker.feed(sound[:, None]), marker.flush()])[:, 0], marker

    return make


@pytest.fixture(scope="module")
def spoken(made):
    """Marked speech of 12 s, by voice."""
    return {name: made(voice.speech(12, **kind))[0] for name, kind in SPEECH.items()}


@pytest.fixture
def heard(tmp_path, keys):
    """heard(sound, ...): what the search says of it as a WAV file, without the search over speeds."""

    def hear(sound, *, whose=None, **options):
        path = attacks.write(sound, tmp_path / "a.wav", codec="pcm_s16le", bits=0, rate_hz=RATE_HZ)
        return read_intact_sound(path, keys=whose or [keys], **options)

    return hear


def snr_db(before, after):
    return 10 * math.log10(np.square(before).sum() / np.square(after - before).sum())


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(7_999, 1), (0, 1), (-16_000, 1), (192_001, 2), (48_000, 0), (48_000, 9)]
)
def test_rate_or_channels_that_cannot_be_marked_are_refused(tone, rate_hz, channels):
    with pytest.raises(UnsupportedSoundError):
        SoundGauge(rate_hz=rate_hz, channels=channels)
    with pytest.raises(UnsupportedSoundError):
        SoundMarker(tone, 1, rate_hz=rate_hz, channels=channels, strength=1e-3)


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros((100, 2), np.uint8),
        np.zeros((100, 2), np.int16),
        np.zeros((100, 2), np.float64),
        np.zeros((100, 1), np.float32),
        np.zeros((2, 100), np.float32),
        np.zeros(100, np.float32),
        np.full((100, 2), np.nan, np.float32),
        np.full((100, 2), np.inf, np.float32),
    ],
    ids=["8 bit", "16 bit", "double", "mono", "turned", "flat", "no numbers", "infinite"],
)
def test_block_that_is_not_the_streams_is_refused(tone, pcm):
    for taker in (
        SoundGauge(rate_hz=48_000, channels=2),
        SoundMarker(tone, 1, rate_hz=48_000, channels=2, strength=1e-3),
    ):
        with pytest.raises(UnsupportedSoundError):
            taker.feed(pcm)


@pytest.mark.parametrize("strength", [0.0, -1.0, math.nan])
def test_sound_without_strength_is_refused(tone, strength):
    with pytest.raises(StrengthUnsetError):
        SoundMarker(tone, 1, rate_hz=48_000, channels=2, strength=strength)


@pytest.mark.parametrize(
    ("seconds", "level", "reason"),
    [(0, 0, "shorter"), (1.9, 0.1, "shorter"), (3, 0, "mute"), (3, 5e-5, "mute")],
)
def test_short_or_mute_sound_is_left_alone(seconds, level, reason):
    gauge = SoundGauge(rate_hz=16_000, channels=1)
    gauge.feed(np.full((int(seconds * 16_000), 1), level, np.float32))
    plan = gauge.plan()
    assert not plan.carries
    assert reason in plan.reason


# ---- the format ---------------------------------------------------------------------------------

# Master, tenant, id; start tile; SHA-256 of the 7372 coefficients of the first and of the last tile as int8.
GOLDEN = [
    (
        bytes(32),
        "bank-a",
        1,
        26,
        "679087ee4f235c4d7f0b22af2e8e232487fef35674ecd2c668adfff8b3591ff4",
        "11a78d4c7dbe712a8d2712c442372db0452846d0f9f612054d72f37e1051b5f7",
    ),
    (
        bytes(range(32)),
        "bank-b",
        0x0123456789ABCDEF,
        41,
        "13d305da2e244f1c952f56f42ce2f4c5112735daca8e7af8d20e2a4de2682b7d",
        "1e607850ef7a8de01e08f800b28c77796ec64ed9f7f9c32b3d104d2db30ba268",
    ),
    (
        b"\xff" * 48,
        "分行",
        2**64 - 1,
        23,
        "d8eaea16ea251387482db0d2531bab88893e9bc4446b902c6b359320efa8a45b",
        "92be2b769d039ae4f6fdb41af0316f829fb8354930e88b61a5e0cea302594c36",
    ),
]


@pytest.mark.parametrize(("master", "tenant", "said", "start", "first", "last"), GOLDEN)
def test_format_gives_its_golden_vectors(master, tenant, said, start, first, last):
    carrier = SoundCarrier(MarkKeys(master, tenant))
    tiles = carrier.coefficients(said)
    assert carrier.start(said) == start
    assert hashlib.sha256(tiles[0].tobytes()).hexdigest() == first
    assert hashlib.sha256(tiles[TILES - 1].tobytes()).hexdigest() == last


def test_format_is_the_keyed_one_that_is_written_down(keys, mark_id):
    """The same coefficients from the words of ARCHITECTURE, without the code under test."""
    dims, cut = 7372, 2211
    stream = hashlib.shake_256(keys.sync + b" sound" + b"places").digest(8 * dims)
    order = np.argsort(np.frombuffer(stream, "<u8"), kind="stable")
    pilots, data = np.sort(order[:cut]), order[cut:]
    code = 1 - 2 * encode(message(keys, mark_id)).astype(int)

    def signs(key, count):
        octets = hashlib.shake_256(key + b" sound" + b"signs").digest(-(-count // 8))
        return 1 - 2 * np.unpackbits(np.frombuffer(octets, np.uint8))[:count].astype(int)

    tile = 5
    expected = np.empty(dims, int)
    expected[pilots] = signs(keys.sync, TILES * cut).reshape(TILES, cut)[tile]
    of_data = signs(keys.data, TILES * len(data)).reshape(TILES, len(data))[tile]
    expected[data] = of_data * code[(np.arange(len(data)) + CODE_STEP * tile) % CODE_BITS]
    assert np.array_equal(SoundCarrier(keys).coefficients(mark_id)[tile], expected)
    assert len(code) == CODE_BITS == 112 * len(GENERATORS)


def test_no_tile_returns_within_the_period(tone, mark_id):
    tiles = tone.coefficients(mark_id).astype(np.float32)
    alike = tiles @ tiles.T / tone.dims
    assert np.abs(alike - np.eye(TILES)).max() < 0.08


def test_ids_begin_at_tiles_of_their_own(tone):
    assert len({tone.start(said) for said in range(1, 60)}) > 25


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000, 192_000])
def test_pattern_is_the_same_at_every_rate(tone, mark_id, rate_hz):
    whole = Pattern(tone, mark_id, rate_hz=rate_hz).part(-700, 3 * rate_hz)
    pieces = Pattern(tone, mark_id, rate_hz=rate_hz)
    split = [pieces.part(start, 997) for start in range(-700, -700 + 997 * 5, 997)]
    assert np.abs(np.concatenate(split) - whole[: 997 * 5]).max() < 1e-5
    plain = Pattern(tone, mark_id, rate_hz=RATE_HZ).part(0, 2 * RATE_HZ)
    common = math.gcd(rate_hz, RATE_HZ)
    again = resample_poly(whole[700:].astype(float), RATE_HZ // common, rate_hz // common)[: 2 * RATE_HZ]
    inside = slice(RATE_HZ // 2, RATE_HZ)
    assert np.corrcoef(plain[inside], again[inside])[0, 1] > (0.95 if rate_hz == 8_000 else 0.99)


# ---- what it does to a sound --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate_hz", "channels", "seconds"),
    [(48_000, 2, 4), (44_100, 1, 4), (22_050, 2, 4), (8_000, 1, 4), (192_000, 1, 3), (16_000, 6, 3)],
)
def test_marked_sound_is_as_long_and_close_to_the_original(tone, mark_id, rate_hz, channels, seconds):
    mono = voice.speech(seconds, rate_hz=rate_hz, seed=4)
    sound = mono[:, None] * np.linspace(1, 0.3, channels, dtype=np.float32)
    gauge = SoundGauge(rate_hz=rate_hz, channels=channels)
    gauge.feed(sound)
    marker = SoundMarker(tone, mark_id, rate_hz=rate_hz, channels=channels, strength=gauge.plan().strength)
    marked = np.concatenate([marker.feed(sound), marker.flush()])
    assert marked.shape == sound.shape
    assert marked.dtype == np.float32
    assert 26.0 <= snr_db(sound, marked) <= 29.5


@pytest.mark.parametrize("size", [1, 1024, 5000])
def test_pieces_of_any_size_give_the_same_sound(tone, mark_id, size):
    sound = voice.speech(1 if size == 1 else 3, rate_hz=8_000)[:, None]
    whole, pieces = (SoundMarker(tone, mark_id, rate_hz=8_000, channels=1, strength=1e-3) for _ in range(2))
    at_once = np.concatenate([whole.feed(sound), whole.flush()])
    parts = [pieces.feed(sound[start : start + size]) for start in range(0, len(sound), size)]
    assert np.abs(np.concatenate([*parts, pieces.flush()]) - at_once).max() < 1e-6


@pytest.mark.parametrize("count", [0, 1, 1600])
def test_a_sound_of_no_length_comes_out_as_it_went_in(tone, mark_id, count):
    marker = SoundMarker(tone, mark_id, rate_hz=16_000, channels=1, strength=1e-3)
    sound = voice.speech(1)[:count, None]
    assert np.concatenate([marker.feed(sound), marker.flush()]).shape == (count, 1)


def test_silence_stays_silence(made):
    sound = voice.speech(6)
    sound[2 * RATE_HZ : 4 * RATE_HZ] = 0
    marked, _ = made(sound)
    inside = slice(2 * RATE_HZ + 512, 4 * RATE_HZ - 512)
    assert not marked[inside].any()


def test_nothing_is_heard_before_a_sudden_sound(made):
    """A frame of 32 ms that holds a beat must not spread noise over the quiet before it."""
    rng = np.random.default_rng(2)
    sound = rng.normal(0, 1e-3, 4 * RATE_HZ).astype(np.float32)
    beats = range(RATE_HZ // 2, 4 * RATE_HZ, RATE_HZ // 2)
    fall = rng.normal(0, 0.2, 1600) * np.exp(-np.arange(1600) / 400)
    for beat in beats:
        sound[beat : beat + 1600] += fall
    change = made(sound)[0] - sound
    before = [change[beat - 480 : beat] for beat in beats]
    assert np.sqrt(np.square(before).mean()) < 1e-3 / 4


def test_both_channels_carry_the_mark_and_so_does_their_mix(tone, mark_id, heard):
    left, right = voice.speech(6, seed=5), 0.2 * voice.music(6)
    marker = SoundMarker(tone, mark_id, rate_hz=RATE_HZ, channels=2, strength=2e-3)
    marked = np.concatenate([marker.feed(np.stack([left, right], axis=1)), marker.flush()])
    for mono in (marked[:, 0], marked[:, 1], marked.mean(axis=1)):
        assert heard(mono).mark_id == mark_id


# ---- what it survives ---------------------------------------------------------------------------

FIVE_S = slice(int(3.3 * RATE_HZ), int(8.3 * RATE_HZ))
ATTACKS = {
    "none": lambda y: y[FIVE_S],
    "AAC 48k": lambda y: attacks.coded(y[FIVE_S], "aac", 48_000),
    "AAC 96k": lambda y: attacks.coded(y[FIVE_S], "aac", 96_000),
    "MP3 64k": lambda y: attacks.coded(y[FIVE_S], "libmp3lame", 64_000),
    "Opus 32k": lambda y: attacks.coded(y[FIVE_S], "libopus", 32_000),
    "cut to 4.7 s": lambda y: y[int(3.3 * RATE_HZ) : int(8 * RATE_HZ)],
    "telephone, 8 kHz": lambda y: attacks.telephone(y[FIVE_S]),
    "noise 20 dB below, 10 s": lambda y: attacks.noisy(y[: 10 * RATE_HZ], 20),
    "quieter by 30 dB": lambda y: y[FIVE_S] * 0.03,
    "polarity": lambda y: -y[FIVE_S],
    "AAC 48k, then MP3 64k": lambda y: attacks.coded(
        attacks.coded(y[FIVE_S], "aac", 48_000), "libmp3lame", 64_000
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("who", SPEECH)
def test_id_is_exact_after(spoken, heard, mark_id, who, name):
    found = heard(ATTACKS[name](spoken[who]))
    assert (found.state, found.mark_id, found.tenant) == (MarkState.PRESENT, mark_id, "bank-a")
    assert found.inverted == (name == "polarity")
    assert found.false_positive_bound == found.decodes * 2**-40
    assert found.false_positive_bound < 1e-9


def test_begin_of_a_piece_is_told(spoken, heard):
    assert heard(spoken["man"][FIVE_S]).start_s == pytest.approx(3.3, abs=0.001)


@pytest.mark.parametrize("speed", [1.0205, 0.9604])
def test_speed_is_found_and_undone(spoken, tmp_path, keys, mark_id, speed):
    sound = attacks.played(spoken["woman"], speed)[RATE_HZ:]
    path = attacks.write(sound, tmp_path / "a.wav", codec="pcm_s16le", bits=0, rate_hz=RATE_HZ)
    found = read_sound(path, keys=[keys], budget_s=120)
    assert found.mark_id == mark_id
    assert found.speed == pytest.approx(speed, abs=1e-4)
    assert found.start_s == pytest.approx(speed, abs=0.01)


def test_folding_the_sound_without_the_key_leaves_the_id(made, tone, mark_id):
    sound = voice.speech(30, seed=6)
    periodic = SoundCarrier(tone.keys)
    periodic.signs = np.repeat(periodic.signs[:1], TILES, axis=0)
    periodic.code_bit = np.repeat(periodic.code_bit[:1], TILES, axis=0)

    def z(carrier):
        marked, _ = made(sound, carrier=carrier)
        return [_read(carrier, attacks.folded(marked, TILE, strength)) for strength in (0.0, 1.0)]

    (before, _), (after, found) = z(tone)
    assert found == mark_id
    assert after > 0.8 * before
    (before, _), (after, _) = z(periodic)
    assert after < 0.25 * before, "the attack itself must work on a periodic mark"


def test_second_mark_leaves_the_first_readable(spoken, made, heard, mark_id):
    found = heard(made(spoken["man"], said=77)[0])
    assert {found.mark_id, *found.others} == {mark_id, 77}


def test_mark_of_another_tenant_leaves_ours_readable(spoken, made, heard, keys, mark_id):
    other = MarkKeys(keys.master, "bank-b")
    both = made(spoken["man"], carrier=SoundCarrier(other), said=77)[0]
    assert heard(both).mark_id == mark_id
    assert heard(both, whose=[other]).mark_id == 77


def test_expected_evidence_tells_what_will_read_back(made, tone, mark_id):
    rich, marker = made(voice.speech(6))
    assert marker.evidence > READABLE
    assert _read(tone, rich)[1] == mark_id
    hiss = np.random.default_rng(3).normal(0, 0.1, 12 * RATE_HZ).astype(np.float32)
    assert made(hiss)[1].evidence < READABLE


# ---- whom it never names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sound",
    [voice.speech(12, seed=7), voice.music(12), 0.1 * voice.speech(12, seed=8)],
    ids=["speech", "music", "quiet"],
)
def test_unmarked_sound_names_nobody(heard, sound):
    found = heard(sound)
    assert (found.state, found.mark_id) == (MarkState.ABSENT, None)
    assert found.decodes <= 4
    assert found.z < 6.5


def test_other_masters_key_sees_nothing(spoken, heard):
    found = heard(spoken["man"], whose=[MarkKeys(bytes(range(1, 33)), "bank-a")])
    assert (found.state, found.mark_id) == (MarkState.ABSENT, None)


def test_other_tenants_key_suspects_and_names_nobody(spoken, heard, keys):
    found = heard(spoken["man"], whose=[MarkKeys(keys.master, "bank-b")])
    assert (found.state, found.mark_id) == (MarkState.SUSPECTED, None)


def test_tags_of_500_keys_match_no_oftener_than_chance(spoken):
    evidence = _evidence(spoken["man"][: 2 * RATE_HZ])
    hits = 0
    for number in range(500):
        keys = MarkKeys(number.to_bytes(32, "big"), "bank-a")
        carrier = SoundCarrier(keys)
        octets = np.packbits(likeliest_bits(carrier, correlate(carrier, evidence, NOWHERE))).tobytes()
        right = np.packbits(message(keys, int.from_bytes(octets[:8], "big") or 1)).tobytes()
        hits += octets[8] == right[8]
    assert hits <= 9, "500 / 256 are expected; more than 9 has a probability of 1e-4"


# ---- files --------------------------------------------------------------------------------------


def test_speed_is_searched_to_the_end_before_absent_is_said(tmp_path, keys, monkeypatch):
    monkeypatch.setattr(sound_speed, "NEAR", 0.001)
    monkeypatch.setattr(sound_speed, "FASTEST", 0.002)
    path = attacks.write(voice.speech(6), tmp_path / "a.m4a", rate_hz=RATE_HZ)
    found = read_sound(path, keys=[keys], budget_s=60)
    assert (found.state, found.complete, found.reason) == (MarkState.ABSENT, True, "")


def test_spent_budget_is_never_absent(tmp_path, keys):
    path = attacks.write(voice.speech(6), tmp_path / "a.m4a", rate_hz=RATE_HZ)
    found = read_sound(path, keys=[keys], budget_s=0.2)
    assert (found.state, found.complete) == (MarkState.NOT_RUN, False)
    assert "time" in found.reason


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", "m4a"), ("libmp3lame", "mp3"), ("libopus", "ogg"), ("flac", "flac")]
)
def test_files_of_every_kind_are_heard(tmp_path, spoken, keys, mark_id, codec, suffix):
    sound = resample_poly(spoken["woman"], 3, 1).astype(np.float32)
    path = attacks.write(sound, tmp_path / f"a.{suffix}", codec=codec, bits=0 if codec == "flac" else 96_000)
    assert read_intact_sound(path, keys=[keys]).mark_id == mark_id


def test_mute_or_missing_sound_is_said(tmp_path, heard, keys, muxed):
    assert heard(np.zeros(4 * RATE_HZ, np.float32)).reason == "mute"
    silent = muxed([np.full((64, 64), 80, np.uint8)] * 3, tmp_path / "a.mp4")
    found = read_intact_sound(silent, keys=[keys])
    assert (found.state, found.reason) == (MarkState.NOT_RUN, "no sound")


def test_short_sound_is_not_called_absent(heard):
    found = heard(voice.speech(1))
    assert (found.state, found.complete) == (MarkState.NOT_RUN, False)


def test_no_keys_is_not_absent(heard, tmp_path):
    path = attacks.write(voice.speech(3), tmp_path / "a.wav", codec="pcm_s16le", bits=0, rate_hz=RATE_HZ)
    assert read_intact_sound(path, keys=[]).state is MarkState.NOT_RUN


def test_samples_that_are_no_numbers_are_silence(tmp_path, spoken, keys, mark_id):
    sound = spoken["man"].copy()
    sound[1000:1100], sound[2000], sound[3000] = np.nan, np.inf, 1e30
    path = attacks.write(sound, tmp_path / "a.wav", codec="pcm_f32le", bits=0, rate_hz=RATE_HZ)
    assert read_intact_sound(path, keys=[keys]).mark_id == mark_id


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no sound at all" * 50, b"#EXTM3U\n/etc/passwd\n"])
def test_file_that_is_no_media_is_unreadable(tmp_path, keys, data):
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(UnreadableError):
        read_intact_sound(path, keys=[keys])
    with pytest.raises(UnreadableError):
        read_intact_sound(tmp_path / "missing.wav", keys=[keys])


@pytest.mark.parametrize(("rate_hz", "channels"), [(1, 1), (2**31 - 1, 1), (48_000, 255)])
def test_hostile_header_is_not_heard(tmp_path, keys, rate_hz, channels):
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, rate_hz, channels, 8)
    data = b"\x10\x90" * 50_000
    body = b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = read_intact_sound(path, keys=[keys])
    assert (found.state, found.complete) == (MarkState.NOT_RUN, False)
    assert "unknown here" in found.reason


def test_sound_that_breaks_off_is_read_as_far_as_it_goes(tmp_path, spoken, keys, mark_id, monkeypatch):
    path = attacks.write(spoken["man"], tmp_path / "a.mp3", codec="libmp3lame", rate_hz=RATE_HZ)
    finite, parts = listening._finite, iter(range(10_000))

    def breaking(part):
        if next(parts) > 100:
            raise av.error.InvalidDataError(1, "broken")
        return finite(part)

    monkeypatch.setattr(listening, "_finite", breaking)
    found = read_intact_sound(path, keys=[MarkKeys(bytes(range(1, 33)), "bank-a")])
    assert (found.state, found.complete) == (MarkState.NOT_RUN, False)
    assert "breaks off" in found.reason
    parts = iter(range(-1000, 10_000))
    assert read_intact_sound(path, keys=[keys]).mark_id == mark_id


def test_eight_bit_file_of_six_channels_is_heard(tmp_path, spoken, keys, mark_id):
    levels = np.clip(np.round(spoken["woman"] * 127 + 128), 0, 255).astype(np.uint8)
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(6)
        out.setsampwidth(1)
        out.setframerate(RATE_HZ)
        out.writeframes(np.repeat(levels[:, None], 6, axis=1).tobytes())
    assert read_intact_sound(tmp_path / "a.wav", keys=[keys]).mark_id == mark_id


def test_more_decodes_than_promised_is_an_error(spoken, heard, keys):
    many = [MarkKeys(keys.master, f"bank-{number}") for number in range(4)]
    with pytest.raises(DecodeLimitError):
        heard(spoken["man"], whose=many, max_decodes=3)


def test_later_places_of_the_pattern_are_read_too(made, heard, mark_id):
    """The pattern comes again after a period, and the residual is added up at it."""
    late = np.zeros(PERIOD + 6 * RATE_HZ, np.float32)
    late[-6 * RATE_HZ :] = voice.speech(6, seed=9)
    assert heard(made(late)[0], seconds_limit=math.inf).mark_id == mark_id


def test_one_file_is_searched_with_a_few_decodes(spoken, heard):
    assert heard(spoken["man"]).decodes <= sound_search.PLACES


def _evidence(sound):
    residuals, evidence = Residuals(), Evidence()
    evidence.add(residuals.feed(sound))
    evidence.add(residuals.flush())
    return evidence


def _read(carrier, sound):
    evidence = _evidence(sound)
    heard = correlate(carrier, evidence, locate(carrier, evidence)[0])
    return heard.z, decode(carrier, heard)
