"""Zstd batches of Kafka unpacked into memory that is kept, for every consumer of this process.

aiokafka unpacks a batch into memory that grows as it goes, page by page from the system: in a process that holds
some hundred megabytes that took 12 % of a fold. Here it goes into one buffer that stays, and is copied out once.
"""

from threading import Lock

from aiokafka.record import default_records
from aiokafka.record._crecords import default_records as compiled
from cramjam import DecompressionError, zstd

SCRATCH_BYTES = 4 << 20
"""Twice what a batch of ours unpacks to; a larger one is unpacked as aiokafka does it."""

_scratch = memoryview(bytearray(SCRATCH_BYTES))
_free = Lock()


def unpack(payload: bytes) -> bytes:
    """The content of a batch, any number of zstd frames; cramjam.DecompressionError where it is none."""
    if _free.acquire(blocking=False):  # cramjam lets go of the interpreter's lock while it works
        try:
            return bytes(_scratch[: zstd.decompress_into(payload, _scratch)])
        except DecompressionError:
            pass  # too large, or damaged: that is for the next line to say
        finally:
            _free.release()
    return bytes(zstd.decompress(payload))


def install() -> None:
    """Let aiokafka unpack by `unpack`; it has no setting for it."""
    for module in (default_records, compiled):
        module.zstd_decode = unpack
