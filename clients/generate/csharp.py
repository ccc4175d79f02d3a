"""C# for Unity: of version 7, which Unity 2021 and Mono know, without reflection, which the stripping of IL2CPP would break."""

import hashlib
import json
from pathlib import Path

from clients.generate.model import Api, Field, Operation, Shape, Type, camel, pascal

HEAD = """// Generated from the OpenAPI document by `make clients`. Changes made here are lost.
"""
LINE = 85  # what fits beside the method's name
NAMESPACE = "GamingLeaderboard"
TYPES = {"text": "string", "whole": "long", "real": "double", "truth": "bool", "map": "IDictionary<string, object>", "json": "object"}
READERS = {"text": "Text", "whole": "Whole", "real": "Real", "truth": "Truth", "map": "Map", "json": "Any"}


def files(api: Api, root: Path) -> dict[Path, str]:
    runtime = root / "Runtime"
    written = {
        runtime / "Shapes.cs": _shapes(api),
        runtime / "Operations.cs": _operations(api),
        runtime / "ErrorCodes.cs": _codes(api),
    }
    metas = {path.with_name(path.name + ".meta"): _meta(path.relative_to(root)) for path in {*written, *_by_hand(root)}}
    return {**written, **metas}


def _by_hand(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.suffix != ".meta" and "Tests~" not in path.parts}


def _meta(path: Path) -> str:
    """Unity ignores a file of a package that has none. The id is made of the path, so that it stays."""
    guid = hashlib.md5(f"gaming-leaderboard/{path.as_posix()}".encode(), usedforsecurity=False).hexdigest()
    folder = "" if path.suffix else "folderAsset: yes\n"
    return f"fileFormatVersion: 2\nguid: {guid}\n{folder}"


# --- Shapes ---------------------------------------------------------------------------------------------------------------


def _shapes(api: Api) -> str:
    parts = [_enum(name, values) for name, values in sorted(api.enums.items())]
    parts += [_shape(shape, is_body=name in api.bodies) for name, shape in sorted(api.shapes.items())]
    return f"{HEAD}using System.Collections.Generic;\n\nnamespace {NAMESPACE}\n{{\n" + "\n".join(parts) + "}\n"


def _enum(name: str, values: tuple[str, ...]) -> str:
    members = "".join(f"        {pascal(value)},\n" for value in values)
    reading = "".join(f'                case "{value}": return {name}.{pascal(value)};\n' for value in values)
    writing = "".join(f'                case {name}.{pascal(value)}: return "{value}";\n' for value in values)
    return f"""    /// <summary>`Unknown`: one that a newer service may say.</summary>
    public enum {name}
    {{
        Unknown,
{members}    }}

    static partial class Words
    {{
        internal static {name} To{name}(string word)
        {{
            switch (word)
            {{
{reading}                default: return {name}.Unknown;
            }}
        }}

        internal static string Of({name} value)
        {{
            switch (value)
            {{
{writing}                default: return "";
            }}
        }}
    }}
"""


def _shape(shape: Shape, *, is_body: bool) -> str:
    fields = "".join(_property(shape, each) for each in shape.fields)
    reading = "".join(f"            {_name(shape, each)} = {_read(each)},\n" for each in shape.fields)
    writing = "".join(f"            {_write(shape, each)}\n" for each in shape.fields)
    to = f"""        internal JsonObject ToJson()
        {{
            var data = new JsonObject();
{writing}            return data;
        }}
"""
    read = f"""        internal static {shape.name} From(JsonObject data) => new {shape.name}
        {{
{reading}        }};
"""
    return f"""{_doc(shape.doc, 4)}    public sealed partial class {shape.name}
    {{
{fields}
{to if is_body else read}    }}
"""


def _name(shape: Shape, each: Field) -> str:
    """A member can't be called as its class is."""
    return pascal(each.name) if pascal(each.name) != shape.name else f"{pascal(each.name)}Value"


def _property(shape: Shape, each: Field) -> str:
    return f"{_doc(each.doc, 8)}        public {_type(each.type, each.is_optional)} {_name(shape, each)} {{ get; set; }}\n"


def _type(kind: Type, is_optional: bool = False) -> str:
    if kind.kind == "list":
        return f"List<{_type(kind.inner)}>"
    name = kind.name or TYPES[kind.kind]
    return name + ("?" if is_optional and kind.kind in ("whole", "real", "truth", "enum") else "")


def _read(each: Field) -> str:
    name, optional = f'"{each.name}"', "Optional" if each.is_optional else ""
    if each.type.kind == "list":
        return f"data.ListOf({name}, {_reader(each.type.inner)})"
    if each.type.kind == "shape":
        return f"data.Shape({name}, {each.type.name}.From)"
    if each.type.kind == "enum":
        return f"data.Has({name}) ? Words.To{each.type.name}(data.Text({name})) : {_nothing(each)}"
    if each.type.kind in ("text", "map", "json"):
        return f"data.{READERS[each.type.kind]}({name})"
    return f"data.{optional}{READERS[each.type.kind]}({name})"


def _nothing(each: Field) -> str:
    return f"({each.type.name}?)null" if each.is_optional else f"{each.type.name}.Unknown"


def _reader(kind: Type, depth: int = 0) -> str:
    """A lambda; one within another has a name of its own, which C# 7 asks for."""
    item = f"item{depth or ''}"
    if kind.kind == "shape":
        return f"{item} => {kind.name}.From((JsonObject){item})"
    if kind.kind == "list":
        return f"{item} => JsonObject.ListOf({item}, {_reader(kind.inner, depth + 1)})"
    return f"{item} => ({TYPES[kind.kind]}){item}"


def _write(shape: Shape, each: Field) -> str:
    name = _name(shape, each)
    value = name
    if each.type.kind == "enum":
        value = f"Words.Of({name}{'.Value' if each.is_optional else ''})"
    if each.type.kind == "list" and each.type.inner.kind == "shape":
        value = f"JsonObject.Listed({name}, item => item.ToJson())"
    put = f'data["{each.name}"] = {value};'
    return f"if ({name} != null) {put}" if each.is_optional else put


# --- Operations -----------------------------------------------------------------------------------------------------------


def _operations(api: Api) -> str:
    methods = "\n".join(_method(operation) for operation in api.operations)
    usings = "using System.Collections.Generic;\nusing System.Threading;\nusing System.Threading.Tasks;\n"
    return f"{HEAD}{usings}\nnamespace {NAMESPACE}\n{{\n    public sealed partial class LeaderboardClient\n    {{\n{methods}    }}\n}}\n"


def _method(operation: Operation) -> str:
    answer = operation.answer or ""
    null = " Null: not ranked." if operation.is_null_if_not_ranked else ""
    steps = [f'"{operation.method}"', _path(operation)]
    call = f"new Call({', '.join(steps)})"
    adding = "".join(f'\n                .With("{each.name}", {_text(each)})' for each in operation.in_query)
    if operation.body:
        adding += "\n                .Sending(body.ToJson())"
    if operation.has_key:
        adding += "\n                .Once(idempotencyKey)"
    returns = f"Task<{answer}>" if answer else "Task"
    how = f"AskAsync(call, {answer}.From, cancel)" if answer else "DoAsync(call, cancel)"
    if operation.is_null_if_not_ranked:
        how = f"OrNullAsync({how}, ErrorCodes.NotRanked)"
    doc = _doc(f"{operation.doc}.{null}", 8) + _parameters_doc(operation)
    return f"""{doc}        public {returns} {pascal(operation.id)}Async({_signature(operation)})
        {{
            var call = {call}{adding};
            return {how};
        }}
"""


def _path(operation: Operation) -> str:
    text = json.dumps(operation.path)
    for each in operation.in_path:
        text = text.replace(f"{{{each.name}}}", f'" + Call.Escaped({camel(each.name)}) + "')
    return text.removesuffix(' + ""')


def _signature(operation: Operation) -> str:
    given = [f"{_type(each.type)} {camel(each.name)}" for each in operation.in_path]
    given += [f"{operation.body} body"] if operation.body else []
    given += [f"{_type(each.type)} {camel(each.name)}" for each in operation.in_query if not each.is_optional]
    given += [f"{_type(each.type, True)} {camel(each.name)} = null" for each in operation.in_query if each.is_optional]
    given += ["string idempotencyKey = null"] if operation.has_key else []
    given.append("CancellationToken cancel = default(CancellationToken)")
    line = ", ".join(given)
    return line if len(line) < LINE else "\n" + ",\n".join(f"            {each}" for each in given)


def _text(each: Field) -> str:
    name = camel(each.name)
    if each.type.kind == "enum":
        return f"{name}.HasValue ? Words.Of({name}.Value) : null" if each.is_optional else f"Words.Of({name})"
    return name


def _parameters_doc(operation: Operation) -> str:
    told = [(camel(each.name), each.doc) for each in (*operation.in_path, *operation.in_query) if each.doc]
    if operation.has_key:
        told.append(("idempotencyKey", "Your own, to go on with the same submit after a restart; one is made if you give none."))
    return "".join(f'        /// <param name="{name}">{_escaped(doc)}</param>\n' for name, doc in told)


def _codes(api: Api) -> str:
    lines = "".join(f'        public const string {pascal(code)} = "{code}";\n' for code in api.codes)
    return f"""{HEAD}namespace {NAMESPACE}
{{
    /// <summary>What a LeaderboardException's Code may be. A newer service may say others.</summary>
    public static class ErrorCodes
    {{
{lines}    }}
}}
"""


def _doc(text: str, indent: int) -> str:
    return f"{' ' * indent}/// <summary>{_escaped(text)}</summary>\n" if text.strip() else ""


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
