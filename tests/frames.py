"""Whether a frame is as the AsyncAPI document says: every watcher of the tests looks at all that it gets."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from realtime import asyncapi


class NotAsTold(AssertionError):
    """The server said something that its document does not know."""


def as_told(message: dict[str, Any]) -> dict[str, Any]:
    """The message itself. Raises NotAsTold."""
    try:
        _validator(message.get("type")).validate(message)
    except ValidationError as error:
        raise NotAsTold(f"{error.json_path}: {error.message}") from None
    return message


@cache
def _validator(kind: Any) -> Draft202012Validator:
    if kind not in {struct.__struct_config__.tag for struct in asyncapi.MESSAGES}:
        raise NotAsTold(f"no such message: {kind!r}")
    return Draft202012Validator({"$ref": f"#/components/schemas/{kind}", "components": asyncapi.document()["components"]})
