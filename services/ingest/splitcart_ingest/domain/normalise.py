"""Text to plain words: what every name, brand and size goes through before it is compared.

Only the standard library, and nothing that depends on the machine or its locale: a replay must read a name as the
live run did. Two steps, because sizes need the marks (`1.5l`, `6-10`, `L'Oreal`) that words do not.
"""

import html
import re
import unicodedata
from typing import Final

_SIGNS: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        "\u00d7": "x",
        "\u2044": "/",
    }
)
_SPACE: Final = re.compile(r"\s+")
_NOT_WORD: Final = re.compile(r"[^a-z0-9%.]+")
_LOOSE_DOT: Final = re.compile(r"(?<!\d)\.|\.(?!\d)")
_LOOSE_PERCENT: Final = re.compile(r"(?<!\d)%")


def plain(text: str) -> str:
    """Lower-case ASCII with its marks kept: entities resolved, accents dropped, one kind of quote and dash.

    What has no ASCII form (other scripts, emoji) is dropped.
    """
    text = unicodedata.normalize("NFKD", html.unescape(text).translate(_SIGNS)).translate(_SIGNS)
    text = text.encode("ascii", "ignore").decode("ascii").lower()
    return _SPACE.sub(" ", text).strip()


def words(text: str) -> tuple[str, ...]:
    """The words of a plain text, in order: no punctuation but the point and the percent sign of a number.

    An apostrophe joins (`arnott's` is `arnotts`), an ampersand or plus is `and`, all else parts.
    """
    text = text.replace("'", "").replace("&", " and ").replace("+", " and ")
    text = _NOT_WORD.sub(" ", text)
    text = _LOOSE_PERCENT.sub(" ", _LOOSE_DOT.sub(" ", text))
    return tuple(text.split())


def compact(text: str) -> str:
    """Letters and digits alone: `Coca - Cola` and `coca-cola` are one."""
    return "".join(words(plain(text))).replace(".", "").replace("%", "")
