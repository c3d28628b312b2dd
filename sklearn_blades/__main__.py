"""``python -m sklearn_blades`` is the command `blades`."""

from .app.cli import main

main()
