"""Lip-sync networks by contract: what they are fed, what they give, and whether they may be used.

==========  ==========================================================  ====================================
contract    inputs                                                      output
==========  ==========================================================  ====================================
`wav2lip`   mel (1, 1, 80, 16); face (1, 6, 96, 96) BGR 0 to 1: the     (1, 3, 96, 96) BGR 0 to 1
            face with its lower half black, then the whole face
`edtalk`    mel (1, 1, 80, 16); face (1, 3, 256, 256) RGB 0 to 1;       (1, 3, 256, 256) RGB 0 to 1
            weight (1,), how far lips move
==========  ==========================================================  ====================================

Names differ between exports, so inputs are told apart by their shapes. No network ships with the platform and
none is fetched: an operator registers a file with its hash and its licence in ``weights.d``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.types import Image
from generation.engine.weights.registry import Entry, Registry
from generation.engine.weights.sessions import ORT_ERRORS, onnx_session
from generation.presenter.mel import BANDS, COLUMNS

Floats = npt.NDArray[np.float32]

WEIGHT = 1.0
"""EDTalk's strength of the lips' motion."""
_BEYOND = 0.5  # output further than this outside 0 to 1 is no picture


@dataclass(frozen=True, slots=True)
class Contract:
    """``side``: of the square face; ``channels``: of its input; ``rgb``: not BGR; ``weighted``: takes one.

    ``aligned``: eyes, nose and mouth lie where FFHQ's do; else the box from brows to chin fills the square.
    """

    side: int
    channels: int
    rgb: bool
    weighted: bool
    aligned: bool


CONTRACTS: Mapping[str, Contract] = {
    "wav2lip": Contract(side=96, channels=6, rgb=False, weighted=False, aligned=False),
    "edtalk": Contract(side=256, channels=3, rgb=True, weighted=True, aligned=True),
}


class LipNet:
    """One network; ``session`` is an ``onnxruntime.InferenceSession``."""

    def __init__(self, session: Any, contract: str, *, name: str = "") -> None:
        if contract not in CONTRACTS:
            raise ContractMismatchError(f"{contract!r} is no contract of a lip-sync network.")
        self.name = name or contract
        self.contract = CONTRACTS[contract]
        self._session = session
        side = self.contract.side
        self._mel = self._input((1, 1, BANDS, COLUMNS), ("mel", "source", "audio"))
        self._face = self._input((1, self.contract.channels, side, side), ("face", "target", "image"))
        self._weight = self._input((1,), ("weight",)) if self.contract.weighted else None
        known = {self._mel, self._face, self._weight}
        if beyond := [each.name for each in session.get_inputs() if each.name not in known]:
            raise ContractMismatchError(f"{self.name}: nothing is known for the input {', '.join(beyond)}.")

    def _input(self, shape: tuple[int, ...], names: tuple[str, ...]) -> str:
        """The name of the one input that takes this shape; where sizes are free, usual names decide."""
        fitting = [each.name for each in self._session.get_inputs() if _takes(each.shape, shape)]
        if len(fitting) > 1:
            fitting = [name for name in fitting if any(known in name.lower() for known in names)]
        if len(fitting) != 1:
            raise ContractMismatchError(f"{self.name}: {len(fitting)} inputs take {shape}, one is needed.")
        return str(fitting[0])

    def speak(self, face: Image, heard: Floats) -> Image:
        """(side, side, 3) uint8 BGR: a face that says what is heard; ``face``: of that size.

        ``heard``: (80, 16) float32.

        Raises:
            ModelOutputError: the network gave no picture.
        """
        fed = {self._mel: heard[None, None].astype(np.float32), self._face: self._fed(face)}
        if self._weight is not None:
            fed[self._weight] = np.array([WEIGHT], np.float32)
        try:
            found = np.asarray(self._session.run(None, fed)[0], np.float32)
        except ORT_ERRORS as error:
            raise ModelOutputError(f"{self.name}: does not run: {error}") from None
        side = self.contract.side
        if found.shape != (1, 3, side, side):
            raise ModelOutputError(f"{self.name}: gave {found.shape}, not a face of {side}.")
        # not a number fails, too
        if not (found.min() >= -_BEYOND and found.max() <= 1 + _BEYOND):
            raise ModelOutputError(f"{self.name}: gave {found.min():g} to {found.max():g}, not 0 to 1.")
        picture = np.clip(found[0] * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return np.ascontiguousarray(picture[..., ::-1] if self.contract.rgb else picture)

    def _fed(self, face: Image) -> Floats:
        ordered = face[..., ::-1] if self.contract.rgb else face
        whole = ordered.astype(np.float32).transpose(2, 0, 1) / np.float32(255)
        if self.contract.channels == 3:
            return np.ascontiguousarray(whole[None])
        masked = whole.copy()
        masked[:, self.contract.side // 2 :] = 0
        return np.concatenate([masked, whole])[None]


def _takes(declared: list[Any], shape: tuple[int, ...]) -> bool:
    return len(declared) == len(shape) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(declared, shape, strict=True)
    )


def open_lipnet(
    model_id: str, *, registry: Registry, policy: str, weights_dir: Path, threads: int = 1
) -> tuple[LipNet, Entry]:
    """A registered network, and its entry for the record.

    Raises:
        WeightsError: it is not registered, not there, or not the pinned file.
        LicenceRefusedError: its licence is against the policy.
        ContractMismatchError: its inputs are not those of its contract.
    """
    entry = registry.admit(model_id, policy=policy)
    if entry.contract not in CONTRACTS:
        raise ContractMismatchError(f"Model {entry.id} has the contract {entry.contract}, it moves no lips.")
    session = onnx_session(entry, weights_dir=weights_dir, threads=threads)
    return LipNet(session, entry.contract, name=entry.id), entry
