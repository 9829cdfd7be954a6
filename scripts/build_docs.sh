#!/usr/bin/env bash
# Builds the site into docs/_build/html; warnings are errors, and every Python block is run. What has
# been run is kept under docs/_build, so that only pages that changed run again.
set -euo pipefail
cd "$(dirname "$0")/.."
uv run --group docs sphinx-build -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html "$@"
uv run python scripts/check_links.py docs/_build/html
