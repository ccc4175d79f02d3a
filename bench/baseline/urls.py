from django.urls import path

from bench.baseline.views import Scores

urlpatterns = [path("scores/", Scores.as_view())]
