"""Properties run without a deadline: a slow machine is no defect."""

from hypothesis import settings

settings.register_profile("domain", deadline=None, max_examples=80)
settings.load_profile("domain")
