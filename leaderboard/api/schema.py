"""The OpenAPI document: a row for every route and method, put together by drf-spectacular from what the resolver has.

To describe a route add its row to a module of `leaderboard.api.rows`; its twin of version 2 is made from it. tests/api/test_schema.py
says which rows are missing, and tries whether the service does what they say.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec
from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiYamlRenderer

from leaderboard.api import envelope, problems, shapes, versions
from leaderboard.api.request import DjangoApiRequest
from leaderboard.api.rows import OPERATIONS, SCHEMES, Operation
from leaderboard.api.rows.parts import COUNTED, CURSOR, EVERYWHERE, IF_NONE_MATCH, PATH, V1, WITH_BODY, Json
from leaderboard.api.views import ApiView
from leaderboard.domain.errors import InvalidParameter

_REF = "#/components/schemas/{name}"


def _header(says: str, *, required: bool = False) -> Json:
    return {"description": says, "required": required, "schema": {"type": "string"}}


HEADERS: Json = {"X-Request-ID": _header("Also in the server's log", required=True)}
HELD_HEADERS: Json = {"ETag": _header("Names the answer", required=True)}
COUNTED_HEADERS: Json = {
    "RateLimit-Policy": _header("How many requests in how long, as draft-ietf-httpapi-ratelimit-headers has it"),
    "RateLimit": _header("How many are left"),
}
REFUSED_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": _header("The schemes of `Authorization`", required=True)},
    429: {"Retry-After": _header("Seconds", required=True)},
    503: {"Retry-After": _header("Seconds; of a refusal")},
}

# --- The document ---------------------------------------------------------------------------------------------------------


class RowSchema(AutoSchema):
    """A view's operations from their rows, where drf-spectacular would look for serializers."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Json | None:
        is_version_2 = path.startswith("/api/v2/")
        row = OPERATIONS.get(f"{method} {path.replace('/api/v2/', V1)}")
        return None if row is None else _operation(row, path, path_regex, is_version_2=is_version_2)


class Generator(SchemaGenerator):
    def get_schema(self, request: Any = None, public: bool = True) -> Json:
        document: Json = super().get_schema(request, public=True)  # type: ignore[no-untyped-call]
        document["components"] = {"schemas": _components(), "securitySchemes": SCHEMES}
        return document


def ours(endpoints: list[Any]) -> list[Any]:
    """Without the routes under /api/ whose version the Accept header chooses: they are those of /api/v1/ and /api/v2/ again."""
    named = (V1, "/api/v2/", *versions.UNVERSIONED)
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
        "responses": _responses(row, is_version_2=is_version_2, is_counted=path.startswith("/api/")),
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


def _responses(row: Operation, *, is_version_2: bool, is_counted: bool) -> Json:
    headers = {**HEADERS, **(COUNTED_HEADERS if is_counted else {})}
    responses: Json = {str(status): _answer(row, shape, headers, is_version_2=is_version_2) for status, shape in row.answers.items()}
    if row.has_tag:
        responses["304"] = {"description": "Not modified", "headers": {**headers, **HELD_HEADERS}}
    for number, codes in sorted(_codes(row, is_counted=is_counted).items()):
        refused = responses.setdefault(str(number), {"description": ", ".join(codes), "headers": headers, "content": {}})
        refused["headers"] = {**refused["headers"], **REFUSED_HEADERS.get(number, {})}
        refused["content"][problems.MEDIA_TYPE] = {"schema": _problem(codes)}
    return responses


def _codes(row: Operation, *, is_counted: bool) -> dict[int, list[str]]:
    """What may be refused, by status."""
    refusals = {*row.refusals, *EVERYWHERE, *(COUNTED if is_counted else ()), *(WITH_BODY if row.body is not None else ())}
    codes: dict[int, list[str]] = {}
    for refusal in sorted(refusals, key=lambda refusal: refusal.code):
        codes.setdefault(problems.STATUS[refusal], []).append(refusal.code)
    return codes


def _answer(row: Operation, shape: Any, headers: Json, *, is_version_2: bool) -> Json:
    answer: Json = {"description": _text(shape) or row.summary, "headers": {**headers, **(HELD_HEADERS if row.has_tag else {})}}
    if shape is not None:
        answer["content"] = {row.media: {"schema": _enveloped(shape) if is_version_2 else _schema(shape, _name)}}
    return answer


def _schema(shape: Any, name_of: Callable[[type], str]) -> Json:
    if isinstance(shape, tuple):
        return {"oneOf": [_schema(each, name_of) for each in shape]}
    return {"type": "string"} if shape is str else {"$ref": _REF.format(name=name_of(shape))} if _is_struct(shape) else {"type": "object"}


def _text(shape: Any) -> str:
    return str(shape.__doc__) if _is_struct(shape) else ""


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


def _name(shape: type) -> str:
    return shape.__name__


def _ref(shape: Any) -> Json:
    return _schema(shape, _name)


def _problem(codes: list[str]) -> Json:
    return {"allOf": [_ref(shapes.Problem)], "properties": {"code": {"enum": codes}}}


def _enveloped(shape: Any) -> Json:
    parts = {"data": _schema(shape, _without_position), "meta": _ref(shapes.Info), "links": _ref(shapes.Links)}
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
        for shape in (row.body, *row.answers.values()):
            yield from filter(_is_struct, shape if isinstance(shape, tuple) else (shape,))


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
            raise InvalidParameter("format is json or yaml.", errors=[{"field": "format", "detail": "json or yaml"}])
        body, media = _encoded(form)
        return HttpResponse(body, content_type=media)


class Docs(ApiView):
    async def get(self, request: DjangoApiRequest) -> HttpResponse:
        return HttpResponse(render_to_string("leaderboard/docs.html", request=None), headers=PAGE_HEADERS)
