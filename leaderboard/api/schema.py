"""The OpenAPI document: a row for every route and method, put together by drf-spectacular from what the resolver has.

To describe a route add its row to OPERATIONS; its twin of version 2 is made from it. tests/api/test_schema.py says which rows are
missing, and tries whether the service does what they say.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec
from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiYamlRenderer

from leaderboard.api import envelope, problems, shapes, versions
from leaderboard.api.request import DjangoApiRequest
from leaderboard.api.views import ApiView
from leaderboard.domain import errors
from leaderboard.domain.errors import Refusal
from leaderboard.services.standings import LIMIT_MAX, OFFSET_MAX

Json = dict[str, Any]
Security = tuple[Mapping[str, list[str]], ...]

_REF = "#/components/schemas/{name}"

# --- Who may ask ----------------------------------------------------------------------------------------------------------

SCHEMES: Json = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "A game server's: `Api-Key <key>`"},
    "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A player's access token"},
    "Ticket": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Opens private boards: `Ticket <ticket>`"},
    "Session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A signed-in browser's"},
    "Csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken", "description": "The value of the cookie `csrftoken`"},
}
KEY: Security = ({"ApiKey": []},)
PLAYER: Security = ({"Bearer": []},)
WRITER: Security = (*KEY, *PLAYER, {"Session": [], "Csrf": []})
READER: Security = ({}, *KEY, *PLAYER, {"Ticket": []})  # public boards need nothing
ANYONE: Security = ({},)

# --- What is asked with ---------------------------------------------------------------------------------------------------


def query(name: str, says: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": says, "schema": schema}


def limit(default: int, says: str) -> Json:
    return query("limit", says, type="integer", minimum=1, maximum=LIMIT_MAX, default=default)


SEASON = query("season", "`current`, `previous`, `all-time`, or a season's start as answers name it", type="string", default="current")
OFFSET = query("offset", "Rows to skip", type="integer", minimum=0, maximum=OFFSET_MAX, default=0)
CURSOR = query("cursor", "As a link has it; it goes without `offset` and `season`", type="string")
IF_NONE_MATCH: Json = {"name": "If-None-Match", "in": "header", "description": "Tags that are held", "schema": {"type": "string"}}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A name for this submit: sent again it counts once and gets its first answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
PATH: dict[str, Json] = {
    "board": {"description": "The leaderboard's slug", "example": "global"},
    "player": {"description": "The name under which the player's scores come in", "example": "ada"},
}

# --- What is answered -----------------------------------------------------------------------------------------------------

EVERYWHERE = (
    errors.InvalidParameter,
    errors.NotFound,
    errors.BodyTooLarge,
    errors.InternalError,
    errors.Overloaded,
    errors.StoreUnavailable,
)
WITH_BODY = (errors.InvalidBody, errors.UnsupportedMediaType)
CREDENTIALED = (errors.NotAuthenticated, errors.Forbidden)
SUBMITTED = (
    *CREDENTIALED, errors.CsrfFailed, errors.InvalidPlayer, errors.InvalidMetadata, errors.InvalidIdempotencyKey, errors.PlayerRequired,
    errors.PlayerNotAllowed, errors.AuthoritativeBoard, errors.LeaderboardNotFound, errors.GameModeMismatch, errors.ScoreOutOfRange,
    errors.TotalOutOfRange, errors.IdempotencyKeyReused,
)  # fmt: skip
OF_A_BOARD = (*CREDENTIALED, errors.LeaderboardNotFound)
OF_A_SEASON = (*OF_A_BOARD, errors.SeasonNotFound)

HEADERS: Json = {"X-Request-ID": {"description": "Also in the server's log", "required": True, "schema": {"type": "string"}}}
HELD_HEADERS: Json = {"ETag": {"description": "Names the answer", "required": True, "schema": {"type": "string"}}}


class Operation(NamedTuple):
    """A route's method. `answers` are shapes by status: a struct, None where there is no body, or str for text of the type `media`."""

    id: str
    summary: str
    answers: Mapping[int, Any]
    refusals: tuple[type[Refusal], ...] = ()
    who: Security = ANYONE
    body: Any = None
    body_example: Json | None = None
    parameters: tuple[Json, ...] = ()
    media: str = "application/json"
    has_tag: bool = False  # an ETag, and 304 to who holds it


_SUBMIT: Json = {"player": "ada", "name": "Ada", "score": 1200, "subscore": 95, "metadata": {"level": 7}}
_V1 = "/api/v1/"

OPERATIONS: dict[str, Operation] = {
    "POST /api/v1/scores/": Operation(
        "submit_score", "Submit a score; answers ranks", {201: shapes.Submitted}, SUBMITTED, WRITER, shapes.Submit, _SUBMIT,
        (IDEMPOTENCY_KEY,),
    ),
    "POST /api/v1/scores/batch/": Operation(
        "submit_scores", "Submit up to 1000 scores", {200: shapes.BatchDone},
        (*CREDENTIALED, errors.CsrfFailed, errors.InvalidIdempotencyKey), WRITER, shapes.Batch, {"scores": [_SUBMIT]}, (IDEMPOTENCY_KEY,),
    ),
    "GET /api/v1/leaderboard/": Operation(
        "list_leaderboards", "List the leaderboards", {200: shapes.Boards}, CREDENTIALED, READER, has_tag=True
    ),
    "GET /api/v1/leaderboard/{board}/": Operation(
        "describe_leaderboard", "One leaderboard's definition and size", {200: shapes.Described}, OF_A_BOARD, READER, has_tag=True
    ),
    "GET /api/v1/leaderboard/{board}/top/": Operation(
        "top", "Rows from the top", {200: shapes.Top}, OF_A_SEASON, READER, parameters=(limit(10, "Rows"), OFFSET, SEASON), has_tag=True
    ),
    "GET /api/v1/leaderboard/{board}/rank/{player}/": Operation(
        "rank", "One player's row", {200: shapes.Ranked}, (*OF_A_SEASON, errors.NotRanked), READER, parameters=(SEASON,), has_tag=True
    ),
    "GET /api/v1/leaderboard/{board}/around/{player}/": Operation(
        "around", "A player's row and its neighbours", {200: shapes.Around}, (*OF_A_SEASON, errors.NotRanked), READER,
        parameters=(limit(5, "Rows on either side"), SEASON), has_tag=True,
    ),
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


# --- The document ---------------------------------------------------------------------------------------------------------


class RowSchema(AutoSchema):
    """A view's operations from their rows, where drf-spectacular would look for serializers."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Json | None:
        is_version_2 = path.startswith("/api/v2/")
        row = OPERATIONS.get(f"{method} {path.replace('/api/v2/', _V1)}")
        return None if row is None else _operation(row, path, path_regex, is_version_2=is_version_2)


class Generator(SchemaGenerator):
    def get_schema(self, request: Any = None, public: bool = True) -> Json:
        document: Json = super().get_schema(request, public=True)  # type: ignore[no-untyped-call]
        document["components"] = {"schemas": _components(), "securitySchemes": SCHEMES}
        return document


def ours(endpoints: list[Any]) -> list[Any]:
    """Without the routes under /api/ whose version the Accept header chooses: they are those of /api/v1/ and /api/v2/ again."""
    named = (_V1, "/api/v2/", *versions.UNVERSIONED)
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/") or endpoint[0].startswith(named)]


def _operation(row: Operation, path: str, pattern: str, *, is_version_2: bool) -> Json:
    parameters = [*_path_parameters(pattern), *row.parameters, *([IF_NONE_MATCH] if row.has_tag else [])]
    if is_version_2 and _is_paged(path):
        parameters.append(CURSOR)
    operation: Json = {
        "operationId": row.id + ("_v2" if is_version_2 else ""),
        "summary": row.summary,
        "tags": [_tag(path)],
        "parameters": parameters,
        "security": [dict(scheme) for scheme in row.who],
        "responses": _responses(row, is_version_2=is_version_2),
    }
    if row.body is not None:
        content: Json = {"schema": _ref(row.body)}
        if row.body_example is not None:
            content["example"] = row.body_example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _path_parameters(pattern: str) -> list[Json]:
    return [_path_parameter(name, kind) for kind, name in re.findall(r"<(\w+):(\w+)>", pattern)]


def _path_parameter(name: str, kind: str) -> Json:
    schema: Json = {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema, **PATH.get(name, {})}


def _is_paged(path: str) -> bool:
    return path.removeprefix("/api/v2/") in {route.replace("<str:board>", "{board}") for route in envelope.PAGED}


def _tag(path: str) -> str:
    return f"version {path[6]}" if path.startswith("/api/v") else "service"


def _responses(row: Operation, *, is_version_2: bool) -> Json:
    responses: Json = {}
    for status, shape in row.answers.items():
        responses[str(status)] = _answer(row, status, shape, is_version_2=is_version_2)
    if row.has_tag:
        responses["304"] = {"description": "Not modified", "headers": {**HEADERS, **HELD_HEADERS}}
    by_status: dict[int, list[str]] = {}
    for refusal in (*row.refusals, *EVERYWHERE, *(WITH_BODY if row.body is not None else ())):
        by_status.setdefault(problems.STATUS[refusal], []).append(refusal.code)
    for number, codes in sorted(by_status.items()):
        refused = responses.setdefault(str(number), {"description": ", ".join(sorted(set(codes))), "headers": HEADERS, "content": {}})
        refused["content"][problems.MEDIA_TYPE] = {"schema": _problem(sorted(set(codes)))}
    return responses


def _answer(row: Operation, status: int, shape: Any, *, is_version_2: bool) -> Json:
    answer: Json = {"description": _text(shape) or row.summary, "headers": {**HEADERS, **(HELD_HEADERS if row.has_tag else {})}}
    if shape is not None:
        answer["content"] = {row.media: {"schema": _enveloped(shape) if is_version_2 else _schema(shape)}}
    return answer


def _schema(shape: Any) -> Json:
    return {"type": "string"} if shape is str else {"type": "object"} if not isinstance(shape, type) else _ref(shape)


def _text(shape: Any) -> str:
    return str(shape.__doc__) if isinstance(shape, type) and issubclass(shape, msgspec.Struct) else ""


def _ref(shape: Any) -> Json:
    return {"$ref": _REF.format(name=shape.__name__)}


def _problem(codes: list[str]) -> Json:
    return {"allOf": [_ref(shapes.Problem)], "properties": {"code": {"enum": codes}}}


def _enveloped(shape: Any) -> Json:
    data = {"$ref": _REF.format(name=_without_position(shape))} if isinstance(shape, type) else _schema(shape)
    parts = {"data": data, "meta": _ref(shapes.Info), "links": _ref(shapes.Links)}
    return {"type": "object", "properties": parts, "required": [*parts], "additionalProperties": False}


def _without_position(shape: type) -> str:
    """The component for an answer's `data`: the position, where it has one, is in `meta`."""
    fields = getattr(shape, "__struct_fields__", ())
    return f"{shape.__name__}Data" if {"epoch", "offset"} <= set(fields) else shape.__name__


def _components() -> Json:
    told = {*_shapes(OPERATIONS.values())}
    named = {*told, shapes.Problem, shapes.Failed, shapes.Info, shapes.Links}
    _, components = msgspec.json.schema_components(sorted(named, key=lambda shape: shape.__name__), ref_template=_REF)
    for shape in told:
        name = _without_position(shape)
        if name != shape.__name__:
            whole = components[shape.__name__]
            properties = {field: schema for field, schema in whole["properties"].items() if field not in ("epoch", "offset")}
            required = [field for field in whole["required"] if field in properties]
            components[name] = {**whole, "title": name, "properties": properties, "required": required}
    return components


def _shapes(rows: Iterable[Operation]) -> Iterable[type]:
    for row in rows:
        yield from (shape for shape in (row.body, *row.answers.values()) if isinstance(shape, type) and issubclass(shape, msgspec.Struct))


# --- Its routes -----------------------------------------------------------------------------------------------------------

# Everything that the page needs is its own. Swagger UI brings its icons as data.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


@cache
def _encoded(form: str) -> tuple[bytes, str]:
    document = Generator().get_schema()  # type: ignore[no-untyped-call]
    if form == "yaml":
        return OpenApiYamlRenderer().render(document), "application/yaml"  # type: ignore[no-untyped-call]
    return msgspec.json.encode(document), "application/json"


class Schema(ApiView):
    async def get(self, request: DjangoApiRequest) -> HttpResponse:
        form = request.GET.get("format", "json")
        if form not in ("json", "yaml"):
            raise errors.InvalidParameter("format is json or yaml.", errors=[{"field": "format", "detail": "json or yaml"}])
        body, media = _encoded(form)
        return HttpResponse(body, content_type=media)


class Docs(ApiView):
    async def get(self, request: DjangoApiRequest) -> HttpResponse:
        return HttpResponse(render_to_string("leaderboard/docs.html", request=None), headers=PAGE_HEADERS)
