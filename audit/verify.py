#!/usr/bin/env python3
"""Verify an evidence bundle, offline and without the software that made it.

    python verify.py BUNDLE.zip [--vkey LOG.VKEY | --policy POLICY] [--pinned CHECKPOINT] [--media DIRECTORY]
                                [--json]

Needs Python 3.9 or later and nothing else: one file, because it travels inside the bundle. The key or policy
must come from someone other than the sender; the key in the bundle shows integrity, not who made it. A pinned
checkpoint is one that you kept earlier: the log must have grown from it without a change.
Exit code: 0 when everything in the bundle is proven, 1 when not, 2 on wrong use.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sys
import zipfile
from typing import Any, NamedTuple

MAX_BYTES = 256 << 20  # of entries and proofs, which are read into memory; nothing is written to disk
MAX_MEMBERS = 200_000
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
ENTRY = re.compile(r"entries/[0-9]{9,19}\.json", re.ASCII)
DISCLOSURE = re.compile(r"(entries/[0-9]{9,19})\.disclosure\.json", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
READ = ("entries/", "manifests/", "log.vkey", "consistency.txt")
Point = tuple[int, int, int, int]
KeyName = tuple[str, str]  # name and id


class RefusedError(Exception):
    """Something in the bundle or the policy does not hold."""


# Ed25519 verification, RFC 8032, 5.1.7.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


def _add(a: Point, b: Point) -> Point:
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_1 % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is right."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if BASE is None or key is None or point is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _multiply(scalar, BASE), _add(point, _multiply(challenge, key))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def unbase64(text: str) -> bytes:
    """Strict base64, or RefusedError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise RefusedError("a base64 value is malformed") from None
    if base64.b64encode(data).decode() != text:
        raise RefusedError("a base64 value is not canonical")
    return data


class Head(NamedTuple):
    """A signed tree head and who cosigned it."""

    origin: str
    size: int
    root: bytes
    witnesses: tuple[str, ...]


class Policy:
    """Trusted log keys, known witnesses and the quorum (https://c2sp.org/tlog-policy)."""

    def __init__(self, text: str) -> None:
        self.logs: dict[KeyName, bytes] = {}
        self.witnesses: dict[str, tuple[KeyName, bytes]] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        self._used: set[object] = {"none"}  # names that are taken, public keys, members of groups
        self._heads: dict[str, Head] = {}
        if any(ord(c) < 32 and c not in "\t\n" for c in text):
            raise RefusedError("the policy holds a control character")
        for line in text.split("\n"):
            words = line.split()
            if words and not words[0].startswith("#"):
                self._take(words[0], words[1:])
        if not self.quorum or not self.logs:
            raise RefusedError("the policy needs a log and exactly one quorum line")

    def _take(self, kind: str, words: list[str]) -> None:
        if kind == "log" and len(words) in (1, 2):
            name, public = self._key(words[0], 1)
            self.logs[name] = public
        elif kind == "witness" and len(words) in (2, 3):
            self._once(words[0])
            self.witnesses[words[0]] = self._key(words[1], 4)
        elif kind == "group" and len(words) > 2:
            self._once(words[0])
            self.groups[words[0]] = self._group(words[1], words[2:])
        elif kind == "quorum" and len(words) == 1 and not self.quorum:
            if words[0] != "none" and words[0] not in self.witnesses and words[0] not in self.groups:
                raise RefusedError("the quorum " + words[0] + " is not defined")
            self.quorum = words[0]
        else:
            raise RefusedError("a policy line is unknown, malformed or repeated: " + kind)

    def _once(self, item: object) -> None:
        if item in self._used:
            raise RefusedError("the policy uses a name, a key or a member twice")
        self._used.add(item)

    def _group(self, count: str, members: list[str]) -> tuple[int, list[str]]:
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise RefusedError("the group member " + member + " is not defined")
            self._once(("member", member))
        count = {"any": "1", "all": str(len(members))}.get(count, count)
        if not DECIMAL.fullmatch(count) or not 1 <= int(count) <= len(members):
            raise RefusedError("a group asks for " + count + " of its members")
        return int(count), members

    def _key(self, text: str, kind: int) -> tuple[KeyName, bytes]:
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = unbase64(encoded)
        right = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4].hex()
        if not name or len(data) != 33 or data[0] != kind or key_id != right:
            raise RefusedError("the verifier key of " + (name or "nobody") + " is malformed")
        self._once(data[1:])
        return (name, key_id), data[1:]

    def _met(self, name: str, cosigned: tuple[str, ...]) -> bool:
        if name not in self.groups:
            return name == "none" or name in cosigned
        needed, members = self.groups[name]
        return sum(self._met(member, cosigned) for member in members) >= needed

    def head(self, note: str) -> Head:
        """The tree head of a checkpoint that this policy accepts, or RefusedError."""
        head = self.signed(note)
        if not self._met(self.quorum, head.witnesses):
            raise RefusedError("the witnesses that the policy asks for did not cosign")
        return head

    def signed(self, note: str) -> Head:
        """The tree head of a checkpoint that a trusted log signed, whoever cosigned it, or RefusedError."""
        if note not in self._heads:
            self._heads[note] = self._open(note)
        return self._heads[note]

    def _open(self, note: str) -> Head:
        text, gap, lines = note.rpartition("\n\n")
        rows = text.split("\n")
        if not gap or not lines.endswith("\n") or any(ord(c) < 32 and c != "\n" for c in note):
            raise RefusedError("the checkpoint is malformed")
        if len(rows) < 3 or not all(rows) or not DECIMAL.fullmatch(rows[1]) or len(unbase64(rows[2])) != 32:
            raise RefusedError("the checkpoint is malformed")
        signers = [self._signer(line, text + "\n") for line in lines[:-1].split("\n")]
        cosigned = tuple(sorted({name for kind, name in signers if kind == "witness"}))
        if ("log", rows[0]) not in signers:
            raise RefusedError("no trusted key signed the checkpoint of " + rows[0])
        return Head(rows[0], int(rows[1]), unbase64(rows[2]), cosigned)

    def _signer(self, line: str, body: str) -> tuple[str, str]:
        """Who signed; an unknown key is nobody, a known key with a wrong signature refuses the whole note."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or len(unbase64(parts[2])) <= 4:
            raise RefusedError("a signature line is malformed")
        data = unbase64(parts[2])
        key, value = (parts[1], data[:4].hex()), data[4:]
        if key in self.logs:
            if not is_signed(self.logs[key], body.encode(), value):
                raise RefusedError("the signature of the log " + parts[1] + " is wrong")
            return "log", parts[1]
        for name, (known, public) in self.witnesses.items():
            if key == known:
                time = int.from_bytes(value[:8], "big")
                if not time or not is_signed(
                    public, f"cosignature/v1\ntime {time}\n{body}".encode(), value[8:]
                ):
                    raise RefusedError("the signature of the witness " + name + " is wrong")
                return "witness", name
        return "nobody", ""


def root_from(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2), or RefusedError."""
    if index >= size or len(proof) > 63 or any(len(item) != 32 for item in proof):
        raise RefusedError("the proof is malformed")
    last, root = size - 1, leaf
    for sibling in proof:
        if not last:
            raise RefusedError("the proof is too long")
        if index & 1 or index == last:
            root = hashlib.sha256(b"\x01" + sibling + root).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + sibling).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise RefusedError("the proof is too short")
    return root


def roots_from(old: int, size: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots that a consistency proof leads to (RFC 9162, 2.1.4.2), or RefusedError."""
    if not 0 < old < size or not proof or len(proof) > 63 or any(len(item) != 32 for item in proof):
        raise RefusedError("the consistency proof is malformed")
    path = proof if old & (old - 1) else [old_root, *proof]
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            raise RefusedError("the consistency proof is too long")
        if position & 1 or position == last:
            before = hashlib.sha256(b"\x01" + sibling + before).digest()
            after = hashlib.sha256(b"\x01" + sibling + after).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = hashlib.sha256(b"\x01" + after + sibling).digest()
        position, last = position >> 1, last >> 1
    if last:
        raise RefusedError("the consistency proof is too short")
    return before, after


def check_pinned(pinned: str, members: dict[str, bytes], heads: set[Head], policy: Policy) -> int:
    """The size of a kept checkpoint that every head of the bundle extends, or RefusedError."""
    kept = policy.signed(pinned)
    for head in heads:
        if kept.origin != head.origin or kept.size > head.size:
            raise RefusedError(
                f"the tree of {head.size} entries does not extend your checkpoint of {kept.size}"
            )
        if kept.size in (0, head.size):
            before, after = kept.root, (head.root if not kept.size else kept.root)
        else:
            text, gap, note = members.get("consistency.txt", b"").decode().partition("\n\n")
            first, *lines = text.split("\n")
            if not gap or first != f"old {kept.size}":
                raise RefusedError(f"the bundle has no consistency proof from your checkpoint of {kept.size}")
            if policy.head(note)[:3] != head[:3]:
                raise RefusedError("the consistency proof is of another tree than the entries")
            before, after = roots_from(kept.size, head.size, kept.root, [unbase64(line) for line in lines])
        if before != kept.root or after != head.root:
            raise RefusedError("the log does not extend your checkpoint: its past was rewritten")
    return kept.size


def check_manifests(members: dict[str, bytes], findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One finding per C2PA manifest: which proven entry names its hash."""
    named = {f["manifest"]: f["index"] for f in findings if f["ok"] and isinstance(f.get("manifest"), str)}
    told = []
    for name in sorted(members):
        if name.startswith("manifests/"):
            index = named.get(hashlib.sha256(members[name]).hexdigest())
            told.append({"file": name, "ok": index is not None, "entry": index})
    return told


def check_disclosure(name: str, data: bytes, event: dict[str, Any]) -> str:
    """What was said beside the log and committed to in the entry, as JSON text, or RefusedError."""
    told = json.loads(data)
    salt, text = told["salt"], told["jcs"]
    if not isinstance(salt, str) or not DIGEST.fullmatch(salt) or not isinstance(text, str):
        raise RefusedError("the disclosure is malformed")
    if "sha256:" + hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest() != event.get("detail"):
        raise RefusedError("the disclosure " + name + " is not what the entry commits to")
    return text


def check_entry(name: str, leaf: bytes, proof: str, policy: Policy) -> dict[str, Any]:
    """Prove one entry; what it is, or RefusedError."""
    top, _, note = proof.partition("\n\n")
    lines = top.split("\n")
    if len(lines) > 1 and lines[1].startswith("extra "):
        del lines[1]  # not authenticated
    if len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
        raise RefusedError("the proof is malformed")
    index = lines[1][len("index ") :]
    if not DECIMAL.fullmatch(index) or name != f"entries/{int(index):09d}.json":
        raise RefusedError("the name of the entry and its proof disagree")
    head = policy.head(note)
    root = root_from(
        int(index), head.size, hashlib.sha256(b"\x00" + leaf).digest(), [unbase64(x) for x in lines[2:]]
    )
    if root != head.root:
        raise RefusedError("the entry is not in the tree of the log")
    event = json.loads(leaf)
    wanted = ("type", "ts", "job", "consent", "identity", "output", "manifest", "detail")
    told = {key: event[key] for key in wanted if key in event}
    found = {"index": int(index), "size": head.size, "origin": head.origin, "witnesses": list(head.witnesses)}
    return {"file": name, "ok": True, **found, "root": head.root.hex(), **told}


def read_bundle(path: str) -> dict[str, bytes]:
    """The entries, proofs and key of a bundle, or RefusedError."""
    with zipfile.ZipFile(path) as bundle:
        infos = bundle.infolist()
        wanted = [info for info in infos if info.filename.startswith(READ)]
        if len({info.filename for info in infos}) != len(infos) or len(infos) > MAX_MEMBERS:
            raise RefusedError("the bundle holds a name twice or too many files")
        if sum(info.file_size for info in wanted) > MAX_BYTES:
            raise RefusedError("the entries of the bundle are too large")
        return {info.filename: bundle.read(info) for info in wanted}


def check_all(members: dict[str, bytes], policy: Policy) -> list[dict[str, Any]]:
    """One finding per entry; a file among the entries that proves nothing is a failure."""
    findings = []
    names = sorted(name for name in members if name.startswith("entries/"))
    for name in names:
        disclosed = DISCLOSURE.fullmatch(name)
        if disclosed and disclosed[1] + ".json" in members:
            continue  # with its entry
        if name.endswith(".tlog-proof") and name[: -len(".tlog-proof")] + ".json" in members:
            continue
        try:
            proof = members.get(name[: -len(".json")] + ".tlog-proof")
            if not ENTRY.fullmatch(name) or proof is None:
                raise RefusedError("it is no entry with a proof")
            finding = check_entry(name, members[name], proof.decode(), policy)
            beside = name[: -len(".json")] + ".disclosure.json"
            if beside in members:
                finding["disclosed"] = check_disclosure(beside, members[beside], finding)
            findings.append(finding)
        except (RefusedError, ValueError, TypeError, KeyError, RecursionError) as error:
            findings.append({"file": name, "ok": False, "error": str(error)})
    return findings


def match_media(findings: list[dict[str, Any]], directory: str) -> list[str]:
    """Name the file that each logged output is; gives the files that are none."""
    files = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            digest = hashlib.sha256()
            with open(os.path.join(folder, name), "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
            files[digest.hexdigest()] = name
    for finding in findings:
        if finding.get("ok") and finding.get("output") in files:
            finding["media"] = files[finding["output"]]
    named = {finding.get("media") for finding in findings}
    return sorted(name for name in files.values() if name not in named)


# What a report says in words. The codes are stable: other programs translate them.
PROVEN = {
    "entries": "{count} entries are in a tree of {size} entries that the log {origin} signed: they were not "
    "changed, and they stand there in this order.",
    "witnesses": "{names} cosigned that tree: they saw no other past of this log.",
    "pinned": "The log grew from your own checkpoint of {size} entries without changing or removing any.",
    "manifests": "{count} content credentials are the ones that were logged.",
    "disclosures": "{count} details that were told beside the log are the ones it commits to.",
    "media": "{names}: byte for byte what was logged as delivered.",
}
NOT_PROVEN = {
    "origin": "Who made this bundle. The key came from the bundle itself: get the log's key from someone "
    "other than the sender and check again.",
    "append_only": "That everybody is shown the same log. No witness and no checkpoint of yours stands "
    "behind this tree: who holds the log's key could have rewritten it before it was signed.",
    "media": "That a file you hold is the one in the log. Its bytes were not compared.",
    "unmatched": "{names}: not what any of these entries says was delivered.",
    "truth": "That what was logged is true. The log proves that it was said, by whom, and not changed since.",
    "completeness": "That everything was logged, or that the bundle holds all of it.",
}


def conclude(report: dict[str, Any]) -> None:
    """Put what is proven and what is not into the report, as codes with their numbers."""
    good = [finding for finding in report["entries"] if finding["ok"]]
    proven: list[dict[str, Any]] = []
    for origin, size in sorted({(f["origin"], f["size"]) for f in good}):
        count = sum((f["origin"], f["size"]) == (origin, size) for f in good)
        proven.append({"code": "entries", "count": count, "size": size, "origin": origin})
    cosigned = [set(finding["witnesses"]) for finding in good]
    witnesses = sorted(set.intersection(*cosigned)) if cosigned else []
    media = sorted({f["media"] for f in good if "media" in f})
    counts = {
        "manifests": sum(finding["ok"] for finding in report["manifests"]),
        "disclosures": sum("disclosed" in finding for finding in good),
    }
    if witnesses:
        proven.append({"code": "witnesses", "names": ", ".join(witnesses)})
    if report["pinned"]:
        proven.append({"code": "pinned", "size": report["pinned"]})
    proven += [{"code": code, "count": count} for code, count in counts.items() if count]
    if media:
        proven.append({"code": "media", "names": ", ".join(media)})
    missing = {
        "origin": report["key"] == "bundle",
        "append_only": not witnesses and not report["pinned"],
        "media": not media and any("output" in finding for finding in good),
        "truth": True,
        "completeness": True,
    }
    report["proven"] = proven
    report["not_proven"] = [{"code": code} for code, is_missing in missing.items() if is_missing]
    if report["unmatched"]:
        report["not_proven"].insert(0, {"code": "unmatched", "names": ", ".join(report["unmatched"])})


def _words(finding: dict[str, Any]) -> str:
    if not finding["ok"]:
        return f"NOT PROVEN  {finding['file']}: {finding.get('error', 'no entry of this bundle names it')}"
    if "index" not in finding:
        return f"proven      {finding['file']}, named by entry {finding['entry']}"
    about = f", job {finding['job']}" if "job" in finding else ""
    media = f"; its output is the file {finding['media']}" if "media" in finding else ""
    return f"proven      entry {finding['index']} {finding.get('type')} of {finding.get('ts')}{about}{media}"


def describe(report: dict[str, Any]) -> str:
    """What a report proves, and what not, in words."""
    findings = report["entries"] + report["manifests"]
    lines = [_words(finding) for finding in findings]
    if report["error"]:
        lines.append("REFUSED: " + report["error"])
    lines += ["", "Proven:"] + [f"  - {PROVEN[item['code']].format(**item)}" for item in report["proven"]]
    lines += ["", "Not proven:"]
    lines += [f"  - {NOT_PROVEN[item['code']].format(**item)}" for item in report["not_proven"]]
    count = sum(finding["ok"] for finding in findings)
    lines += ["", f"{count} proven, {len(findings) - count} not proven: {report['result']}."]
    return "\n".join(lines)


def verify(
    path: str, *, policy: str = "", vkey: str = "", media: str = "", pinned: str = ""
) -> dict[str, Any]:
    """Check a whole bundle; `policy`, `vkey` and `pinned` are texts of such files, `media` a directory."""
    report: dict[str, Any] = {
        "result": "refused",
        "key": "given",
        "error": "",
        "entries": [],
        "manifests": [],
    }
    report |= {"pinned": 0, "unmatched": [], "proven": [], "not_proven": []}
    try:
        members = read_bundle(path)
        if not policy and not vkey:
            report["key"] = "bundle"
            vkey = members.get("log.vkey", b"").decode()
        _check(report, members, Policy(policy or f"log {vkey.strip()}\nquorum none\n"), pinned, media)
    except (RefusedError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        report["error"] = str(error)
    conclude(report)
    findings = report["entries"] + report["manifests"]
    if report["entries"] and not report["error"] and all(finding["ok"] for finding in findings):
        report["result"] = "verified"
    return report


def _check(
    report: dict[str, Any], members: dict[str, bytes], policy: Policy, pinned: str, media: str
) -> None:
    report["entries"] = check_all(members, policy)
    report["manifests"] = check_manifests(members, report["entries"])
    good = [finding for finding in report["entries"] if finding["ok"]]
    if media:
        report["unmatched"] = match_media(good, media)
    if pinned:
        heads = {Head(f["origin"], f["size"], bytes.fromhex(f["root"]), ()) for f in good}
        report["pinned"] = check_pinned(pinned, members, heads, policy)


def main() -> int:
    """Run on the command line."""
    parser = argparse.ArgumentParser(description="Verify an evidence bundle offline.")
    parser.add_argument("bundle")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--vkey", help="a file with the log's verifier key")
    trust.add_argument("--policy", help="a tlog-policy file")
    parser.add_argument("--pinned", help="a checkpoint of this log that you kept earlier")
    parser.add_argument("--media", default="", help="a directory of files to match by SHA-256")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    given = {}
    for name in ("vkey", "policy", "pinned"):
        path = getattr(options, name)
        if path:
            try:
                with open(path, encoding="utf-8", newline="") as file:
                    given[name] = file.read()
            except (OSError, ValueError) as error:
                parser.error(f"{path}: {error}")
            if not given[name].strip():
                parser.error(f"{path} is empty")
    report = verify(options.bundle, media=options.media, **given)
    sys.stdout.write((json.dumps(report) if options.json else describe(report)) + "\n")
    return 0 if report["result"] == "verified" else 1


if __name__ == "__main__":
    sys.exit(main())
