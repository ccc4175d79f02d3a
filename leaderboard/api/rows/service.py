"""What describes and watches the service."""

from typing import Any

from leaderboard.api import shapes
from leaderboard.api.rows.parts import Operation, query

OPERATIONS: dict[str, Operation] = {
    "GET /api/schema/": Operation(
        "schema", "This document", {200: dict[str, Any]},
        parameters=(query("format", "`json` or `yaml`", type="string", enum=["json", "yaml"], default="json"),),
    ),
    "GET /api/docs/": Operation("docs", "This document for reading", {200: str}, media="text/html; charset=utf-8"),
    "GET /api/asyncapi.json": Operation("asyncapi", "The same for the WebSocket, as AsyncAPI", {200: dict[str, Any]}),
    "GET /livez": Operation("livez", "Whether the process answers", {200: shapes.Alive}),
    "GET /readyz": Operation("readyz", "Its dependencies, one by one", {200: shapes.Ready, 503: shapes.Ready}),
    "GET /metrics": Operation("metrics", "Prometheus text of this process", {200: str}, media="text/plain; version=1.0.0; charset=utf-8"),
}  # fmt: skip
