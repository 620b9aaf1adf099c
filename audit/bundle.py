"""The evidence bundle: entries with their proofs, the log's key and the program that checks them, as one zip.

The same contents give the same bytes. The policy file is not in it, because it has to come from someone other
than the sender.
"""

import ast
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_VERIFIER = Path(__file__).with_name("verify.py")
_PARTS = ("notes", "trees", "der", "tokens", "report")
_OWN, _FUTURE = "audit.verifier", "__future__"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
_README = """\
Evidence from the log {origin}

entries/N.json              what the log holds at index N, byte for byte
entries/N.tlog-proof        the proof that it does (https://c2sp.org/tlog-proof)
entries/N.disclosure.json   a detail that the entry commits to, where the receiver may know it
checkpoint                  the head of the log that all of it is proven against, with its cosignatures
consistency.txt             the proof that the log extends the receiver's own checkpoint, where one was given
log.vkey                    the log's public key
tokens/SIZE.tsr             an authority's timestamp (RFC 3161) on the head of that size, if there is one
tokens/SIZE.checkpoint      that head, byte for byte as it was stamped
tokens/SIZE.consistency.txt the proof that `checkpoint` extends it, where they differ
manifests/JOB.c2pa          the content credential of an output (https://c2pa.org)
report.LANGUAGE.pdf         the same for people to read; what counts are the entries and their proofs
verify.py                   checks all of it offline; Python 3.9 or later, nothing else

    python3 -S -I verify.py THIS.zip --vkey KEY [--pinned CHECKPOINT] [--tsa-roots ROOT.pem] [--media FOLDER]

Take KEY from someone other than the sender of this bundle. With the key in here the check
shows that nothing was changed since the bundle was made, not who made it. FOLDER holds files
that you were given: the check says which of them the log knows.

    openssl ts -verify -data tokens/SIZE.checkpoint -in tokens/SIZE.tsr -CAfile ROOT.pem
    openssl ts -reply -text -in tokens/SIZE.tsr

verify.py checks timestamps too, where they are signed with RSA or on the curves P-256 and P-384, but
asks no list of revoked certificates; openssl is a second opinion. Take ROOT.pem, the authority's root
certificate, from the authority. The first line checks the timestamp, the second shows its time: that
head, and in it every entry below SIZE, existed by then.
"""


@dataclass(frozen=True, slots=True)
class Proven:
    """One entry and the .tlog-proof that the log holds it."""

    index: int
    body: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes into a bundle; `extra` are further files by their path in it.

    `consistency` is the proof from the receiver's own checkpoint, empty where none was given; `tokens` are
    the files about timestamps by their name in tokens/.
    """

    entries: Sequence[Proven]
    checkpoint: str
    origin: str
    key: str
    consistency: str = ""
    extra: Mapping[str, bytes] = field(default_factory=dict)
    tokens: Mapping[str, bytes] = field(default_factory=dict)


def stem(index: int) -> str:
    """The file name of an entry, without its ending."""
    return f"{index:09d}"


def members(evidence: Evidence) -> dict[str, bytes]:
    """The files of a bundle by name."""
    files = {
        "README.txt": _README.format(origin=evidence.origin).encode(),
        "checkpoint": evidence.checkpoint.encode(),
        "log.vkey": f"{evidence.key}\n".encode(),
        "verify.py": verifier().encode(),
    }
    if evidence.consistency:
        files["consistency.txt"] = evidence.consistency.encode()
    for entry in evidence.entries:
        files[f"entries/{stem(entry.index)}.json"] = entry.body
        files[f"entries/{stem(entry.index)}.tlog-proof"] = entry.proof.encode()
    files |= {f"tokens/{name}": content for name, content in evidence.tokens.items()}
    return {**evidence.extra, **files}


def write_bundle(out: Path, evidence: Evidence) -> None:
    """Write the zip; a file of that name is replaced only by a whole one."""
    fresh = out.with_name(f".{out.name}.new")
    with zipfile.ZipFile(fresh, "w") as archive:
        for name, content in sorted(members(evidence).items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    fresh.replace(out)


def verifier() -> str:
    """The verifier as one file: its parts one after the other, without their imports of each other."""
    parts = [_VERIFIER.with_name("verifier") / f"{name}.py" for name in _PARTS]
    sources = [path.read_text(encoding="utf-8") for path in (*parts, _VERIFIER)]
    head, _, _ = sources[-1].partition("from __future__ import annotations\n")
    imports = {line for source in sources for line in _imports(source)}
    bodies = [_without_imports(source) for source in sources]
    return (
        head
        + "from __future__ import annotations\n\n"
        + "".join(sorted(imports))
        + "\n\n"
        + "\n\n".join(bodies)
    )


def _imports(source: str) -> Iterator[str]:
    """The lines by which a part asks for the standard library."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield f"{ast.unparse(node)}\n"
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith((_OWN, _FUTURE)):
            yield from (f"from {node.module} import {alias.name}\n" for alias in node.names)


def _without_imports(source: str) -> str:
    """A part from its first line of its own on."""
    body = ast.parse(source).body
    own = next(node for node in body[1:] if not isinstance(node, ast.Import | ast.ImportFrom))
    return "".join(source.splitlines(keepends=True)[own.lineno - 1 :])
