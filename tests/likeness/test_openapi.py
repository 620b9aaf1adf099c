from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

COMMITTED = Path(settings.BASE_DIR) / "deploy" / "openapi.yaml"
PUBLIC = {"/api/v1/check/"}
DEFAULT_ANSWER = "#/components/schemas/Error"


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", file=str(out), validate=True, fail_on_warn=True)
    return out.read_text()


def test_the_committed_schema_is_the_views_own(schema):
    assert COMMITTED.read_text() == schema, "run `make openapi` and read the difference"


def test_every_operation_names_the_one_error_body(schema):
    for address, operations in yaml.safe_load(schema)["paths"].items():
        for method, operation in operations.items():
            answer = operation["responses"]["default"]["content"]["application/json"]["schema"]
            assert answer == {"$ref": DEFAULT_ANSWER}, f"{method} {address}"


def test_every_operation_but_public_ones_asks_for_a_caller(schema):
    for address, operations in yaml.safe_load(schema)["paths"].items():
        for method, operation in operations.items():
            asked = {"apiKey": []} in operation.get("security", [])
            assert asked == (address not in PUBLIC), f"{method} {address}"
