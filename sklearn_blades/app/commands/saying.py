"""How the command speaks: results on stdout, all else on stderr, errors in one line."""

import json
import sys
from typing import Any


def said(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def one_line(message: Any) -> str:
    """A message without line breaks, and without what a terminal would obey."""
    words = " ".join(str(message).split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in words)


def put(text: str) -> None:
    """A result on stdout; letters that it cannot show are spelled."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def put_json(value: Any) -> None:
    """A result as one JSON document."""
    print(json.dumps(value, indent=1, allow_nan=False))
