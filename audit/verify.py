#!/usr/bin/env python3
"""Verify an evidence bundle, offline and without the software that made it.

    python verify.py BUNDLE.zip [--vkey LOG.VKEY | --policy POLICY] [--pinned CHECKPOINT] [--tsa-roots PEM]
                                [--media DIRECTORY] [--json]

Needs Python 3.9 or later and nothing else: one file, because it travels inside the bundle. The key or policy
must come from someone other than the sender; the key in the bundle shows integrity, not who made it. A pinned
checkpoint is one that you kept earlier: the log must have grown from it without a change. The roots are the
certificates of a timestamp authority, from the authority; lists of revoked certificates are not asked.
Exit code: 0 when everything in the bundle is proven, 1 when not, 2 on wrong use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import zipfile
from typing import Any

from audit.verifier.der import UncheckedError
from audit.verifier.notes import DECIMAL, Head, Policy, RefusedError, unbase64
from audit.verifier.report import NOT_PROVEN, PROVEN, conclude, describe
from audit.verifier.tokens import Certificate, certificates, common_name, readable, token, trust
from audit.verifier.trees import extends, root_from

__all__ = ["NOT_PROVEN", "PROVEN", "check_disclosure", "describe", "verify"]
MAX_BYTES = 256 << 20  # of entries and proofs, which are read into memory; nothing is written to disk
MAX_MEMBERS = 200_000
ENTRY = re.compile(r"entries/[0-9]{9,19}\.json", re.ASCII)
DISCLOSURE = re.compile(r"(entries/[0-9]{9,19})\.disclosure\.json", re.ASCII)
TOKEN_FILE = re.compile(r"tokens/[1-9][0-9]{0,18}(-[1-9][0-9]{0,3})?\.tsr", re.ASCII)
HEAD_FILE = re.compile(r"tokens/[1-9][0-9]{0,18}\.(checkpoint|consistency\.txt)", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
READ = ("entries/", "manifests/", "tokens/", "log.vkey", "consistency.txt")


def check_pinned(pinned: str, members: dict[str, bytes], heads: set[Head], policy: Policy) -> int:
    """The size of a kept checkpoint that every head of the bundle extends, or RefusedError."""
    kept = policy.signed(pinned)
    for head in heads:
        if kept.origin != head.origin or kept.size > head.size:
            raise RefusedError(
                f"the tree of {head.size} entries does not extend your checkpoint of {kept.size}"
            )
        if not extends(kept, head, members.get("consistency.txt", b"").decode(), policy):
            raise RefusedError("the log does not extend your checkpoint: its past was rewritten")
    return kept.size


def check_token(
    name: str, members: dict[str, bytes], heads: set[Head], policy: Policy, roots: list[Certificate]
) -> dict[str, Any]:
    """What one timestamp says: `root` is trusted, missing or unchecked, `reason` why; or RefusedError."""
    size = name[len("tokens/") : -len(".tsr")].partition("-")[0]
    note = members.get(f"tokens/{size}.checkpoint", b"")
    kept = policy.signed(note.decode())
    proof = members.get(f"tokens/{size}.consistency.txt", b"").decode()
    if str(kept.size) != size or not all(
        head.origin == kept.origin and head.size >= kept.size and extends(kept, head, proof, policy)
        for head in heads
    ):
        raise RefusedError("the stamped head is not one of this log")
    told: dict[str, Any] = {"file": name, "ok": True, "size": kept.size, "time": "", "by": "", "reason": ""}
    told |= {"policy": "", "root": "unchecked", "trusted": False}
    try:
        found = token(members[name])
        if found.imprint != hashlib.new(found.hashed, note).digest():
            raise RefusedError("the timestamp is on other bytes than the head")
        told |= {"time": readable(found.time), "policy": found.policy, "by": common_name(found.signer)}
        if roots:
            trust(found, roots)
        told |= {"root": "trusted" if roots else "missing", "trusted": bool(roots)}
    except UncheckedError as error:
        told["reason"] = str(error)
    return told


def check_tokens(
    members: dict[str, bytes], heads: set[Head], policy: Policy, roots: list[Certificate]
) -> list[dict[str, Any]]:
    """One finding per timestamp."""
    findings = []
    for name in sorted(name for name in members if name.startswith("tokens/")):
        if HEAD_FILE.fullmatch(name):
            continue  # with its token
        try:
            if not TOKEN_FILE.fullmatch(name):
                raise RefusedError("it is no timestamp")
            findings.append(check_token(name, members, heads, policy, roots))
        except (RefusedError, ValueError, IndexError, TypeError, RecursionError) as error:
            findings.append({"file": name, "ok": False, "error": str(error)})
    return findings


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


def verify(
    path: str, *, policy: str = "", vkey: str = "", media: str = "", pinned: str = "", tsa_roots: str = ""
) -> dict[str, Any]:
    """Check a whole bundle; the others are texts of such files, but `media`, which is a directory."""
    report: dict[str, Any] = {"result": "refused", "key": "given", "error": "", "pinned": 0}
    report |= {name: [] for name in ("entries", "manifests", "tokens", "unmatched", "proven", "not_proven")}
    try:
        members = read_bundle(path)
        if not policy and not vkey:
            report["key"] = "bundle"
            vkey = members.get("log.vkey", b"").decode()
        trusted = Policy(policy or f"log {vkey.strip()}\nquorum none\n")
        roots = certificates(tsa_roots) if tsa_roots else []
        _check(report, members, trusted, pinned, media)
        report["tokens"] = check_tokens(members, _heads(report), trusted, roots)
    except (RefusedError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        report["error"] = str(error)
    conclude(report)
    findings = report["entries"] + report["manifests"] + report["tokens"]
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
        report["pinned"] = check_pinned(pinned, members, _heads(report), policy)


def _heads(report: dict[str, Any]) -> set[Head]:
    """The heads that the entries are proven against."""
    good = [finding for finding in report["entries"] if finding["ok"]]
    return {Head(f["origin"], f["size"], bytes.fromhex(f["root"]), ()) for f in good}


def main() -> int:
    """Run on the command line."""
    parser = argparse.ArgumentParser(description="Verify an evidence bundle offline.")
    parser.add_argument("bundle")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--vkey", help="a file with the log's verifier key")
    trust.add_argument("--policy", help="a tlog-policy file")
    parser.add_argument("--pinned", help="a checkpoint of this log that you kept earlier")
    parser.add_argument("--tsa-roots", help="a PEM file with the root of the timestamp authority")
    parser.add_argument("--media", default="", help="a directory of files to match by SHA-256")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    given = {}
    for name in ("vkey", "policy", "pinned", "tsa_roots"):
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
