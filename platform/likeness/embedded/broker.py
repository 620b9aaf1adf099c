"""PostgreSQL as Celery's broker: kombu's pgmq transport on the application's own database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import connections
from kombu.transport import pgmq
from psycopg.conninfo import make_conninfo

from likeness.embedded import passwords


def conninfo() -> str:
    """Give the conninfo of the database that the application uses, with its password.

    pgmq's client keeps host, port, dbname, user and password only: a ``passfile`` is dropped and a missing
    password becomes "postgres". So the password is read here, when a connection is made, and never stands
    in the settings.
    """
    facts = connections["default"].settings_dict
    passfile = facts["OPTIONS"].get("passfile")
    password = facts["PASSWORD"]
    if not password and passfile:
        password = passwords.find(Path(passfile), role=facts["USER"])
    parts = {
        "host": facts["HOST"],
        "port": facts["PORT"],
        "dbname": facts["NAME"],
        "user": facts["USER"],
        "password": password,
    }
    return make_conninfo("", **{key: str(value) for key, value in parts.items() if value})


class Transport(pgmq.Transport):
    """kombu's transport, told at connection time where the application's database is."""

    def _create_pgmq_client(self) -> Any:
        if self.client is not None:  # kombu types it as optional; a transport always has one
            self.client.transport_options = {
                **(self.client.transport_options or {}),
                "conn_string": conninfo(),
            }
        return super()._create_pgmq_client()
