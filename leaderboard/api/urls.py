"""The routes of version 1, under /api/v1/ and, chosen by the Accept header, under /api/."""

from django.urls import path

from leaderboard.api import administration, identity, moderation, more_views, race, views

urlpatterns = [
    path("scores/", views.Scores.as_view()),
    path("scores/batch/", views.ScoresBatch.as_view()),
    path("tickets/", views.Tickets.as_view()),
    path("leaderboard/", administration.BoardsAdmin.as_view()),
    path("leaderboard/<str:board>/", administration.BoardAdmin.as_view()),
    path("leaderboard/<str:board>/rerankings/", administration.Rerankings.as_view()),
    path("leaderboard/<str:board>/rerankings/<int:number>/", administration.RerankingDetail.as_view()),
    path("leaderboard/<str:board>/top/", views.Top.as_view()),
    path("leaderboard/<str:board>/rank/<path:player>/", views.Rank.as_view()),
    path("leaderboard/<str:board>/around/<path:player>/", views.Around.as_view()),
    path("auth/device/", identity.DeviceSignIn.as_view()),
    path("auth/register/", identity.Register.as_view()),
    path("auth/login/", identity.Login.as_view()),
    path("auth/refresh/", identity.Refresh.as_view()),
    path("auth/logout/", identity.Logout.as_view()),
    path("players/me/", identity.Me.as_view()),
    path("leaderboard/<str:board>/entries/", more_views.Entries.as_view()),
    path("leaderboard/<str:board>/percentile/", more_views.Percentile.as_view()),
    path("leaderboard/<str:board>/what_if/", more_views.WhatIf.as_view()),
    path("leaderboard/<str:board>/race/", race.Race.as_view()),
    path("leaderboard/<str:board>/entries/<path:player>/", moderation.Entry.as_view()),
    path("leaderboard/<str:board>/edits/", moderation.Edits.as_view()),
    path("players/<path:player>/standings/", more_views.PlayerStandings.as_view()),
    path("players/<path:player>/sessions/", more_views.PlayerSessions.as_view()),
    path("players/<path:player>/history/", more_views.PlayerHistory.as_view()),
]
