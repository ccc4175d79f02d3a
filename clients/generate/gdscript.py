"""GDScript for Godot 4. It has no exceptions and no nullable numbers: an answer carries its refusal, and a number that may be null is a
Variant."""

from pathlib import Path

from clients.generate.model import Api, Field, Operation, Shape, Type

HEAD = "# Generated from the OpenAPI document by `make clients`. Changes made here are lost.\n"
TYPES = {"text": "String", "whole": "int", "real": "float", "truth": "bool", "map": "Dictionary", "json": "Variant", "enum": "String"}
NOTHING = {"text": '""', "whole": "0", "real": "0.0", "truth": "false", "map": "{}", "json": "null", "enum": '""'}
NULLABLE = ("whole", "real", "truth")


def files(api: Api, root: Path) -> dict[Path, str]:
    return {
        root / "leaderboard_shapes.gd": _shapes(api),
        root / "leaderboard_client.gd": _client(api),
        root / "leaderboard_error_code.gd": _codes(api),
    }


# --- Shapes ---------------------------------------------------------------------------------------------------------------


def _shapes(api: Api) -> str:
    head = f"class_name LeaderboardShapes\nextends RefCounted\n## What is sent and answered.\n{HEAD}"
    enums = "".join(_enum(name, values) for name, values in sorted(api.enums.items()))
    return head + enums + "".join(_shape(shape, is_body=name in api.bodies) for name, shape in sorted(api.shapes.items()))


def _enum(name: str, values: tuple[str, ...]) -> str:
    lines = "".join(f'\tconst {value.upper()} := "{value}"\n' for value in values)
    return f"\n\n## A newer service may say others.\nclass {name}:\n{lines}"


def _shape(shape: Shape, *, is_body: bool) -> str:
    fields = "".join(f"{_doc(_told(each), 1)}\tvar {_declared(each, is_body=is_body)}\n" for each in shape.fields)
    base = "RefCounted" if is_body else "LeaderboardAnswer"
    how = _writing(shape) if is_body else _reading(shape)
    return f"\n\n{_doc(shape.doc, 0)}class {shape.name}:\n\textends {base}\n{fields}\n{how}"


def _told(each: Field) -> str:
    return f"{each.doc} Or null.".strip() if each.is_optional and each.type.kind in NULLABLE and each.default is None else each.doc


def _declared(each: Field, *, is_body: bool) -> str:
    if each.type.kind == "list":
        return f"{each.name}: {_type(each.type)} = []"
    if each.type.kind == "shape":
        return f"{each.name}: {each.type.name} = null"
    if is_body and each.default is not None:
        return f"{each.name}: {_type(each.type)} = {_literal(each.default)}"
    if each.is_optional and each.type.kind in NULLABLE:
        return f"{each.name}: Variant = null"
    return f"{each.name}: {_type(each.type)} = {NOTHING[each.type.kind]}"


def _type(kind: Type) -> str:
    if kind.kind == "list":
        return f"Array[{_type(kind.inner)}]" if kind.inner.kind != "list" else "Array"
    return kind.name if kind.kind == "shape" else TYPES[kind.kind]


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _reading(shape: Shape) -> str:
    steps = "".join(_read(each) for each in shape.fields)
    reading = f"\tstatic func from(data: Dictionary) -> {shape.name}:\n\t\tvar it := {shape.name}.new()\n{steps}\t\treturn it\n"
    return reading + (_copying(shape) if shape.name == "Row" else "")


def _copying(shape: Shape) -> str:
    """For the reducer, which alters no row that somebody may hold."""
    steps = "".join(f"\t\tit.{each.name} = {each.name}\n" for each in shape.fields if each.name != "rank")
    return f"\n\tfunc at(new_rank: int) -> Row:\n\t\tvar it := Row.new()\n\t\tit.rank = new_rank\n{steps}\t\treturn it\n"


def _read(each: Field) -> str:
    name = each.name
    if each.type.kind == "list":
        return _read_list(name, each.type.inner)
    if each.type.kind == "shape":
        return f'\t\tif data.get("{name}") is Dictionary:\n\t\t\tit.{name} = {each.type.name}.from(data["{name}"])\n'
    if each.type.kind == "json":
        return f'\t\tit.{name} = data.get("{name}")\n'
    optional = "optional_" if each.is_optional and each.type.kind in NULLABLE else ""
    reader = optional + {"enum": "text"}.get(each.type.kind, each.type.kind)
    return f'\t\tit.{name} = LeaderboardJson.{reader}(data, "{name}")\n'


def _read_list(name: str, item: Type) -> str:
    value = {"shape": f"{item.name}.from(item)", "text": "str(item)", "whole": "int(item)", "real": "float(item)"}.get(item.kind, "item")
    return f'\t\tfor item: Variant in LeaderboardJson.items(data, "{name}"):\n\t\t\tit.{name}.append({value})\n'


def _writing(shape: Shape) -> str:
    steps = "".join(_write(each) for each in shape.fields)
    return f"\tfunc to_dictionary() -> Dictionary:\n\t\tvar data := {{}}\n{steps}\t\treturn data\n"


def _write(each: Field) -> str:
    value = each.name
    if each.type.kind == "list" and each.type.inner.kind == "shape":
        value = f"{each.name}.map(func(item: {each.type.inner.name}) -> Dictionary: return item.to_dictionary())"
    put = f'data["{each.name}"] = {value}'
    if not each.is_optional or each.default is not None:
        return f"\t\t{put}\n"
    is_given = f"{each.name} != null" if each.type.kind in (*NULLABLE, "json") else f"not {each.name}.is_empty()"
    return f"\t\tif {is_given}:\n\t\t\t{put}\n"


# --- Operations -----------------------------------------------------------------------------------------------------------


def _client(api: Api) -> str:
    head = (
        "class_name LeaderboardClient\nextends LeaderboardCalls\n"
        "## The REST interface: a method for every route that is for games. Each is awaited; look at `refusal` first.\n" + HEAD
    )
    return head + "".join(_method(operation) for operation in api.operations)


def _method(operation: Operation) -> str:
    answer = f"LeaderboardShapes.{operation.answer}" if operation.answer else "LeaderboardAnswer"
    names = ", ".join(f"{each.name}.uri_encode()" for each in operation.in_path)
    path = '"' + operation.path + '"'
    for each in operation.in_path:
        path = path.replace(f"{{{each.name}}}", "%s")
    asking = f'\tvar asked := LeaderboardCall.new("{operation.method}", {path}{f" % [{names}]" if names else ""})\n'
    asking += "".join(f"\tasked.{_with(each)}\n" for each in operation.in_query)
    if operation.body:
        asking += "\tasked.body = body.to_dictionary()\n"
    if operation.has_key:
        asking += "\tasked.key = idempotency_key if idempotency_key else LeaderboardCall.new_key()\n"
    made = f"{answer}.from(reply.data)" if operation.answer else "LeaderboardAnswer.new()"
    signature = _signature(operation)
    if len(signature) + len(operation.id) + len(answer) > 110:
        signature = "\n\t\t" + signature.replace(", ", ",\n\t\t") + "\n"
    return (
        f"\n\n{_doc(operation.doc + '.', 0)}{_parameters_doc(operation)}func {operation.id}({signature}) -> {answer}:\n{asking}"
        f"\tvar reply := await ask(asked)\n\tvar answer := {made}\n\tanswer.refusal = reply.refusal\n\treturn answer\n"
    )


def _with(each: Field) -> str:
    if each.type.kind == "list":
        return f'with_each("{each.name}", {each.name})'
    return f'with("{each.name}", {each.name}, {_given_by_default(each)})' if each.is_optional else f'with("{each.name}", {each.name}, null)'


def _given_by_default(each: Field) -> str:
    if each.type.kind == "list":
        return "[]"
    if each.default is not None:
        return _literal(each.default)
    return "null" if each.type.kind in NULLABLE else NOTHING[each.type.kind]


def _signature(operation: Operation) -> str:
    given = [f"{each.name}: {_type(each.type)}" for each in operation.in_path]
    given += [f"body: LeaderboardShapes.{operation.body}"] if operation.body else []
    given += [f"{each.name}: {_type(each.type)}" for each in operation.in_query if not each.is_optional]
    given += [f"{each.name}: {_open_type(each)} = {_given_by_default(each)}" for each in operation.in_query if each.is_optional]
    given += ['idempotency_key: String = ""'] if operation.has_key else []
    return ", ".join(given)


def _open_type(each: Field) -> str:
    return "Variant" if each.default is None and each.type.kind in NULLABLE else _type(each.type)


def _parameters_doc(operation: Operation) -> str:
    told = [(each.name, each.doc) for each in (*operation.in_path, *operation.in_query) if each.doc]
    if operation.has_key:
        told.append(("idempotency_key", "Your own, to go on with the same submit after a restart; one is made if you give none"))
    return "".join(f"## [param {name}]: {' '.join(doc.split())}.\n" for name, doc in told)


def _codes(api: Api) -> str:
    lines = "".join(f'const {code.upper()} := "{code}"\n' for code in api.codes)
    return (
        "class_name LeaderboardErrorCode\nextends RefCounted\n"
        f"## What a refusal's code may be. A newer service may say others.\n{HEAD}\n{lines}"
    )


def _doc(text: str, indent: int) -> str:
    return f"{chr(9) * indent}## {' '.join(text.split())}\n" if text.strip() else ""
