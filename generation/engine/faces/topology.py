"""How the 468 landmarks are joined into triangles, and which of them are the eyes, lips and oval."""

from __future__ import annotations

import ast

import numpy as np
import numpy.typing as npt

from generation.engine.errors import ContractMismatchError

Triangles = npt.NDArray[np.int32]

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
UPPER_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
)
LOWER_LIDS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (362, 382, 381, 380, 374, 373, 390, 249, 263),
)
EYES = tuple(upper + lower[-2:0:-1] for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True))
"""Both eyes as closed loops."""
LID_GAPS = ((159, 145, 33, 133), (386, 374, 362, 263))
"""Top, bottom, left and right point of each eye."""
MOUTH_GAP = (13, 14, 78, 308)
"""Top, bottom, left and right point of the inner mouth."""
BROWS = ((46, 53, 52, 65, 55, 70, 63, 105, 66, 107), (276, 283, 282, 295, 285, 300, 293, 334, 296, 336))
CHEEKS = (50, 280, 101, 330, 36, 266, 205, 425, 195)
LEFT_CHEEK = (50, 101, 36, 205, 187, 123)
RIGHT_CHEEK = (280, 330, 266, 425, 411, 352)
FOREHEAD = (
    234, 127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454,
    372, 383, 300, 293, 334, 296, 336, 107, 66, 105, 63, 70, 156, 143,
)  # fmt: skip
"""Forehead and temples, above the brows: where hair may fall."""
RIGID = (
    1, 2, 4, 5, 6, 8, 9, 10, 33, 50, 93, 98, 116, 127, 133, 151, 168, 195, 197, 234, 263, 280, 323, 327, 345,
    356, 362, 454,
)  # fmt: skip
"""Points that hardly move with expression."""


def mouth() -> Triangles:
    """(18, 3) int32 triangles that close the inner mouth."""
    upper, lower = INNER_LIP[:11], (INNER_LIP[0], *INNER_LIP[:9:-1])
    return np.array(_strip(upper, lower), np.int32)


def triangles(connections: bytes) -> Triangles:
    """(880, 3) int32 triangles: those of FACEMESH_TESSELATION, with the eyes closed and the mouth left open.

    ``connections`` is mediapipe's face_mesh_connections.py as data: it lists the edges in loops of three, in
    an order that importing would lose (a frozenset).

    Raises:
        ContractMismatchError: the list is not there or not of that form.
    """
    edges = _tesselation(connections)
    loops = [[edges[i][0], edges[i + 1][0], edges[i + 2][0]] for i in range(0, len(edges) - 2, 3)]
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        loops += _strip(upper, lower)
    joined = np.array(loops, np.int32)
    if joined.shape != (880, 3) or joined.min() != 0 or joined.max() != 467:
        raise ContractMismatchError(
            f"mesh_topology: 880 triangles of 468 points are needed, not {joined.shape[0]}."
        )
    return joined


def _tesselation(connections: bytes) -> list[tuple[int, int]]:
    try:
        body = ast.parse(connections).body
    except (SyntaxError, ValueError) as error:
        raise ContractMismatchError(f"mesh_topology: the file cannot be parsed: {error}.") from None
    for node in body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="FACEMESH_TESSELATION")], value=ast.Call(args=[ast.List(elts=items)])
            ):
                return [ast.literal_eval(item) for item in items]
    raise ContractMismatchError("mesh_topology: the file has no FACEMESH_TESSELATION.")


def _strip(upper: tuple[int, ...], lower: tuple[int, ...]) -> list[list[int]]:
    """Triangles between two lids, which share their corner points."""
    strip = []
    for i in range(len(upper) - 1):
        # Wound like the triangles of the list, so that they face the same way.
        for corner in ([upper[i], lower[i + 1], upper[i + 1]], [upper[i], lower[i], lower[i + 1]]):
            if len(set(corner)) == 3:
                strip.append(corner)
    return strip
