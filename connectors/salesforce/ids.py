"""Record ids of 15 and 18 characters, and back to one form.

Not here: which object an id belongs to.
"""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SHORT = 15


def is_id(text: str) -> bool:
    """Whether the text is an id: 15 characters, or 18 whose suffix fits."""
    return _SHAPE.fullmatch(text) is not None and (len(text) == SHORT or text[SHORT:] == _suffix(text[:SHORT]))


def full_id(text: str) -> str:
    """The 18-character form; what is no id comes back as it is.

    The suffix says which of the 15 case-sensitive characters are upper case, five bits a letter;
    an id is therefore never lower-cased.
    """
    return text + _suffix(text) if len(text) == SHORT and is_id(text) else text


def _suffix(short: str) -> str:
    chunks = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(
        _SUFFIX[sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())] for chunk in chunks
    )
