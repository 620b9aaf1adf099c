"""Cost of labels and credentials: ``python -m tests.bench.bench_credentials [--full]``.

Signing and verifying against one SHA-256 pass over the same file, in the same run; octets that each container
gains; memory of signing; and what exiftool, ffprobe and C2PA's own reader show of every container. ``--full``
adds a clip of five minutes. Ends with 1 when a figure is above what is promised.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.watermark.conftest import MARK_ID, portrait_bgr
from watermark import c2pa, containers
from watermark.c2pa import C2paState, CredentialChain
from watermark.metadata import AigcLabel, append_source, check_label, embed_label, read_label

PASSES_MAX, OCTETS_MAX, MEMORY_MAX = 10.0, 20_000, 100e6
LABEL = AigcLabel.of_output(
    credit_code="91110000100012345X", application="BENC", produce_id="7c1d2f9e0a5b4c33", reference="log#48213"
)


def manifest(**more: object) -> c2pa.ManifestInput:
    """What our outputs say: two ingredients by commitment."""
    said = c2pa.ConsentStatement("con_5d1f0c7e9a33b2aa", "log.example/audit", 48213, "ab" * 32, "likeness/1")
    parts = (
        c2pa.Ingredient(c2pa.Role.DRIVING, "driving footage", "11" * 32),
        c2pa.Ingredient(c2pa.Role.IDENTITY, "licensed likeness", "22" * 32),
    )
    return c2pa.ManifestInput("clip", MARK_ID, said, datetime.now(UTC), ingredients=parts, **more)  # type: ignore[arg-type]


def clip(path: Path, seconds: float) -> Path:
    """A labelled clip of noise; a second is coded, its packets are repeated: the hash does not care."""
    how = containers.muxing(containers.output_kind(path.suffix))
    webm = path.suffix == ".webm"
    with av.open(str(path), "w", format=how.format, options=dict(how.options)) as out:
        out.metadata["AIGC"] = LABEL.to_json()
        stream = out.add_stream("libvpx-vp9" if webm else "libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.bit_rate = 6_000_000
        stream.options = {"cpu-used": "8"} if webm else {"preset": "ultrafast", "tune": "zerolatency"}
        rng = np.random.default_rng(1)
        noise = [rng.integers(16, 236, (540, 640), dtype=np.uint8) for _ in range(5)]
        packets = []
        for at in range(25):
            packets += stream.encode(av.VideoFrame.from_ndarray(noise[at % 5], format="yuv420p"))
        packets += stream.encode()
        kept = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for at in range(round(seconds * 25)):
            data, key = kept[at % len(kept)]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = at
            packet.is_keyframe = key
            out.mux(packet)
    return path


def samples(folder: Path) -> dict[str, Path]:
    """A labelled file of every container that is written."""
    files = {name: clip(folder / f"clip.{name}", 10) for name in ("mp4", "mov", "mkv", "webm")}
    for name in ("mp4", "mov"):
        append_source(files[name])
    bgr = portrait_bgr(2160, 3840)
    for name in ("png", "jpg"):
        files[name] = folder / f"still.{name}"
        files[name].write_bytes(embed_label(cv2.imencode(f".{name}", bgr)[1].tobytes(), LABEL))
    files["wav"] = folder / "sound.wav"
    with wave.open(str(files["wav"]), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(48000)
        out.writeframes(np.random.default_rng(1).integers(-9999, 9999, 960_000, np.int16).tobytes())
    files["wav"].write_bytes(embed_label(files["wav"].read_bytes(), LABEL))
    return files


def cpu_s(job: Callable[[], object], runs: int = 5) -> float:
    """Least CPU seconds; the library works in threads of this process."""
    took = []
    for _ in range(runs):
        start = time.process_time()
        job()
        took.append(time.process_time() - start)
    return min(took)


def digest(path: Path) -> str:
    """One pass of SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def passes(path: Path, chain: CredentialChain, *, runs: int = 5, assertive: bool) -> bool:
    """One line: signing and reading in passes of SHA-256; whether it is within what is promised."""
    out = path.with_name(f"signed{path.suffix}")
    one = cpu_s(lambda: digest(path), runs)
    signing = cpu_s(lambda: c2pa.sign(path, out, manifest(), chain.signer()), runs)
    store = c2pa.sign(path, out, manifest(), chain.signer())
    kept = store if containers.kind_of(path) in containers.SIDECAR_ONLY else None
    reading = cpu_s(lambda: c2pa.read(out, chain.root_pem, store=kept), runs)
    found = c2pa.read(out, chain.root_pem, store=kept)
    size, more = path.stat().st_size, out.stat().st_size - path.stat().st_size + len(kept or b"")
    print(
        f"{path.name:12s} {size / 1e6:7.1f} MB  SHA-256 {one * 1e3:7.1f} ms"
        f"  sign {signing * 1e3:7.1f} ms = {signing / one:5.1f} x  read {reading * 1e3:7.1f} ms"
        f" = {reading / one:5.1f} x  {more:6d} octets {'beside' if kept else 'inside'}  {found.state}"
    )
    good = found.state is C2paState.TRUSTED and more <= OCTETS_MAX
    return good and (not assertive or signing <= PASSES_MAX * one)


def memory(path: Path) -> bool:
    """Growth of the resident memory while a file is signed, in a process of its own."""
    child = [sys.executable, "-m", "tests.bench.bench_credentials", "--sign", str(path)]
    grown = int(subprocess.run(child, capture_output=True, text=True, check=True).stdout)
    size = path.stat().st_size
    print(f"{path.name:12s} {size / 1e6:7.1f} MB  memory of signing and reading {grown / 1e6:.0f} MB more")
    return grown <= size + MEMORY_MAX


def sign_alone(path: Path) -> None:
    """In the child: sign a small file, then this one, and print how much memory that took."""
    chain, small = c2pa.make_chain("Sample Bank", datetime.now(UTC)), path.with_name("small.jpg")
    small.write_bytes(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    c2pa.sign(small, path.with_name("small-signed.jpg"), manifest(), chain.signer())
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here
    before = _resident("VmRSS")
    out = path.with_name(f"alone{path.suffix}")
    c2pa.sign(path, out, manifest(), chain.signer())
    c2pa.read(out, chain.root_pem)
    out.unlink()
    print(_resident("VmHWM") - before)


def _resident(name: str) -> int:
    """Octets of memory of this process now, or at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def shown(files: dict[str, Path], chain: CredentialChain) -> bool:
    """Who sees the label of each container, and whether it is still there once the file is signed."""
    seen_by_all = True
    for name, path in files.items():
        out = path.with_name(f"shown{path.suffix}")
        c2pa.sign(path, out, manifest(), chain.signer())
        check_label(out, LABEL.to_json())
        exiftool = _says(["exiftool", "-j", "-u", "-b", str(out)], "AIGC")
        ffprobe = _says(["ffprobe", "-v", "error", "-show_format", "-of", "json", str(out)], "AIGC")
        source = _says(["exiftool", "-j", str(out)], "compositeWithTrainedAlgorithmicMedia")
        credential = c2pa.read(out, chain.root_pem).state
        print(
            f"{name:5s} own reader {read_label(out).state}, exiftool {exiftool}, ffprobe {ffprobe}, "
            f"IPTC source type {source}, C2PA inside {credential}"
        )
        seen_by_all &= exiftool != "no"
    return seen_by_all


def _says(command: list[str], word: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "yes" if word.lower() in json.dumps(found).lower() else "no"


def main(arguments: list[str]) -> int:
    """Print all figures; 1 when one is not what is promised."""
    if arguments[:1] == ["--sign"]:
        sign_alone(Path(arguments[1]))
        return 0
    chain = c2pa.make_chain("Sample Bank", datetime.now(UTC))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = samples(folder)
        good = [shown(files, chain)]
        # A small file takes as long as the signature itself: the ratio is asked of large ones.
        good += [passes(path, chain, assertive=name == "png") for name, path in files.items()]
        minutes = [clip(folder / "minute.mp4", 60), clip(folder / "minute.mkv", 60)]
        if "--full" in arguments:
            minutes.append(clip(folder / "five.mp4", 300))
        good += [passes(path, chain, runs=3, assertive=True) for path in minutes]
        good += [memory(path) for path in minutes]
    print("all as promised" if all(good) else "NOT as promised")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
