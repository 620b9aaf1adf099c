"""The sound mark: ``python -m tests.bench.bench_sound [FILE ...]``.

Prints what marking costs, as a share of real time, and what it does to the sound; then, for speech and music
made in code and for the sound of every file given, whether the id is exact after each attack, with z and CPU
seconds. Failures are printed as they are. No recorded speech ships with the project.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.watermark import sound_attacks as attacks
from tests.watermark import voice
from watermark.listening import listen
from watermark.masking import CONTEXT, MARGIN_DB, Frames
from watermark.payload import MarkKeys, message
from watermark.sound import PERIOD, RATE_HZ, TILE, TILES, SoundCarrier, SoundGauge, SoundMarker
from watermark.sound_evidence import NOWHERE, Evidence, Residuals, correlate, likeliest_bits, locate
from watermark.sound_search import SoundRead, read_sound

KEYS = MarkKeys(bytes(range(32)), "bank-a")
MARK_ID = 0x9F3C6A1B22D0E417
SECONDS = 20
CHANCE_KEYS = 1500
Sound = np.ndarray
Attack = Callable[[Sound], Sound]


def middle(seconds: float) -> Attack:
    """So many seconds from 3.3 s on."""
    return lambda y: y[int(3.3 * RATE_HZ) : int((3.3 + seconds) * RATE_HZ)]


def coded(codec: str, kbit: int, *, seconds: float = 5) -> Attack:
    """Through a codec, so many seconds of it."""
    return lambda y: attacks.coded(middle(seconds)(y), codec, kbit * 1000)


def tempo(y: Sound, speed: float) -> Sound:
    """Faster at the same pitch, as players and editors do it (FFmpeg's atempo)."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=RATE_HZ, layout="mono", time_base=av.time_base)
    stretch, sink = graph.add("atempo", str(speed)), graph.add("abuffersink")
    source.link_to(stretch)
    stretch.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(y[None].astype(np.float32), "flt", "mono")
    frame.sample_rate = RATE_HZ
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray().ravel())
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(parts).astype(np.float32)


def with_music(y: Sound) -> Sound:
    """Music 10 dB below."""
    bed = voice.music(len(y) / RATE_HZ + 0.1, seed=5)[: len(y)]
    return (y + bed * (y.std() / bed.std() * 10**-0.5)).astype(np.float32)


def squeezed(y: Sound) -> Sound:
    """Hard into a limiter: 12 dB up, then tanh."""
    return np.tanh(4 * y).astype(np.float32)


TABLE: dict[str, Attack] = {
    "none, 5 s": middle(5),
    "none, 2.5 s": middle(2.5),
    "AAC 96k, 5 s": coded("aac", 96),
    "AAC 48k, 5 s": coded("aac", 48),
    "AAC 48k, 2.5 s": coded("aac", 48, seconds=2.5),
    "AAC 32k, 5 s": coded("aac", 32),
    "MP3 64k, 5 s": coded("libmp3lame", 64),
    "Opus 32k, 5 s": coded("libopus", 32),
    "Opus 16k, 5 s": coded("libopus", 16),
    "AAC 48k, then MP3 64k": lambda y: attacks.coded(coded("aac", 48)(y), "libmp3lame", 64_000),
    "cut to 4.7 s": middle(4.7),
    "telephone, 8 kHz, 5 s": lambda y: attacks.telephone(middle(5)(y)),
    "noise 20 dB below, 5 s": lambda y: attacks.noisy(middle(5)(y), 20),
    "noise 20 dB below, 10 s": lambda y: attacks.noisy(middle(10)(y), 20),
    "noise 10 dB below, 10 s": lambda y: attacks.noisy(middle(10)(y), 10),
    "noise 10 dB below, 20 s": lambda y: attacks.noisy(y, 10),
    "music 10 dB below, 5 s": lambda y: with_music(middle(5)(y)),
    "room, 0.3 s, 5 s": lambda y: attacks.reverberant(middle(5)(y)),
    "room, 0.8 s, 10 s": lambda y: attacks.reverberant(middle(10)(y), 0.8),
    "limiter, 5 s": lambda y: squeezed(middle(5)(y)),
    "polarity, 5 s": lambda y: -middle(5)(y),
    "speed +2 %": lambda y: attacks.played(y, 1.02),
    "speed -4 %, AAC 48k": lambda y: attacks.coded(attacks.played(y, 0.96), "aac", 48_000),
    "speed +4.17 % (25/24)": lambda y: attacks.played(y, 25 / 24),
    "speed +9 %": lambda y: attacks.played(y, 1.0903),
    "tempo +2 %, pitch kept": lambda y: tempo(y, 1.02),
    "folded at a tile, 1.0 x": lambda y: attacks.folded(y, TILE, 1.0),
}


def mark(sound: Sound, *, carrier: SoundCarrier, mark_id: int = MARK_ID) -> Sound:
    """The marked sound at 16 kHz."""
    gauge = SoundGauge(rate_hz=RATE_HZ, channels=1)
    gauge.feed(sound[:, None])
    marker = SoundMarker(carrier, mark_id, rate_hz=RATE_HZ, channels=1, strength=gauge.plan().strength)
    return np.concatenate([marker.feed(sound[:, None]), marker.flush()])[:, 0]


def db(power: float, of: float) -> float:
    """A ratio of powers in decibels."""
    return 10 * math.log10(power / max(of, 1e-20))


def quality(before: Sound, after: Sound) -> str:
    """Signal to noise, and the noise against the masking of the sound in each cell (below 0: masked)."""
    change, frames = (after - before).astype(np.float32), Frames(RATE_HZ)
    shape = frames.shape(frames.spectra(before[None]))
    cells = frames.spectra(change[None])[:, CONTEXT:-CONTEXT, frames.low : frames.high]
    loud = shape.level > 1e-4 * shape.level.max()
    loud &= shape.limit > 0
    over = 20 * np.log10(np.abs(cells[loud]) / shape.limit[loud] + 1e-9) - MARGIN_DB
    snr = db(np.square(before).sum(), np.square(change).sum())
    return f"SNR {snr:.1f} dB, noise to mask median {np.median(over):.1f} dB; {onsets(before, change)}"


def onsets(before: Sound, change: Sound) -> str:
    """Signal to noise in 4 ms that come before something louder, where noise of a short window is heard."""
    size = RATE_HZ // 250
    power, noise = (np.square(x[: len(x) // size * size]).reshape(-1, size).mean(1) for x in (before, change))
    past = np.maximum.reduce([np.roll(power, at) for at in range(1, 7)])
    coming = np.maximum.reduce([np.roll(power, -at) for at in range(1, 7)])
    here = (noise > 1e-7) & (power > 0) & (coming > 4 * past)
    if not here.any():
        return "no onsets"
    worst = np.percentile(10 * np.log10(power[here] / noise[here]), [5, 1])
    return f"before onsets SNR 5th percentile {worst[0]:.0f} dB, 1st {worst[1]:.0f} dB"


def shares(carrier: SoundCarrier) -> None:
    """CPU of marking and reading against the length of the sound."""
    mono = voice.speech(30, rate_hz=48_000)
    for rate_hz, channels in ((48_000, 2), (48_000, 1), (44_100, 2), (16_000, 1)):
        sound = np.repeat(mono[: 30 * rate_hz, None], channels, axis=1)
        seconds, start = len(sound) / rate_hz, time.process_time()
        gauge = SoundGauge(rate_hz=rate_hz, channels=channels)
        for at in range(0, len(sound), 1024):
            gauge.feed(sound[at : at + 1024])
        strength, heard = gauge.plan().strength, time.process_time()
        marker = SoundMarker(carrier, MARK_ID, rate_hz=rate_hz, channels=channels, strength=strength)
        for at in range(0, len(sound), 1024):
            marker.feed(sound[at : at + 1024])
        marker.flush()
        done = time.process_time()
        first, second = (heard - start) / seconds, (done - heard) / seconds
        print(f"mark {rate_hz} Hz x {channels}: {first:.4f} + {second:.4f} of real time (hear, then mark)")


def read(sound: Sound, folder: Path) -> tuple[SoundRead, float]:
    """What a search without limit says, and its CPU seconds."""
    path = folder / "a.wav"
    attacks.write(sound.astype(np.float32), path, codec="pcm_f32le", bits=0, rate_hz=RATE_HZ)
    start = time.process_time()
    found = read_sound(path, keys=[KEYS], budget_s=600)
    return found, time.process_time() - start


def table(sounds: dict[str, Sound], folder: Path) -> None:
    """All attacks on all sounds."""
    carrier = SoundCarrier(KEYS)
    marked = {name: mark(sound, carrier=carrier) for name, sound in sounds.items()}
    for name, sound in sounds.items():
        print(f"{name}: {quality(sound, marked[name])}")
    good = dict.fromkeys(sounds, 0)
    print(f"\n{'attack':26s}" + "".join(f"{name:>24s}" for name in sounds))
    for attack, change in TABLE.items():
        line = f"{attack:26s}"
        for name, sound in marked.items():
            found, cpu_s = read(change(sound), folder)
            good[name] += found.mark_id == MARK_ID
            exact = "ok" if found.mark_id == MARK_ID else "NO"
            line += f"{exact:>8s} z {found.z:5.1f} {cpu_s:5.1f} s"
        print(line, flush=True)
    print(f"{'exact':26s}" + "".join(f"{good[name]:>20d}/{len(TABLE)}" for name in sounds))
    for name, sound in sounds.items():
        found, cpu_s = read(sound, folder)
        bound = f"{found.decodes} decodes, false positives <= {max(found.decodes, 1) * 2**-40:.1e}"
        print(f"unmarked {name}: {found.state}, z {found.z:.1f}, {bound}, {cpu_s:.1f} s CPU")


def without_the_key() -> None:
    """What an attacker without the key gets from folding and from many files."""
    carrier, periodic = SoundCarrier(KEYS), SoundCarrier(KEYS)
    periodic.signs = np.repeat(periodic.signs[:1], TILES, axis=0)
    periodic.code_bit = np.repeat(periodic.code_bit[:1], TILES, axis=0)
    sound = voice.speech(60, seed=6)
    for name, each in (("ours", carrier), ("the same with one tile repeated", periodic)):
        marked = mark(sound, carrier=each)
        z = [pilots(each, attacks.folded(marked, TILE, strength)) for strength in (0, 0.5, 1, 1.5)]
        print(
            f"fold 60 s at a tile, subtract 0, 0.5, 1, 1.5 x, {name}: z " + ", ".join(f"{v:.1f}" for v in z)
        )
    long = mark(voice.speech(200, seed=7), carrier=carrier)
    left = attacks.folded(long, PERIOD, 1.0)
    damage = db(np.square(long).sum(), np.square(left - long).sum())
    z = f"{pilots(carrier, long):.1f} -> {pilots(carrier, left):.1f}"
    print(f"fold 200 s at the period: z {z} at {damage:.1f} dB")
    crowd = np.zeros(10 * RATE_HZ, np.float32)
    for seed in range(100):
        other = mark(voice.speech(10, seed=100 + seed), carrier=carrier, mark_id=1000 + seed)
        residuals = Residuals()
        crowd += np.concatenate([residuals.feed(other), residuals.flush()])[: len(crowd)]
    marked = mark(voice.speech(10, seed=8), carrier=carrier)
    left = marked - attacks.shaped(crowd, marked)
    print(f"mean of 100 other files: z {pilots(carrier, marked):.1f} -> {pilots(carrier, left):.1f}")


def by_chance() -> None:
    """How often an eighth of the tag fits by chance: what the bound of false positives rests on."""
    evidence, hits = heard(mark(voice.speech(2), carrier=SoundCarrier(KEYS))), 0
    for number in range(CHANCE_KEYS):
        carrier = SoundCarrier(MarkKeys(number.to_bytes(32, "big"), "bank-a"))
        octets = np.packbits(likeliest_bits(carrier, correlate(carrier, evidence, NOWHERE))).tobytes()
        right = np.packbits(message(carrier.keys, int.from_bytes(octets[:8], "big") or 1)).tobytes()
        hits += octets[8] == right[8]
    print(f"8 bits of the tag fit for {hits} of {CHANCE_KEYS} other keys, {CHANCE_KEYS / 256:.1f} expected")


def heard(sound: Sound) -> Evidence:
    """All that a sound shows."""
    residuals, evidence = Residuals(), Evidence()
    evidence.add(residuals.feed(sound.astype(np.float32)))
    evidence.add(residuals.flush())
    return evidence


def pilots(carrier: SoundCarrier, sound: Sound) -> float:
    """z of the likeliest place."""
    evidence = heard(sound)
    return correlate(carrier, evidence, locate(carrier, evidence)[0]).z


def main(files: list[str]) -> None:
    """Print all figures."""
    sounds = {
        "man, made": voice.speech(SECONDS, seed=1),
        "woman, made": voice.speech(SECONDS, pitch_hz=205, size=1.15, seed=2),
        "music, made": voice.music(SECONDS),
    }
    for name in files:
        parts = list(listen(Path(name), rate_hz=RATE_HZ, seconds_limit=SECONDS))
        if parts:
            sounds[Path(name).stem[:14]] = np.concatenate(parts)
        else:
            print(f"{name} has no sound.")
    shares(SoundCarrier(KEYS))
    with tempfile.TemporaryDirectory() as folder:
        table(sounds, Path(folder))
    without_the_key()
    by_chance()


if __name__ == "__main__":
    main(sys.argv[1:])
