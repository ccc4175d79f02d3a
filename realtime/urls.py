"""The pages."""

from django.urls import path

from realtime import overlay, views

urlpatterns = [
    path("", views.board, name="home"),
    path("embed.js", views.embed, name="embed"),
    path("boards/<slug:slug>/", views.board, name="board"),
    path("overlay/<slug:slug>/", overlay.overlay, name="overlay"),
]
