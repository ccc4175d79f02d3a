"""The signatures of tests/api/signatures.json: by the service, and by the functions that docs/api.md shows, in both languages."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leaderboard.services.signatures import Signed, signature_of
from tests.docs.reading import API, blocks

VECTORS: list[dict[str, str]] = json.loads((Path(__file__).parent / "signatures.json").read_text())
PARTS = ("method", "path", "timestamp", "nonce")

# Reads the vectors from standard input, after the document's function.
HARNESS = """
import { readFileSync } from "node:fs";
const told = JSON.parse(readFileSync(0, "utf8")).map((v) =>
  signature(v.secret, v.method, v.path, v.timestamp, v.nonce, Buffer.from(v.body, "utf8")));
console.log(JSON.stringify(told));
"""


def shown(language: str) -> str:
    (block,) = [block for block in blocks(API, language) if "signature" in block.text]
    return block.text


def test_the_service_makes_the_same_signatures() -> None:
    for vector in VECTORS:
        method, path, timestamp, nonce = (vector[part] for part in PARTS)
        signed = Signed(method, path, vector["body"].encode(), timestamp.encode(), nonce.encode(), signature=b"")
        assert signature_of(signed, vector["secret"]).decode() == vector["signature"], vector["name"]


def test_the_function_in_python_makes_the_same_signatures() -> None:
    scope: dict[str, Any] = {}
    exec(compile(shown("python"), str(API), "exec"), scope)  # ours: a block of our own document
    for vector in VECTORS:
        given = scope["signature"](vector["secret"], *(vector[part] for part in PARTS), vector["body"].encode())
        assert given == vector["signature"], vector["name"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH to run the function in JavaScript")
def test_the_function_in_javascript_makes_the_same_signatures() -> None:
    code = shown("js") + HARNESS
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], input=json.dumps(VECTORS), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [vector["signature"] for vector in VECTORS]


def test_the_signature_that_the_document_tells_is_the_first() -> None:
    text = API.read_text()
    for part in ("secret", "timestamp", "nonce", "body", "path", "signature"):
        assert f"`{VECTORS[0][part]}`" in text, part


def test_each_vector_has_another_signature() -> None:
    assert len({vector["signature"] for vector in VECTORS}) == len(VECTORS) == 7
