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
