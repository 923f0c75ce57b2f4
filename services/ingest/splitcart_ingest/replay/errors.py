"""What a replay refuses to do, with the reason and what to do about it."""


class RefusedError(Exception):
    """Not done, and nothing was changed; the text says why, and what can be done."""


class StoppedError(Exception):
    """Begun, and not ended; what is done is kept, and the same command goes on. The text says what stopped it."""
