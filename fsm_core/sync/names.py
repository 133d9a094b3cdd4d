"""Names as a person would call them, in any script.

Pure. Not here: what a common name leads to (`match`), how much two names are alike (`similar`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LEGAL_FORMS = frozenset(
    [
        "gmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ek", "ug", "se", "co", "ltd", "limited", "inc", "llc",
        "plc", "bv", "nv", "sarl", "sas", "sa", "spa", "srl", "oy", "ab", "as", "aps",
        "ооо", "оао", "зао", "пао", "ао", "тоо",  # noqa: RUF001 - Cyrillic is meant
        "αε", "επε", "ικε", "οε", "εε",
    ]
)  # fmt: skip
_WRITTEN_ON = re.compile("^(株式会社|有限会社|合同会社)|(株式会社|有限会社|合同会社|(股份)?有限(责任)?公司)$")
"""Legal forms of scripts that put no space before them."""
_SPELLED_OUT = re.compile(r" (gesellschaft mit beschra?e?nkter haftung|g m b h|e k|b v|n v|s a r l|s a)(?= )")
_SPELLED_FIRST = frozenset(["gesellschaft", "g", "e", "b", "n", "s"])
_INITIALS = re.compile(r"\b([^\W\d_])\.\s?(?=[^\W\d_]\b|\W|$)")
"""The point after a single letter: `g.m.b.h.` is one word."""
_APART = {code: " " for code in range(128) if not chr(code).isalnum()}
"""What is between words of ASCII text."""
_SPELLED = str.maketrans(
    {"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "ł": "l", "đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe",
     "þ": "th", "ı": "i"}  # noqa: RUF001 - the letter without a dot is meant
)  # fmt: skip
"""Letters that do not come apart into a letter and an accent."""


def unaccented(folded: str) -> str:
    """ASCII where there is an ASCII way to write it; German umlauts become two letters. Other scripts lose accents.

    What is a letter of its own there stays: a voiced kana, a vowel sign.
    """
    spelled = unicodedata.normalize("NFC", folded).translate(_SPELLED)
    if spelled.isascii():
        return spelled
    apart = unicodedata.normalize("NFKD", spelled)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not _is_accent(c)))


def _is_accent(char: str) -> bool:
    """A mark above, below or through a letter, or a vowel point; the classes of Unicode that are no letters."""
    kind = unicodedata.combining(char)
    return kind == 1 or 10 <= kind <= 36 or kind >= 200  # noqa: PLR2004 - numbers of the standard


def _words(plain: str) -> list[str]:
    """Letters, digits and the marks that belong to them, of any script."""
    return "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain).split()


@lru_cache(maxsize=1 << 14)
def loosened(text: str) -> str:
    """A name as a person would call it: no case, accents, punctuation or legal form; in any script, and never blank."""
    plain = text.casefold()
    if plain.isalnum() and plain.isascii():
        return plain
    if not plain.isascii():
        plain = unaccented(plain)
    if "." in plain or "&" in plain:
        plain = _INITIALS.sub(r"\1", plain.replace("&amp;", " "))
    words = plain.translate(_APART).split() if plain.isascii() else _words(plain)
    kept = [word for word in words if word not in _LEGAL_FORMS]
    name = " ".join(kept) if plain.isascii() else _WRITTEN_ON.sub("", " ".join(kept)).strip()
    if not _SPELLED_FIRST.isdisjoint(kept):
        name = " ".join(_SPELLED_OUT.sub(" ", f" {name} ").split()) or name
    return name or " ".join(words) or plain.strip()
