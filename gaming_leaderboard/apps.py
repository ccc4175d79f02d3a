"""Django's admin with our site in place of its own."""

from django.contrib.admin.apps import AdminConfig


class StaffAdmin(AdminConfig):
    default_site = "leaderboard.staff.StaffSite"
