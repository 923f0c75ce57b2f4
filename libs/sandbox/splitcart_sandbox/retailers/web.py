"""The values that pass between the server, a company's face and the faults: requests, what they ask, answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a face; `path` is without the company's prefix, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON; header names as keywords, with ``_`` for ``-``."""
    return Answer(status, orjson.dumps(value), {name.replace("_", "-"): text for name, text in headers.items()})


class RefusedError(Exception):
    """A request a face or the truth cannot answer, with the answer it gives instead."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Hides = Callable[[str], bool] | None
"""Whether a sku is missing from a category's pages, None if none is: how a short category reaches a face."""

Answering = Callable[[int, Hides], Answer]
"""The answer at the second it is priced at, without what is to be hidden."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks a company for, before it is answered: the faults and the ledger go by it.

    `kind` is ``robots``, ``stores``, ``categories``, ``listing``, ``product`` or ``other``. `store` is the store's
    id as its key has it, or what the request calls a store that is unknown; `category` is as the request names it.
    Both are empty where it names none. `own` is what answers instead where a fault happens that only the company's
    face can carry out, by the fault's name.
    """

    kind: str
    store: str
    category: str
    answer: Answering
    own: Mapping[str, Answering] = field(default_factory=dict)


class Face(Protocol):
    """One company as it shows itself over HTTP. A further company is a further class of this shape."""

    company: str

    def call(self, request: Request) -> Call:
        """What a request asks for; an unknown path is a call whose answer says so."""
        ...

    def bot_wall(self) -> Answer:
        """What the company's bot wall answers instead."""
        ...


def number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int | None:
    """A whole number of the query, None if it is not one or out of range."""
    try:
        value = int(query.get(name, default))
    except ValueError:
        return None
    return value if low <= value <= high else None


def decimal(query: Mapping[str, str], name: str) -> float | None:
    """A finite number of the query, None if it is missing or not one."""
    try:
        value = float(query[name])
    except (KeyError, ValueError):
        return None
    return value if abs(value) < 1e9 else None


def body_of(request: Request) -> Any:
    """The request's JSON; RefusedError with 400 if it is none."""
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(json_answer({"error": f"the body is not JSON: {error}"}, 400)) from None
