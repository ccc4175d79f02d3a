"""Scores, ranks and live boards of a Gaming Leaderboard server, for game servers, tools and bots in Python."""

from gaming_leaderboard_client.calls import LeaderboardError, NoAnswer, Row, new_key
from gaming_leaderboard_client.client import AsyncClient, Client
from gaming_leaderboard_client.events import Event, events_between
from gaming_leaderboard_client.live import Refused, Standings, watch
from gaming_leaderboard_client.rows import TOPS, Position, apply_delta, relation, round_up

__all__ = [
    "TOPS",
    "AsyncClient",
    "Client",
    "Event",
    "LeaderboardError",
    "NoAnswer",
    "Position",
    "Refused",
    "Row",
    "Standings",
    "apply_delta",
    "events_between",
    "new_key",
    "relation",
    "round_up",
    "watch",
]
