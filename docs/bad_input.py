"""What becomes of input that should not be: a row a kind, each shown by a test of ingest (`test_bad_input`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from splitcart_common.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Bad:
    """A kind of input and what becomes of it: a dead letter with its reason, folded, ignored (why), or a stop.

    `more` is said after that.
    """

    what: str
    becomes: Reason | Literal["folded", "not-open", "repeat", "stops"]
    more: str = ""

    @property
    def words(self) -> str:
        """What becomes of it, in words."""
        match self.becomes:
            case Reason():
                said = f"dead letter, `{self.becomes}`"
            case "folded":
                said = "folded"
            case "stops":
                said = "stops the partition"
            case _:
                said = f"ignored, counted as skipped (`{self.becomes}`)"
        return f"{said}: {self.more}" if self.more else said


BAD_INPUT: Final[Mapping[str, Bad]] = {
    "bytes": Bad("Bytes that are no JSON, JSON cut off, half a character, or no value", Reason.UNDECODABLE),
    "deep": Bad("JSON nested 100,000 deep", Reason.UNDECODABLE),
    "shape": Bad("JSON of another shape: a list, a field missing, null or of another type", Reason.INVALID),
    "unknown field": Bad("A field that nobody knows", "folded", "the field is passed over"),
    "header missing": Bad("A header of the envelope missing, twice there, or not readable", Reason.NO_ENVELOPE),
    "type": Bad("A type that is no event of ours", Reason.UNKNOWN_TYPE),
    "topic": Bad("An event of ours that belongs on another topic", Reason.WRONG_TOPIC),
    "version": Bad("A version that no step leads from: 0, below, or of a later release", Reason.UNKNOWN_VERSION),
    "no key": Bad("No key, one that is not UTF-8, or one that is no store key", Reason.WRONG_KEY),
    "other key": Bad("The key of another store than the event names", Reason.WRONG_KEY),
    "unknown store": Bad(
        "A store nobody has described", "folded", "the store gets a row; its description may come later"
    ),
    "nul": Bad("A text with U+0000, which Postgres cannot hold", Reason.INVALID),
    "long text": Bad("A text longer than its field allows, or a SKU that is empty", Reason.INVALID),
    "hostile text": Bad(
        "Text of any other characters: quotes, markup, SQL, control and direction characters",
        "folded",
        "it is kept as it came; whoever shows it escapes it",
    ),
    "price zero": Bad(
        "A price of 0", "folded", "it is 0; our scraper refuses such a tile, so none of its messages says so"
    ),
    "price null": Bad("A price of null", "folded", "the listing was seen, and its price stands as it was"),
    "price negative": Bad("A price below 0", Reason.INVALID),
    "price large": Bad("A price above 10,000,000 cents, such as 10^12", Reason.INVALID),
    "price other": Bad("A price that is no whole number: 4.69, \"469\", true", Reason.INVALID),
    "future": Bad(
        "A time more than 10 minutes after the broker's, in the header or in the event", Reason.FROM_THE_FUTURE
    ),
    "near future": Bad("A time less than that after the broker's", "folded"),
    "far past": Bad("A time before the year 2000", Reason.INVALID),
    "time backwards": Bad(
        "A time before those of the store's earlier messages", "folded", "as if it were the latest of them"
    ),
    "no zone": Bad("A time without a zone in the event", Reason.INVALID, "in the header it is `no-envelope`"),
    "batch alone": Bad("A batch without a start", "not-open", "its listings are described all the same"),
    "completed alone": Bad("An end without a start", "not-open"),
    "abandoned alone": Bad("A scrape given up that was not begun", "not-open"),
    "start again": Bad("A start that came before", "repeat"),
    "batch again": Bad("A batch that came before", "repeat"),
    "end again": Bad("An end that came before, or a batch after the end", "not-open"),
    "start between": Bad(
        "A start while another scrape of the store is open", "folded", "it ends that one as superseded"
    ),
    "batches swapped": Bad("Batches in another order", "folded", "nothing is different"),
    "batch lost": Bad(
        "An end that counts more batches than came", "folded", "the scrape is partial: nothing is withdrawn"
    ),
    "batch number": Bad("A batch numbered 0, or above 100,000", Reason.INVALID),
    "many listings": Bad("More than 200 listings in a message", Reason.INVALID),
    "no listings": Bad("A batch without a listing", "folded"),
    "listing twice": Bad("A listing twice in a scrape", "folded", "the first sighting stands"),
    "same scrape elsewhere": Bad(
        "The scrape id of another store's scrape", "folded", "an id counts within its store's stream"
    ),
    "store badly described": Bad(
        "On `stores`: coordinates off the globe, or a key that is another store's", Reason.INVALID,
        "with the key of another store it is `wrong-key`",
    ),
    "group unreadable": Bad(
        "On `store-groups`: a message that cannot be read",
        "stops",
        "there are no dead letters, as what follows depends on it",
    ),
}  # fmt: skip
"""By the name of the test's case."""
