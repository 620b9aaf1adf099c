"""A still's matte made firm: the network's soft guesses settled by the colours on both sides of the edge.

The network knows what a person is but sees 256 pixels: beside a cap or an arm it leaves a half-transparent
rest of the old background. Colour models of both sides (GrabCut: Rother, Kolmogorov and Blake 2004) know
where the edge runs but not what a person is, so they decide only near it, and never add what the network
does not believe in.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.look.matte import LOW, SPAN, Alpha, guided
from generation.engine.types import Image

LINES = 270  # of the picture in which the colours decide: .1 to .2 s of one core
PERSON, GROUND, LIKELY = 0.97, 0.03, 0.8
KEEP_FROM, KEEP_SPAN = 0.35, 0.5  # of the network's matte: below the first nothing is kept
ROUNDS = 3
SIDE, ELBOW = 0.09, 0.4  # of the portrait's width; of that
SOFT_END = 2.0  # pixels
SHOULDER = 0.25  # of the height: what is cut above it is no arm
SOFT_PX = 2.5  # of a picture 1080 lines tall


def firm(picture: Image, alpha: Alpha) -> Alpha:
    """The matte with its doubtful parts decided; as it was where there is nothing to decide."""
    scale = LINES / picture.shape[0]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    rough = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    decided = _decided(np.asarray(small, np.uint8), rough)
    if decided is None:
        return alpha
    size = picture.shape[1], picture.shape[0]
    large = np.clip(cv2.resize(decided, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    soft = cv2.GaussianBlur(large, (0, 0), SOFT_PX * picture.shape[0] / 1080)
    sharp = np.clip((guided(picture, np.asarray(soft, np.float32)) - LOW) / SPAN, 0, 1)
    sharp = cv2.erode(sharp.astype(np.float32), np.ones((3, 3), np.uint8))
    believed = np.clip((alpha - KEEP_FROM) / KEEP_SPAN, 0, 1)
    return np.asarray(np.minimum(sharp, believed), np.float32)


def completed(own: Image, alpha: Alpha) -> tuple[Image, Alpha, int]:
    """The person with the arms that the portrait's sides cut off, and by how many columns a side it grew.

    An arm goes on with its own cloth, mirrored, and runs down to the lower edge: a straight cut, or a fade,
    is seen at once on a new background.
    """
    reach = max(2, round(alpha.shape[1] * SIDE))
    left, right = _arm(alpha[:, 0], reach)[:, ::-1], _arm(alpha[:, -1], reach)
    wider = cv2.copyMakeBorder(own, 0, 0, reach, reach, cv2.BORDER_REFLECT)
    return np.asarray(wider, np.uint8), np.hstack([left, alpha, right]).astype(np.float32), reach


def _arm(edge: npt.NDArray[np.float32], reach: int) -> Alpha:
    """(h, reach): how far each row goes on beyond a side, from its cover there outwards."""
    rows, along = np.arange(len(edge)), np.arange(reach, dtype=np.float32) + np.float32(0.5)
    bare = np.flatnonzero(edge < 0.5)
    top = int(bare[-1]) + 1 if len(bare) else 0
    down = np.clip((rows - top) / max(1, len(rows) - top), 0, 1)
    # its outermost column stays empty: it is what lies beyond
    length = (reach - 2 * SOFT_END) * (1 - (1 - down) ** 1.5)
    # an elbow that does not reach the lower edge only fades out, and so does a head that fills the portrait
    elbow = ((rows < top) | (top < SHOULDER * len(rows))) & (edge >= 0.5)
    length, soft = np.where(elbow, reach * ELBOW, length), np.where(elbow, reach * ELBOW, SOFT_END)
    cover = np.clip((length[:, None] - along[None]) / soft[:, None] + 0.5, 0, 1)
    return np.asarray(cover * edge[:, None], np.float32)


def _decided(small: Image, rough: Alpha) -> npt.NDArray[np.float32] | None:
    """1 on the person, 0 elsewhere; None when the matte leaves a side without a sure pixel."""
    person = cv2.erode((rough > PERSON).astype(np.uint8), np.ones((3, 3), np.uint8))
    ground = cv2.erode((rough < GROUND).astype(np.uint8), np.ones((5, 5), np.uint8))
    if not (person.any() and ground.any()):
        return None
    likely = np.where(rough > LIKELY, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels = np.where(person == 1, cv2.GC_FGD, np.where(ground == 1, cv2.GC_BGD, likely)).astype(np.uint8)
    cv2.setRNGSeed(1)  # the colour models begin at random places
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    _, numbers, facts, _ = cv2.connectedComponentsWithStats(found)
    largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    return np.asarray(numbers == largest, np.float32)
