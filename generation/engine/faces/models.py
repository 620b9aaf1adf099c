"""The face models of a worker, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generation.engine.faces.detect import GLANCE_AREA_PX, CenterFace, Detector, free_shape
from generation.engine.faces.embed import DlibEmbedder
from generation.engine.faces.landmarks import FaceMesh
from generation.engine.faces.topology import Triangles, triangles
from generation.engine.weights.check import verified_path
from generation.engine.weights.registry import Entry, load_registry
from generation.engine.weights.sessions import onnx_session


@dataclass(frozen=True, slots=True)
class FaceModels:
    """Detector, landmarks, identity and mesh topology; ``used`` goes into the record of a job.

    Threads may share one.
    """

    detector: Detector
    glance: Detector
    """The same network at half the area: for faces that are known to be there."""
    landmarks: FaceMesh
    embedder: DlibEmbedder
    triangles: Triangles
    used: tuple[Entry, ...]


def load_face_models(
    weights_dir: Path, *, policy: str, threads: int = 1, site_dir: Path | None = None
) -> FaceModels:
    """Open the starter set's face models.

    Raises:
        WeightsMissingError, WeightsAlteredError: a file is not there or not the pinned one.
        LicenceRefusedError: a licence is against the policy.
        ContractMismatchError: a file does not have the inputs and outputs of its contract.
    """
    registry = load_registry(site_dir)
    detector, mesh, topology, identity = (
        registry.admit(model_id, policy=policy)
        for model_id in ("centerface", "facemesh", "mesh_topology", "dlib_resnet")
    )
    session = onnx_session(detector, weights_dir=weights_dir, threads=threads, prepare=free_shape)
    return FaceModels(
        detector=CenterFace(session),
        glance=CenterFace(session, area_px=GLANCE_AREA_PX),
        landmarks=FaceMesh(mesh, weights_dir=weights_dir),
        embedder=DlibEmbedder(verified_path(identity, weights_dir=weights_dir), entry=identity),
        triangles=triangles(verified_path(topology, weights_dir=weights_dir).read_bytes()),
        used=(detector, mesh, topology, identity),
    )
