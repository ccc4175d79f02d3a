"""The pages."""

from django.urls import path

from realtime import views

urlpatterns = [
    path("", views.board, name="home"),
    path("boards/<slug:slug>/", views.board, name="board"),
]
