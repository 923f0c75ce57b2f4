"""Golden messages: one file a message, ``<event-type>/v<version>/<name>.json``, written once and never edited.

Each is what a producer of that version put on the bus. Every release must still read all of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.topics import ALL, Topic

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    """One message: `path` relative to the corpus, key, headers as text, value as JSON."""

    path: Path
    about: str
    topic: Topic
    key: str
    headers: dict[str, str]
    json: dict[str, Any]

    def __str__(self) -> str:
        return self.path.with_suffix("").as_posix()

    @property
    def version(self) -> int:
        """The version it was written in, by its folder."""
        return int(self.path.parent.name.removeprefix("v"))

    @property
    def value(self) -> bytes:
        """The bytes of the value."""
        return json.dumps(self.json, ensure_ascii=False).encode()

    @property
    def wire_headers(self) -> list[tuple[str, bytes]]:
        """The headers as a broker hands them over."""
        return [(name, text.encode()) for name, text in self.headers.items()]

    def decoded(self) -> tuple[Envelope, Event]:
        """As a consumer reads it."""
        return decode(self.topic, self.wire_headers, self.value)


def _load(file: Path) -> Golden:
    raw = json.loads(file.read_text(encoding="utf-8"))
    topic = next(topic for topic in ALL if topic.name == raw["topic"])
    return Golden(file.relative_to(FOLDER), raw["about"], topic, raw["key"], raw["headers"], raw["value"])


GOLDEN = tuple(_load(file) for file in sorted(FOLDER.glob("*/v*/*.json")))
