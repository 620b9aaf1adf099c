"""What a check found, in words: what is proven and what is not."""

from __future__ import annotations

from typing import Any

# What a report says in words. The codes are stable: other programs translate them.
PROVEN = {
    "entries": "{count} entries are in a tree of {size} entries that the log {origin} signed: they were not "
    "changed, and they stand there in this order.",
    "witnesses": "{names} cosigned that tree: they saw no other past of this log.",
    "pinned": "The log grew from your own checkpoint of {size} entries without changing or removing any.",
    "manifests": "{count} content credentials are the ones that were logged.",
    "disclosures": "{count} details that were told beside the log are the ones it commits to.",
    "media": "{names}: byte for byte what was logged as delivered.",
    "stamped": "{by} signed that the tree of {size} entries existed at {time}: {count} of these entries were "
    "in it by then. Its root certificate did not come from the sender.",
}
NOT_PROVEN = {
    "origin": "Who made this bundle. The key came from the bundle itself: get the log's key from someone "
    "other than the sender and check again.",
    "append_only": "That everybody is shown the same log. No witness and no checkpoint of yours stands "
    "behind this tree: who holds the log's key could have rewritten it before it was signed.",
    "media": "That a file you hold is the one in the log. Its bytes were not compared.",
    "unmatched": "{names}: not what any of these entries says was delivered.",
    "time": "When the entries were made, but for what they say themselves. No authority's timestamp stands "
    "behind them.",
    "stamp_root": "Whose word the timestamp of {time} is. It holds in itself, but no root certificate of an "
    "authority was given: get it from the authority and check again with --tsa-roots.",
    "stamp_unchecked": "That the timestamp {file} holds: {reason}. Ask openssl, as README.txt says.",
    "undisclosed": "What {count} of the entries say beside the log. They commit to words that are not in "
    "this bundle: erased, or not for its receiver.",
    "truth": "That what was logged is true. The log proves that it was said, by whom, and not changed since.",
    "completeness": "That everything was logged, or that the bundle holds all of it.",
}


def conclude(report: dict[str, Any]) -> None:
    """Put what is proven and what is not into the report, as codes with their numbers."""
    good = [finding for finding in report["entries"] if finding["ok"]]
    report["proven"] = _proven(report, good)
    report["not_proven"] = _not_proven(report, good, {item["code"] for item in report["proven"]})


def _proven(report: dict[str, Any], good: list[dict[str, Any]]) -> list[dict[str, Any]]:
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
    for stamp in report["tokens"]:
        if stamp["ok"] and stamp["trusted"]:
            count = sum(finding["index"] < stamp["size"] for finding in good)
            told = {name: stamp[name] for name in ("size", "time", "by")}
            proven.append({"code": "stamped", "count": count, **told})
    return proven


def _not_proven(report: dict[str, Any], good: list[dict[str, Any]], proven: set[str]) -> list[dict[str, Any]]:
    stamps = [stamp for stamp in report["tokens"] if stamp["ok"]]
    unmatched = ", ".join(report["unmatched"])
    untold = sum("detail" in finding and "disclosed" not in finding for finding in good)
    missing: list[tuple[bool, dict[str, Any]]] = [
        (bool(unmatched), {"code": "unmatched", "names": unmatched}),
        (report["key"] == "bundle", {"code": "origin"}),
        (proven.isdisjoint({"witnesses", "pinned"}), {"code": "append_only"}),
        ("media" not in proven and any("output" in finding for finding in good), {"code": "media"}),
        (not stamps, {"code": "time"}),
        *((stamp["root"] == "missing", {"code": "stamp_root", "time": stamp["time"]}) for stamp in stamps),
        *(
            (
                bool(stamp["reason"]),
                {"code": "stamp_unchecked", "file": stamp["file"], "reason": stamp["reason"]},
            )
            for stamp in stamps
        ),
        (bool(untold), {"code": "undisclosed", "count": untold}),
        (True, {"code": "truth"}),
        (True, {"code": "completeness"}),
    ]
    return [item for is_missing, item in missing if is_missing]


def _words(finding: dict[str, Any]) -> str:
    if not finding["ok"]:
        return f"NOT PROVEN  {finding['file']}: {finding.get('error', 'no entry of this bundle names it')}"
    if finding["file"].startswith("tokens/"):
        return f"stamped     {finding['file']} at {finding['time'] or 'a time that was not read'}"
    if "index" not in finding:
        return f"proven      {finding['file']}, named by entry {finding['entry']}"
    about = f", job {finding['job']}" if "job" in finding else ""
    media = f"; its output is the file {finding['media']}" if "media" in finding else ""
    return f"proven      entry {finding['index']} {finding.get('type')} of {finding.get('ts')}{about}{media}"


def describe(report: dict[str, Any]) -> str:
    """What a report proves, and what not, in words."""
    findings = report["entries"] + report["manifests"] + report["tokens"]
    lines = [_words(finding) for finding in findings]
    if report["error"]:
        lines.append("REFUSED: " + report["error"])
    lines += ["", "Proven:"] + [f"  - {PROVEN[item['code']].format(**item)}" for item in report["proven"]]
    lines += ["", "Not proven:"]
    lines += [f"  - {NOT_PROVEN[item['code']].format(**item)}" for item in report["not_proven"]]
    count = sum(finding["ok"] for finding in findings)
    lines += ["", f"{count} proven, {len(findings) - count} not proven: {report['result']}."]
    return "\n".join(lines)
