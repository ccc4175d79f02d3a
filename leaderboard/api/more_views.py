"""The routes of `more_reads` as views."""

from django.http import HttpResponse

from leaderboard.api import more_reads
from leaderboard.api.request import DjangoApiRequest
from leaderboard.api.views import ApiView, answered


class Entries(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(more_reads.entries, request, board)


class Percentile(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(more_reads.percentile, request, board)


class WhatIf(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(more_reads.what_if, request, board)


class PlayerStandings(ApiView):
    async def get(self, request: DjangoApiRequest, player: str) -> HttpResponse:
        return await answered(more_reads.player_standings, request, player)


class PlayerSessions(ApiView):
    async def get(self, request: DjangoApiRequest, player: str) -> HttpResponse:
        return await answered(more_reads.player_sessions, request, player)


class PlayerHistory(ApiView):
    async def get(self, request: DjangoApiRequest, player: str) -> HttpResponse:
        return await answered(more_reads.player_history, request, player)
