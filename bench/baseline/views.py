"""POST a score, get the rank: as a Django tutorial would write it."""

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.baseline.tasks import rank_update
from leaderboard.models import ApiKey, GameSession, Leaderboard, LeaderboardEntry


class KeyHolder:
    """Who asks, as DRF's permission wants it."""

    is_authenticated = True


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey]:
        key = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Api-Key ")
        try:
            return KeyHolder(), ApiKey.objects.get(digest=hashlib.sha256(key.encode()).digest(), revoked_at=None)
        except ApiKey.DoesNotExist:
            raise AuthenticationFailed from None


class ScoreSerializer(serializers.ModelSerializer[GameSession]):
    player = serializers.CharField(max_length=150, source="user.username")

    class Meta:
        model = GameSession
        fields = ["id", "player", "score", "subscore", "game_mode", "metadata", "timestamp"]
        read_only_fields = ["timestamp"]


class Scores(APIView):
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        serializer = ScoreSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key = request.auth
        assert isinstance(key, ApiKey)
        with transaction.atomic():
            session = _store(dict(serializer.validated_data), key)
            results = [_enter(board, session) for board in Leaderboard.objects.filter(game=key.game, is_active=True)]
        for result in results:
            rank_update.delay(result["leaderboard_id"])
        return Response({**ScoreSerializer(session).data, "results": results}, status=201)


def _store(score: dict[str, Any], key: ApiKey) -> GameSession:
    user, _ = User.objects.get_or_create(username=score.pop("user")["username"])
    return GameSession.objects.create(user=user, game_id=key.game_id, timestamp=timezone.now(), **score)


def _enter(board: Leaderboard, session: GameSession) -> dict[str, Any]:
    """Add to what the player holds, and count who stands before."""
    entry = LeaderboardEntry.objects.select_for_update().filter(leaderboard=board, season=0, user=session.user).first()
    if entry is None:
        entry = LeaderboardEntry(leaderboard=board, user=session.user, total_score=0, submissions=0)
    entry.total_score += session.score
    entry.score_key, entry.subscore_key = -entry.total_score, 0
    entry.session_id, entry.achieved_at, entry.last_updated = session.pk, session.timestamp, session.timestamp
    entry.submissions += 1
    entry.save()
    entries = LeaderboardEntry.objects.filter(leaderboard=board, season=0)
    rank = entries.filter(score_key__lt=entry.score_key).count() + 1
    return {"leaderboard_id": board.pk, "leaderboard": board.slug, "total_score": entry.total_score, "rank": rank, "total": entries.count()}
