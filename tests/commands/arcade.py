"""A small server of the REST contract, over real HTTP: what the commands are clients of.

It keeps boards by the domain's own rules, honours Idempotency-Key, and can be told to stumble.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from leaderboard.domain.score import Direction, Entry, Operator, Rules, merge, opening

REFUSED_SCORE = 666_666
KEY = "gl_0123abcd_" + "5e" * 24


@dataclass(frozen=True)
class Stumble:
    """What happens to one request. `drop`: "before" or "after" it was worked on the connection is closed without an answer."""

    status: int = 0
    code: str = ""
    drop: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/api/v1/scores/"


@dataclass
class Arcade:
    """`received` holds (path, Idempotency-Key, body) of every POST that was worked on, retries too."""

    url: str = ""
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, dict[str, Entry]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    received: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    stumbles: deque[Stumble] = field(default_factory=deque)
    connections: int = 0
    on_post: Callable[[int], None] = lambda count: None
    _answers: dict[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _sessions: int = 0

    def board(self, slug: str, *, game: str = "default", operator: str = "latest", subscore_order: str = "asc", **more: Any) -> None:
        self.boards[slug] = {
            "leaderboard": slug,
            "title": slug.capitalize(),
            "game": game,
            "operator": operator,
            "sort_order": "desc",
            "subscore_order": subscore_order,
            "game_mode": "",
            "is_active": True,
            **more,
        }
        self.entries[slug] = {}

    def standings(self, slug: str) -> list[dict[str, Any]]:
        rules = self._rules(slug)
        ordered = sorted(self.entries[slug].items(), key=lambda item: item[1].order)
        return [
            {
                "rank": rank,
                "player": player,
                "name": self.names[player],
                "score": rules.score_sign * entry.score_key,
                "subscore": rules.subscore_sign * entry.subscore_key,
                "submissions": entry.version,
            }
            for rank, (player, entry) in enumerate(ordered, 1)
        ]

    def stumble(self, path: str) -> Stumble | None:
        with self._lock:
            return self.stumbles.popleft() if self.stumbles and self.stumbles[0].path == path else None

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        with self._lock:
            if method == "POST":
                if headers.get("Authorization") != f"Api-Key {KEY}":
                    return problem(401, "not_authenticated", "There is no such API key.")
                return self._post(parts.path, headers.get("Idempotency-Key"), json.loads(body))
            return self._get([unquote(part) for part in parts.path.strip("/").split("/")], parse_qs(parts.query))

    def _get(self, path: list[str], query: dict[str, list[str]]) -> tuple[int, Any]:
        match path:
            case ["api", "v1", "leaderboard"]:
                return 200, {"leaderboards": list(self.boards.values())}
            case ["api", "v1", "leaderboard", slug, *rest] if slug in self.boards:
                if rest == ["top"]:
                    return 200, {"leaderboard": slug, "entries": self.standings(slug)[: int(query["limit"][0])]}
                return 200, self.boards[slug]
        return problem(404, "leaderboard_not_found", f"There is no leaderboard {path[-1]!r}.")

    def _post(self, path: str, key: str | None, body: dict[str, Any]) -> tuple[int, Any]:
        self.received.append((path, key, body))
        self.on_post(len(self.received))
        if path == "/api/v1/scores/batch/":
            results = [self._submit(f"{key}:{position}", item) for position, item in enumerate(body["scores"])]
            return 200, {"results": [answer if status == 201 else {"error": answer} for status, answer in results]}
        return self._submit(key, body)

    def _submit(self, key: str | None, body: dict[str, Any]) -> tuple[int, Any]:
        if body["score"] == REFUSED_SCORE:
            return problem(422, "score_out_of_range", "Not that score.")
        if key is None or key not in self._answers:
            for slug in body.get("leaderboards", list(self.boards)):
                if self.boards[slug]["game_mode"] not in ("", body.get("game_mode", "")):
                    return problem(422, "game_mode_mismatch", f"{slug} is for another mode.")
                self._place(slug, body)
            if key is not None:
                self._answers[key] = {"session_id": self._sessions, "player": body["player"], "results": []}
        return 201, self._answers.get(key or "", {})

    def _place(self, slug: str, body: dict[str, Any]) -> None:
        self._sessions += 1
        player, rules, held = body["player"], self._rules(slug), self.entries[slug]
        self.names.setdefault(player, body.get("name") or player)
        new = opening(rules, user_id=0, score=body["score"], subscore=body.get("subscore", 0), session_id=self._sessions, achieved_ms=0)
        held[player] = merge(rules.operator, held[player], new) if player in held else new

    def _rules(self, slug: str) -> Rules:
        board = self.boards[slug]
        return Rules(Operator(board["operator"]), Direction(board["sort_order"]), Direction(board["subscore_order"]))


def problem(status: int, code: str, detail: str) -> tuple[int, Any]:
    return status, {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}


def serve(arcade: Arcade) -> ThreadingHTTPServer:
    """Start it on a free port; the caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            arcade.connections += 1

        def do_GET(self) -> None:
            self._work()

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *args: Any) -> None:
            pass

        def _work(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            stumble = arcade.stumble(self.path)
            if stumble is not None and stumble.drop != "after":
                if stumble.drop:
                    self.close_connection = True
                    return
                self._send(*problem(stumble.status, stumble.code, "Stumbled."), stumble.headers)
                return
            status, answer = arcade.answer(self.command, self.path, dict(self.headers), body)
            if stumble is not None:
                self.close_connection = True
                return
            self._send(status, answer, {})

        def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    arcade.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
    return server
