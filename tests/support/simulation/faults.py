"""What the shell may be made to leave out, one rule at a time, to show that it is needed (protocol.md)."""

from enum import StrEnum


class Fault(StrEnum):
    """A deliberate fault; the value says what is done instead of the rule."""

    NO_FENCE = "a batch is folded although another process has taken the partition over and gone on"
    NO_BATCH_IDS = "a batch that was folded already is folded again"
    NO_SCRAPE_IDS = "a scrape that is on record is begun again"
    OLD_VERSIONS = "a group decision at or below the last version is folded"
    NO_CLAMP = "times run backwards where the events do"
    COLLECT_UNLOCKED = "housekeeping looks at a store without locking its head"
    COLLECT_OPEN = "housekeeping collects from a store with an open scrape"
    COLLECT_UNFOLDED = "housekeeping does not wait for a confirmed scrape that is not folded yet"
    NO_RESTORE = "what was collected is not brought back when a scrape begins"
    OFFSET_FIRST = "the position is committed before the effect"
    RELAY_SERIAL = "the relay reads what is above the last serial it has seen"
    RELAY_DELETES_FIRST = "the relay deletes what is not acknowledged yet"
    OUTBOX_APART = "what is to be said is written after the effect is committed"
    SUPERSEDED_OPEN = "a new scrape does not end the open one"
    FLOOR_FALLS = "an ejection takes the floor away"
    OLD_EXCEPTIONS = "exceptions of an older confirmation go on standing"
    RELEASE_DELETES = "a confirmation deletes the member's rows"
    KEPT_AFTER_ROLLBACK = "states in memory outlive the transaction that was rolled back"
    KEPT_AFTER_LOSS = "states in memory outlive the loss of their partition"
    REPLAY_READS_LETTERS = "a replay folds dead letters that it can read"

    # Covered by another rule each: without it alone nothing goes wrong.
    NO_EPOCH = "the position's offset is compared, its epoch is not"
    OFFSET_LATER = "the position is committed after the effect"
    REREAD_IN_BATCH = "what lies below the position is folded when it is fetched again"


HARMLESS = {
    Fault.NO_EPOCH: "whoever has gone on has moved the offset; the epoch says it before anything was folded",
    Fault.OFFSET_LATER: "what is folded again is known by its scrape, batch or version",
    Fault.REREAD_IN_BATCH: "what is folded again is known by its scrape, batch or version",
}
"""Why each of these changes nothing (protocol.md speaks of the last)."""
