"""Exposure times and f-numbers as they are marked on cameras, so that equal stops are equal."""

from bisect import bisect_left
from math import log2

# Marked numbers, one row a stop: the full stop, then a third, a half and two thirds more. A marked
# number is not the exact one: f/2.8 is 2 ** 1.5 = 2.828, and 1/60 s is 1/64.
_F_NUMBERS = """
    0.7 0.8 0.85 0.9    1 1.1 1.2 1.25      1.4 1.6 1.7 1.8    2 2.2 2.4 2.5    2.8 3.2 3.3 3.5
    4 4.5 4.8 5    5.6 6.3 6.7 7.1    8 9 9.5 10    11 13 13.5 14    16 18 19 20    22 25 27 29
    32 36 38 40    45 51 54 57    64
"""
_SECONDS = """
    30 25 23 20    15 13 11 10    8 6 5.5 5    4 3.2 2.8 2.5    2 1.6 1.4 1.3    1 0.8 0.7 0.6
    1/2 0.4 0.35 0.3    1/4 1/5 1/5.6 1/6    1/8 1/10 1/11 1/13    1/15 1/20 1/22 1/25
    1/30 1/40 1/45 1/50    1/60 1/80 1/90 1/100    1/125 1/160 1/180 1/200
    1/250 1/320 1/350 1/400    1/500 1/640 1/750 1/800    1/1000 1/1250 1/1500 1/1600
    1/2000 1/2500 1/3000 1/3200    1/4000 1/5000 1/6000 1/6400    1/8000 1/10000 1/12000 1/12800
    1/16000 1/20000 1/24000 1/25600    1/32000
"""
_PARTS = (0, 1 / 3, 1 / 2, 2 / 3)
# EV: how far marked numbers lie from the exact ones (1/60 s by 0.093), and no more. Thirds and
# halves are a sixth apart, so what lies between stays what it is and keeps its order.
_TOLERANCE = 0.1
_BIAS_TOLERANCE = 0.04  # 0.3 EV is a third


def marked_f_number(value: float) -> float:
    """The marked f-number within a tenth of a stop, or the number as it is.

    >>> [marked_f_number(number) for number in (2.8, 2.828427, 2 ** (2.97 / 2), 1.9, 177)]
    [2.8, 2.8, 2.8, 1.9, 177]
    """
    return _nearest(value, 2 * log2(value), *_F_TABLE)


def marked_seconds(value: float) -> float:
    """The marked exposure time within a tenth of a stop, or the time as it is.

    >>> [1 / marked_seconds(seconds) for seconds in (1 / 125, 1 / 128, 1 / 140)]
    [125.0, 125.0, 140.0]
    """
    return _nearest(value, -log2(value), *_TIME_TABLE)


def marked_bias(value: float) -> float:
    """An exposure bias in thirds or halves where it is close to one: 0.3 and 0.33 are 1/3.

    >>> [marked_bias(bias) for bias in (-0.33, 0.7, 0.5, 0.1)] == [-1 / 3, 2 / 3, 0.5, 0.1]
    True
    """
    nearest = min(
        (round(value * parts) / parts for parts in (1, 2, 3)), key=lambda b: abs(value - b)
    )
    return nearest if abs(value - nearest) <= _BIAS_TOLERANCE else value


def _table(marked, first):
    """Exact stops, rising, and the numbers marked for them."""
    numbers = [_quotient(*word.split("/")) for word in marked.split()]
    return [first + place // 4 + _PARTS[place % 4] for place in range(len(numbers))], numbers


def _quotient(numerator, denominator="1"):
    return float(numerator) / float(denominator)


def _nearest(value, stops, exact, marked):
    place = bisect_left(exact, stops)
    beside = [p for p in (place - 1, place) if 0 <= p < len(exact)]
    best = min(beside, key=lambda p: abs(exact[p] - stops))
    return marked[best] if abs(exact[best] - stops) <= _TOLERANCE else value


_F_TABLE = _table(_F_NUMBERS, -1)
_TIME_TABLE = _table(_SECONDS, -5)
