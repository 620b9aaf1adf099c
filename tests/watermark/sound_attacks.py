"""What happens to a delivered sound: (n,) float32 at 16 kHz in and out, or a file. For tests only."""

import io

import av
import numpy as np
from scipy.signal import resample_poly

from watermark.sound_evidence import Residuals

RATE_HZ = 16_000


def write(sound, path, *, codec="aac", bits=96_000, rate_hz=48_000, layout="mono"):
    """A file of (n,) or (n, channels) float32 at ``rate_hz``, by one of FFmpeg's codecs."""
    sound = sound[:, None] if sound.ndim == 1 else sound
    with av.open(path if isinstance(path, io.BytesIO) else str(path), "w", format=_FORMATS[codec]) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout=layout)
        if bits:
            stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), "flt", layout)
        frame.sample_rate = rate_hz
        size = _SIZES.get(codec, 1024)
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, rate_hz, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


_FORMATS = {"aac": "mp4", "libmp3lame": "mp3", "libopus": "ogg", "pcm_s16le": "wav", "pcm_f32le": "wav"}
_FORMATS |= {"flac": "flac"}
_SIZES = {"libmp3lame": 1152, "libopus": 960}


def coded(sound, codec, bits):
    """The sound after a codec at 48 kHz; its delay is not taken away."""
    buffer = io.BytesIO()
    write(resample_poly(sound, 3, 1).astype(np.float32), buffer, codec=codec, bits=bits)
    buffer.seek(0)
    mono = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(buffer) as opened:
        parts = [part for frame in opened.decode(audio=0) for part in mono.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in [*parts, *mono.resample(None)]])


def noisy(sound, db, seed=0):
    """White noise, so many decibels under the sound."""
    noise = np.random.default_rng(seed).normal(0, sound.std() * 10 ** (-db / 20), len(sound))
    return (sound + noise).astype(np.float32)


def telephone(sound):
    """Through 8 kHz and back."""
    return resample_poly(resample_poly(sound, 1, 2), 2, 1).astype(np.float32)


def played(sound, speed):
    """The sound at another speed, pitch and all."""
    fine = resample_poly(sound, 4, 1)
    return np.interp(np.arange(0, len(fine) - 4, 4 * speed), np.arange(len(fine)), fine).astype(np.float32)


def reverberant(sound, seconds=0.3, seed=0):
    """In a room whose reverberation falls by 60 dB in so long, 6 dB below the direct sound."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    tail = rng.normal(0, 1, count) * 10 ** (-3 * np.arange(count) / count)
    tail *= 0.5 / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    return np.convolve(sound, tail)[: len(sound)].astype(np.float32)


def folded(sound, period, strength):
    """What is the same in every ``period`` samples of the residual, taken off under the sound's own level.

    It needs no key: the residual is public, and so would be the period.
    """
    residuals = Residuals()
    flat = np.concatenate([residuals.feed(sound), residuals.flush()])
    flat = np.pad(flat[: len(sound)], (0, -len(flat[: len(sound)]) % period))
    mean = np.resize(flat.reshape(-1, period).mean(0), len(sound))
    return (sound - strength * shaped(mean, sound)).astype(np.float32)


def shaped(noise, sound):
    """Noise of variance one under the limit of masking of a sound, as strong as the mark may be."""
    from watermark.masking import Frames, Overlap, Stream

    frames = Frames(RATE_HZ)
    stream, out = Stream(rate_hz=RATE_HZ, channels=1), Overlap(frames, channels=1)
    stream.add(sound[:, None])
    stream.end()
    noise = np.pad(noise / noise.std(), (frames.length - frames.hop, 4 * frames.length)).astype(np.float32)
    parts, at = [], 0
    for _, cells, shape in stream.ready():
        count = cells.shape[1]
        part = noise[at * frames.hop : (at + count - 1) * frames.hop + frames.length]
        at += count
        spectra = frames.spectra(part[None])[..., frames.low : frames.high]
        spectra /= np.sqrt(np.square(np.abs(spectra)).mean()) + 1e-12
        parts.append(out.add((spectra * shape.limit).astype(np.complex64))[0])
    return np.concatenate(parts)[frames.length - frames.hop :][: len(sound)]
