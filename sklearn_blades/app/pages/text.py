"""Words and numbers as a page shows them."""

import math
import re
from typing import Any

# Control characters, halves of pairs, separators of lines, and what turns the direction of text
# round: in a file's name they hide what it is.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
MINUS = "\N{MINUS SIGN}"


def visible(text: Any) -> str:
    """Text in which each character that would hide, or reorder the others, is spelled out.

    Parameters
    ----------
    text : object
        Its ``str`` is taken.

    Returns
    -------
    str
        Encodable as UTF-8, whatever bytes a file's name had.

    Examples
    --------
    >>> print(visible("photo\\u202egpj.exe"), visible("two\\nlines"))
    photo\\u202egpj.exe two\\u000alines
    """
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def shortened(text: Any, most: int) -> str:
    """Visible text of at most ``most`` characters; where it is cut, its length is said."""
    text = visible(text)
    return (
        text
        if len(text) <= most
        else f"{text[:most]}\N{HORIZONTAL ELLIPSIS} ({len(text):,} characters)"
    )


def percent(share: float) -> str:
    """A share in percent, to three digits.

    Examples
    --------
    >>> print(percent(0.05), percent(0.125))
    5 % 12.5 %
    """
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 4) -> str:
    """A number to so many digits; a dash for none.

    Examples
    --------
    >>> number(-12.3456), number(None), number(123456.0)
    ('−12.35', '–', '123,456')
    """
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}\N{INFINITY}"
    whole = abs(value) >= 10 ** (digits - 1)
    text = f"{value:,.0f}" if whole else f"{value:.{digits}g}"
    return text.replace("-", MINUS)


def counted(n: int, noun: str, nouns: str = "") -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "file"), counted(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def significant(value: float | None, digits: int = 4) -> float | None:
    """A float rounded to so many digits, so that JSON stays short; None where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
