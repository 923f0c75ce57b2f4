"""What became of a message: a value that the shell acts on, never an exception logged and forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Why a message is a dead letter: the class that dead letters are counted and grouped by."""

    NO_ENVELOPE = "no-envelope"
    UNKNOWN_TYPE = "unknown-type"
    UNKNOWN_VERSION = "unknown-version"
    WRONG_TOPIC = "wrong-topic"
    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    WRONG_KEY = "wrong-key"
    FROM_THE_FUTURE = "from-the-future"


@dataclass(frozen=True, slots=True)
class Ok:
    """Folded. `committed` is called once that stands: to count what must not be counted twice."""

    committed: Callable[[], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Skip:
    """A repeat, or a message that the rules say to ignore; counted under `why`."""

    why: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message nobody can fold: its untouched bytes go to the dead-letter topic with this reason."""

    reason: Reason
    error: str


Outcome = Ok | Skip | DeadLetter


class SystemicError(RuntimeError):
    """Too many dead letters: the fault is not in the messages, and draining them away would hide it."""
