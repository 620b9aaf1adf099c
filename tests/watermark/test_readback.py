import dataclasses

import numpy as np
import pytest

from watermark import c2pa
from watermark.errors import (
    CredentialInvalidError,
    LabelLostError,
    MarkUnreadableError,
    ReadBackError,
    VisibleLabelLostError,
)
from watermark.invisible import Embedder
from watermark.readback import read_back
from watermark.visible import SEEN_MIN, Label


@pytest.fixture(scope="module")
def sealed(tmp_path_factory, clip, carrier, mark_id, muxed, manifest, chain, aigc):
    """sealed(...): a clip made in the fixed order, leaving out or replacing what a test says."""
    folder = tmp_path_factory.mktemp("sealed")
    frames = clip(16, 360, 640)
    label = Label(640, 360)

    def make(name, *, visible=True, mark=mark_id, tags=True, signed=mark_id):
        planes = [y.copy() for y in frames]
        embedder = Embedder(carrier, mark or 1, height=360, width=640)
        embedder.servo(planes[:5])
        half = np.full((180, 320), 128, np.uint8)
        for y in planes:
            if visible:
                label.blend(y, half, half)
            if mark:
                embedder.embed(y)
        joined = muxed(planes, folder / f"{name}-joined.mp4", {"AIGC": aigc.to_json()} if tags else {})
        if not signed:
            return joined
        path = folder / f"{name}.mp4"
        c2pa.sign(joined, path, dataclasses.replace(manifest, mark_id=signed), chain.signer())
        return path

    return make


@pytest.fixture
def looked_back(carrier, mark_id, chain, aigc):
    def look(path):
        return read_back(
            path,
            carriers=[carrier],
            mark_id=mark_id,
            aigc_json=aigc.to_json(),
            anchors_pem=chain.root_pem,
            visible=Label(640, 360),
        )

    return look


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"visible": False}, VisibleLabelLostError),
        ({"mark": None}, MarkUnreadableError),
        ({"mark": 77}, MarkUnreadableError),
        ({"tags": False}, LabelLostError),
        ({"signed": None}, CredentialInvalidError),
        ({"signed": 78}, CredentialInvalidError),
    ],
    ids=["no label", "no mark", "another mark", "no AIGC label", "not signed", "signed for another mark"],
)
def test_file_without_one_of_its_marks_is_refused(sealed, looked_back, fault, error):
    with pytest.raises(error) as caught:
        looked_back(sealed(error.__name__, **fault))
    assert isinstance(caught.value, ReadBackError)
    assert caught.value.code.startswith("watermark.")
    assert caught.value.hint


def test_change_after_signing_is_refused(sealed, looked_back):
    path = sealed("changed")
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(CredentialInvalidError):
        looked_back(path)


def test_sealed_file_gives_all_its_marks_back(sealed, looked_back, mark_id, aigc):
    seen = looked_back(sealed("whole"))
    assert seen.mark.mark_id == mark_id
    assert seen.mark.frames <= 24
    assert seen.label == aigc
    assert seen.credential.mark_id == mark_id
    assert min(seen.visible) >= SEEN_MIN


def test_plain_marks_import_neither_django_nor_celery():
    import subprocess
    import sys

    names = ("django", "rest_framework", "celery", "audit")
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in names)
    modules = "import watermark.readback, watermark.content, watermark.c2pa, watermark.visible"
    subprocess.run([sys.executable, "-c", f"import sys; {blocked}; {modules}"], check=True)
