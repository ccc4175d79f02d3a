"""Failed logins, counted in SQL by django-axes for the REST login and the admin's alike."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.db.models import Sum
from django.http import HttpRequest

ELSEWHERE = 10  # times as many failures are let pass for a name from all addresses, and for an address with all names


class LoginAttempts(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """A name is locked for an address after AXES_FAILURE_LIMIT failures: who guesses from elsewhere does not lock the owner out.

    Guessing from many addresses, or many names from one, comes to its end too, after ELSEWHERE times as many.
    """

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        both, of_name, of_address = (
            attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0 for attempts in self.get_user_attempts(request, credentials)
        )
        return max(both, of_name // ELSEWHERE, of_address // ELSEWHERE)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """After a login: of this name from this address only, else an account of one's own would wipe out an address's failures."""
        deleted: int = self.filter_user_attempts(request, credentials)[0].delete()[0]
        return deleted
