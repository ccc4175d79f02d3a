"""What a game asks and is answered, read from the OpenAPI document: no language in it yet."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

BASE = "/api/v1/"
KINDS = {"string": "text", "integer": "whole", "number": "real", "boolean": "truth", "object": "map"}
KEY_HEADER = "Idempotency-Key"
# For those who keep boards and players, by the tools they have; an API key with their scopes does not belong into a game.
NOT_FOR_GAMES = frozenset(
    ("create_leaderboard", "change_leaderboard", "delete_leaderboard", "rerankings", "reranking", "edit_entry", "remove_entry", "edits")
)


@dataclass(frozen=True)
class Type:
    """`kind`: text, whole, real, truth, map, json (anything), shape, enum or list. `name`: of a shape or an enum. `item`: of a list."""

    kind: str
    name: str = ""
    item: "Type | None" = None

    @property
    def inner(self) -> "Type":
        """Of a list what is in it, else itself."""
        return self.item or self


@dataclass(frozen=True)
class Field:
    """`is_optional`: it may be missing, or null. `default`: what the service takes for one that is left out."""

    name: str
    type: Type
    doc: str
    is_optional: bool
    default: Any = None


@dataclass(frozen=True)
class Shape:
    name: str
    doc: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Operation:
    """A route and method. `path`: under /api/v1/, with the parameters' names in braces. `answer`: a shape, or nothing (204)."""

    id: str
    doc: str
    method: str
    path: str
    in_path: tuple[Field, ...]
    in_query: tuple[Field, ...]
    body: str | None
    answer: str | None
    has_key: bool
    is_null_if_not_ranked: bool


@dataclass
class Api:
    operations: list[Operation] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bodies: set[str] = field(default_factory=set)  # shapes that are sent, at any depth
    codes: list[str] = field(default_factory=list)


def api_of(document: Json) -> Api:
    return _Reader(document).read()


class _Reader:
    def __init__(self, document: Json) -> None:
        self._paths: Json = document["paths"]
        self._components: Json = document["components"]["schemas"]
        self._named_enums = {frozenset(shape["enum"]): name for name, shape in self._components.items() if "enum" in shape}
        self._api = Api()

    def read(self) -> Api:
        self._shape("Problem")
        codes: set[str] = set()
        for path, methods in sorted(self._paths.items()):
            for method, told in sorted(methods.items()):
                if path.startswith(BASE) and told["operationId"] not in NOT_FOR_GAMES:
                    codes |= {*_codes(told)}
                    self._api.operations.append(self._operation(method, path, told))
        self._api.codes = sorted(codes)
        return self._api

    def _operation(self, method: str, path: str, told: Json) -> Operation:
        parameters = told["parameters"]
        body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        return Operation(
            id=told["operationId"],
            doc=told["summary"],
            method=method.upper(),
            path=path.removeprefix(BASE),
            in_path=tuple(self._parameter(each) for each in parameters if each["in"] == "path"),
            # The ones that must be given come first, as they do in a call.
            in_query=tuple(
                sorted((self._parameter(each) for each in parameters if each["in"] == "query"), key=lambda each: each.is_optional)
            ),
            body=self._body(body),
            answer=self._answer(told["responses"]),
            has_key=any(each["name"] == KEY_HEADER for each in parameters),
            is_null_if_not_ranked="not_ranked" in _codes(told),
        )

    def _parameter(self, told: Json) -> Field:
        schema = told["schema"]
        kind, is_optional = self._type(schema, told["name"]), not told.get("required", False)
        return Field(told["name"], kind, told.get("description", ""), is_optional, schema.get("default"))

    def _body(self, schema: Json | None) -> str | None:
        if schema is None:
            return None
        name = _referred(schema)
        self._shape(name)
        self._api.bodies |= {name, *self._within(name)}
        return name

    def _within(self, name: str) -> Iterator[str]:
        for each in self._api.shapes[name].fields:
            inner = each.type.inner
            if inner.kind == "shape":
                yield inner.name
                yield from self._within(inner.name)

    def _answer(self, responses: Json) -> str | None:
        """Of several shapes of success the one that holds them all."""
        schemas = [
            content["schema"]
            for status, answer in responses.items()
            if status.startswith("2")
            for content in answer.get("content", {}).values()
        ]
        return self._merged([name for schema in schemas for name in _alternatives(schema)]) if schemas else None

    def _merged(self, names: Iterable[str]) -> str:
        """A shape with the fields of all; those that not all have are optional."""
        once = list(dict.fromkeys(names))
        for name in once:
            self._shape(name)
        if len(once) == 1:
            return once[0]
        shapes = [self._api.shapes[name] for name in once]
        merged: dict[str, Field] = {}
        for each in (each for shape in shapes for each in shape.fields):
            everywhere = all(any(each.name == other.name and not other.is_optional for other in shape.fields) for shape in shapes)
            merged.setdefault(each.name, Field(each.name, each.type, each.doc, not everywhere))
        name = "Or".join(once)
        self._api.shapes[name] = Shape(name, " Or: ".join(shape.doc for shape in shapes), tuple(merged.values()))
        return name

    def _shape(self, name: str) -> None:
        if name in self._api.shapes:
            return
        told = self._components[name]
        required = set(told.get("required", ()))
        self._api.shapes[name] = Shape(name, told.get("description", ""), ())  # named before its fields are read: they may refer to it
        fields = [self._field(each, schema, each in required) for each, schema in told.get("properties", {}).items()]
        self._api.shapes[name] = Shape(name, told.get("description", ""), tuple(fields))

    def _field(self, name: str, schema: Json, is_required: bool) -> Field:
        inner, is_null = _without_null(schema)
        doc: str = schema.get("description") or inner.get("description") or ""
        return Field(name, self._type(inner, name), doc, is_null or not is_required, schema.get("default"))

    def _type(self, schema: Json, name: str) -> Type:
        if "enum" in schema:
            return Type("enum", self._enum(schema["enum"], name))
        if "$ref" in schema:
            target = _referred(schema)
            if "enum" in self._components[target]:
                return Type("enum", self._enum(self._components[target]["enum"], target))
            self._shape(target)
            return Type("shape", target)
        if "prefixItems" in schema:  # a pair, such as a time and a score: each has a kind of its own
            return Type("list", item=Type("json"))
        if schema.get("type") == "array":
            return Type("list", item=self._item(schema.get("items", {}), name))
        return Type(
            {"string": "text", "integer": "whole", "number": "real", "boolean": "truth", "object": "map"}.get(
                schema.get("type", ""), "json"
            )
        )

    def _item(self, schema: Json, name: str) -> Type:
        if "oneOf" in schema:
            return Type("shape", self._merged(_alternatives(schema)))
        if not schema and name == "scores":  # checked one by one by the service, so its document says no more
            self._shape("Submit")
            return Type("shape", "Submit")
        return self._type(schema, name)

    def _enum(self, values: Iterable[str], name: str) -> str:
        given = tuple(value for value in values if value)
        called = self._named_enums.get(frozenset(given)) or pascal(name)
        self._api.enums.setdefault(called, tuple(sorted(given)))
        return called


def _codes(told: Json) -> list[str]:
    contents = (answer.get("content", {}).get("application/problem+json", {}).get("schema", {}) for answer in told["responses"].values())
    return [code for schema in contents for code in schema.get("properties", {}).get("code", {}).get("enum", [])]


def _without_null(schema: Json) -> tuple[Json, bool]:
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return options[0], "anyOf" in schema


def _alternatives(schema: Json) -> list[str]:
    return [_referred(each) for each in schema.get("oneOf", [schema])]


def _referred(schema: Json) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\-]", name))


def camel(name: str) -> str:
    called = pascal(name)
    return called[:1].lower() + called[1:]
