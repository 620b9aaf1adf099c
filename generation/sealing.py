"""One delivered file from the chunks of a job, in an order that must not change.

    join, with sound and AIGC label > content credential > read every mark back > SHA-256

- Nothing may touch the file after it was signed; a mark that cannot be read back means no file.
- All is written into one folder, which is removed when anything fails.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from generation import formats, transparency
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.media.decode import frames_at
from generation.engine.media.image import decode_image
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.media.join import join
from generation.engine.media.probe import probe
from generation.engine.types import Image
from generation.errors import SealError
from generation.marking import MarkPlan, drawn, joined_track
from generation.soundmark import MARKED, SoundFinisher, SoundOutcome
from watermark import c2pa
from watermark.c2pa import ConsentStatement, Ingredient, InputStatement, ManifestInput, Role
from watermark.credentials import CredentialChain
from watermark.inputs import read_input
from watermark.invisible import Carrier
from watermark.metadata import MP4_KEY, AigcLabel, append_source, embed_label
from watermark.profiles import Mark
from watermark.readback import read_back
from watermark.visible import Label

APPLICATION = "LKNS"
"""Our four characters of the AIGC provider code."""
SMALL_WIDTH_PX = 640
JPEG_QUALITY = 85
OUTPUT_JPEG_QUALITY = 95
"""Of an output; the mark of a still picture is read at 30 and above."""


@dataclass(frozen=True, slots=True)
class SealOrder:
    """Everything that goes into one sealed file.

    ``sound``: where the sound of a performance lies, whose ``footage`` is a picture of it made here; the
    sound of uploaded footage is its own.
    """

    chunks: tuple[Path, ...]
    footage: Path
    info: MediaInfo
    marks: MarkPlan
    carrier: Carrier
    produce_id: str
    credit_code: str
    statement: ConsentStatement
    identity_commitment: str
    driving_commitment: str
    chain: CredentialChain
    when: datetime
    container: str = ""
    sound: Path | None = None

    @property
    def kind(self) -> str:
        """Suffix of the output."""
        return formats.container(
            self.container, still=self.info.still, transparent=self.container == formats.TRANSPARENT
        )

    @property
    def aigc(self) -> AigcLabel:
        """The label for the metadata; its reference is the log entry of the gate's decision."""
        return AigcLabel.of_output(
            credit_code=self.credit_code,
            application=APPLICATION,
            produce_id=self.produce_id,
            reference=f"{self.statement.log}#{self.statement.leaf}",
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished file and its small pictures (JPEG).

    ``manifest`` is the credential, kept apart as well; ``content`` the thumbnails that tell a copied mark.
    """

    path: Path
    info: MediaInfo
    sha256: str
    size_bytes: int
    mime: str
    manifest: bytes
    poster: bytes
    before: bytes
    content: bytes
    mark_z: float
    label_seen: tuple[float, ...]
    input: InputStatement
    """What the footage said of its own origin."""
    sound: SoundOutcome

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks that were read back from the file: all of them, in an export all but the visible."""
        seen: tuple[Mark, ...] = (Mark.VISIBLE,) if self.label_seen else ()
        seen += (Mark.SOUND,) if self.sound.state == MARKED else ()
        return tuple(str(mark) for mark in (*seen, Mark.INVISIBLE, Mark.AIGC, Mark.CREDENTIAL))

    @property
    def credential(self) -> str:
        """Where the credential lies: ``inside`` the file, or ``beside`` it, in the manifest alone."""
        return "inside" if formats.holds_credential(self.path.suffix) else "beside"

    @property
    def manifest_sha256(self) -> str:
        """Hash of the credential."""
        return hashlib.sha256(self.manifest).hexdigest()


def seal(order: SealOrder, *, folder: Path) -> Sealed:
    """Join, sign and read back; on any error nothing is left in ``folder``.

    Raises:
        MediaError: the chunks cannot be joined, or the result lacks frames, sound or tags.
        WatermarkError: a mark or the credential cannot be written or read back.
        SealError: chunks are missing.
    """
    missing = [path.name for path in order.chunks if not path.is_file()]
    if missing or not order.chunks:
        raise SealError(f"Parts of the video are missing: {', '.join(missing) or 'all of them'}.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return _seal(order, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _seal(order: SealOrder, folder: Path) -> Sealed:
    joined, signed = folder / f"joined.{order.kind}", folder / f"output.{order.kind}"
    sound = SoundFinisher(order.carrier.keys, order.marks.mark_id)
    _join(order, joined, sound)
    said = _said(order)
    manifest = c2pa.sign(joined, signed, _manifest(order, said), order.chain.signer())
    joined.unlink()
    opening_s = order.marks.label.opening_s if order.marks.label else 0.0
    found = read_back(
        signed,
        carriers=[order.carrier],
        mark_id=order.marks.mark_id,
        aigc_json=order.aigc.to_json(),
        anchors_pem=order.chain.root_pem,
        visible=drawn(order.marks),
        visible_until_s=opening_s,
        store=None if formats.holds_credential(order.kind) else manifest,
    )
    made = probe(signed, MediaLimits())
    shown = order.info if order.sound is None else probe(order.footage, MediaLimits())
    if order.kind == formats.TRANSPARENT and (label := drawn(order.marks)) is not None:
        transparency.check_label(signed, label, duration_s=order.info.duration_s, until_s=opening_s)
    before, after = small_pictures(order.footage, shown, signed, made, opening_s=opening_s)
    if order.marks.label is None:
        after = labelled(after)
    with signed.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Sealed(
        path=signed,
        info=made,
        sha256=digest,
        size_bytes=signed.stat().st_size,
        mime=formats.mime(order.kind),
        manifest=manifest,
        poster=embed_label(after, order.aigc),  # it may leave the platform too
        before=before,
        content=joined_track(order.chunks),
        mark_z=found.mark.z,
        label_seen=found.visible,
        input=said,
        sound=sound.read_back(signed),
    )


def _join(order: SealOrder, out: Path, finisher: SoundFinisher) -> None:
    if order.info.still:
        # A picture has its label in XMP, which our own writer puts there.
        join(order.chunks, audio_from=None, out=out, metadata={})
        data = out.read_bytes()
        if order.kind == "jpg":
            data = jpeg(decode_image(data), quality=OUTPUT_JPEG_QUALITY)
        out.write_bytes(embed_label(data, order.aigc))
        return
    sound = order.sound or (order.footage if order.info.audio is not None else None)
    tags = {MP4_KEY: order.aigc.to_json()}
    join(order.chunks, audio_from=sound, out=out, metadata=tags, sound_filter=finisher)
    if formats.holds_xmp(order.kind):
        append_source(out)


def _said(order: SealOrder) -> InputStatement:
    """What the footage said of its own origin; a performance was made here and says nothing."""
    if order.sound is not None:
        return InputStatement()
    return read_input(order.footage, carriers=[order.carrier], anchors_pem=order.chain.root_pem)


def _manifest(order: SealOrder, said: InputStatement) -> ManifestInput:
    """The footage is an input, not the parent: the output is no edit that its makers answer for."""
    own = order.footage if c2pa.inheritable(order.footage) else None
    return ManifestInput(
        title=f"{order.produce_id}.{order.kind}",
        mark_id=order.marks.mark_id,
        statement=order.statement,
        when=order.when,
        ingredients=(
            Ingredient(Role.DRIVING, "driving footage", order.driving_commitment, own),
            Ingredient(Role.IDENTITY, "licensed likeness", order.identity_commitment),
        ),
        input=said,
    )


def small_pictures(
    footage: Path, info: MediaInfo, output: Path, made: MediaInfo, *, opening_s: float = 0.0
) -> tuple[bytes, bytes]:
    """The middle frame of the footage and of the output, as small JPEG files.

    ``opening_s``: the label is shown so long only; then the middle of that, so that it is on the picture.

    Raises:
        MediaError: one of them cannot be decoded.
    """
    share = min(opening_s or made.duration_s, made.duration_s) / made.duration_s / 2
    if output.suffix.removeprefix(".") == formats.TRANSPARENT:
        picture = small_jpeg(transparency.picture_at(output, made.duration_s * share))
        return _at(footage, info, share), picture
    return _at(footage, info, share), _at(output, made, share)


def labelled(poster: bytes) -> bytes:
    """The small picture of a copy without the visible label, which pages show, with one."""
    picture = decode_image(poster)
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    planes = to_planes(np.ascontiguousarray(picture[:height, :width]))
    Label(width, height).blend(planes.y, planes.u, planes.v)
    return small_jpeg(from_planes(planes))


def _at(path: Path, info: MediaInfo, share: float) -> bytes:
    return small_jpeg(next(frames_at(path, info, [info.duration_s * share])).picture)


def small_jpeg(picture: Image) -> bytes:
    """A picture as JPEG, at most 640 px wide."""
    height, width = picture.shape[:2]
    if width > SMALL_WIDTH_PX:
        size = SMALL_WIDTH_PX, max(1, round(height * SMALL_WIDTH_PX / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(picture.dtype, copy=False)
    return jpeg(picture, quality=JPEG_QUALITY)


def jpeg(picture: Image, *, quality: int) -> bytes:
    """A picture as JPEG.

    Raises:
        SealError: OpenCV could not write it.
    """
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SealError("The picture could not be written as JPEG.")
    return data.tobytes()
