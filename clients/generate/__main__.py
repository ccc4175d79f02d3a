"""python -m clients.generate: write what has changed."""

import os

import django

from clients.generate import CLIENTS, files_of, present


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()
    for path, text in files_of(present()).items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(CLIENTS.parent))


if __name__ == "__main__":
    main()
