"""Runs the product's rebuild_index on a board: `python -m bench.remake SLUG`; what it took, as JSON, its own start not counted."""

import io
import json
import os
import sys
import time

import django
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()
    said, began, cpu_before = io.StringIO(), time.monotonic(), time.process_time()
    call_command("rebuild_index", board=sys.argv[1], stdout=said)
    print(json.dumps({"seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu_before, "said": said.getvalue().strip()}))


if __name__ == "__main__":
    main()
