"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id by OWASP's figures: 19 MiB and one thread a hash. Django's takes 100 MiB and eight threads: a lever for a flood."""

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
