"""The database aliases: one database, four roles with different rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

DATABASE = "likeness"
OWNER = "postgres"
ROLES = {
    "default": "likeness_app",
    "sequencer": "likeness_sequencer",
    "auditor": "likeness_audit",
}  # alias -> role; the alias "owner" migrates


def embedded(home: Path, *, name: str = DATABASE) -> dict[str, dict[str, Any]]:
    """Give the aliases of the embedded server; libpq reads the passwords from ``pg.pass`` itself."""
    host, passfile = str(home / "run"), str(home / "pg.pass")
    return {
        alias: _entry(NAME=name, USER=role, HOST=host, OPTIONS={"passfile": passfile})
        for alias, role in {**ROLES, "owner": OWNER}.items()
    }


def external(url: str) -> dict[str, dict[str, Any]]:
    """Give the aliases of one external URL: every alias but ``owner`` takes its role on connecting."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    common = {
        "NAME": parts.pop("dbname", DATABASE),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
    }
    given = parts.pop("options", "")
    entries = {"owner": _entry(**common, OPTIONS={**parts, **({"options": given} if given else {})})}
    for alias, role in ROLES.items():
        entries[alias] = _entry(**common, OPTIONS={**parts, "options": f"{given} -c role={role}".strip()})
    return entries


def _entry(**values: Any) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        # A SCRAM connection costs 16 ms, a query 0.04 ms (platform.md, 2).
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        **values,
    }
