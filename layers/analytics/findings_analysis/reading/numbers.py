"""Numbers as reports have them: read alike from a cell of a CSV, from a number in JSON and from a text in JSON.

A text that holds a number is that number: a CSV has nothing else. Whatever is no finite number is unreadable.
"""

from math import inf, isfinite

MAX_DIGITS = 400
"""No float is a whole number of as many; Python refuses to read one of some thousands, which takes quadratic time."""


def whole_number(text: str) -> float:
    """Return a whole number of JSON's; one with too many digits is infinite."""
    return int(text) if len(text) <= MAX_DIGITS else inf


def finite(value: object) -> float:
    """Return a value as a number.

    Raises
    ------
    ValueError
        It is neither a finite number nor a text that holds one.
    """
    try:
        number = float(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number):
            return float(number)
    except OverflowError:  # a whole number beyond what a float can hold
        pass
    raise ValueError("it is no number")


def whole(value: object, least: float = -inf, below: float = inf) -> int:
    """Return a value as a whole number that is at least one bound and below another.

    Raises
    ------
    ValueError
        It is none.
    """
    number = finite(value)
    if not number.is_integer() or not least <= number < below:
        raise ValueError("it is no whole number that its column can hold")
    return int(number)
