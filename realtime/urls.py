"""The pages, and the boards by server-sent events."""

from django.urls import path

from realtime import lobby, overlay, sse, views
from realtime.cards.views import card

urlpatterns = [
    path("", lobby.lobby, name="home"),
    path("embed.js", views.embed, name="embed"),
    path("boards/<slug:slug>/", views.board, name="board"),
    path("boards/<slug:slug>/card.png", card, name="card"),
    path("overlay/<slug:slug>/", overlay.overlay, name="overlay"),
    path("sse/", sse.ManyEvents.as_view()),
    path("sse/leaderboard/<str:board>/", sse.Events.as_view()),
]
