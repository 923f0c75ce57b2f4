"""What a replay refuses to do, and what it says then; nothing is changed by it."""

import pytest

from splitcart_ingest.replay.abandon import abandon
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.run import working_on
from splitcart_ingest.replay.selection import Selection
from tests.support.replay import compared


async def test_what_is_refused_and_why(live):
    async def refused(words, **wish):
        with pytest.raises(RefusedError, match=words):
            await live.run(**wish)

    await refused("is live", generation=1)
    await live.ask("UPDATE ingest_g1.positions SET next_offset = next_offset + 1000 WHERE next_offset > 0")
    await refused("the log has lost")
    await live.ask("UPDATE ingest_g1.positions SET next_offset = next_offset - 1000 WHERE next_offset > 0")
    await live.run(selection=Selection("aldi"), generation=7)
    await refused("was begun with aldi, not with coles", generation=7, selection=Selection("coles"))
    await refused("was used before", generation=5)
    await live.ask("UPDATE ingest.generations SET state = 'building' WHERE number = 7")
    await refused("generation 7 is not finished")
    with pytest.raises(RefusedError, match="is not finished"):
        await compared(live)
    await live.ask("UPDATE ingest.generations SET company = NULL WHERE number = 7")
    with pytest.raises(RefusedError, match=r"is not finished: .* goes on with it"):
        await live.swap()


async def test_a_log_that_has_lost_its_beginning(live):
    await live.delete_beginning()
    with pytest.raises(RefusedError, match="begins at 5 and not at 0"):
        await live.run()
    code, lines, _ = await live.verb("replay", "plan")
    assert code == 1
    assert lines[-1]["possible"] is False
    assert "begins at 5" in lines[-1]["problems"][0]


async def test_two_at_once(live):
    made = (await live.run()).generation
    async with working_on(live.given, made):
        for other in (live.run(generation=2), compared(live), live.swap(), abandon(live.given, 2)):
            with pytest.raises(RefusedError, match="another process is at work on generation 2"):
                await other
        await live.ask("UPDATE ingest.generations SET state = 'building' WHERE number = 2")
        with pytest.raises(RefusedError, match="another process is at work on generation 2"):
            await live.run()
    assert (await live.run(generation=2)).generation.state == "built"
    assert (await compared(live)).equal


async def test_a_generation_that_is_not_there_or_is_live(live):
    for asked in (live.swap(9), compared(live, 9), abandon(live.given, 9)):
        with pytest.raises(RefusedError, match="there is no generation 9: `splitcart replay status`"):
            await asked
    for asked in (live.swap(1), compared(live, 1), abandon(live.given, 1)):
        with pytest.raises(RefusedError, match="generation 1 is live"):
            await asked
    for asked in (live.swap(), compared(live)):
        with pytest.raises(RefusedError, match="there is no generation beside the live one"):
            await asked


WRONG = {
    "compare": "there is no generation beside the live one",
    "run --company tesco": "there is no company tesco",
    "run --from 2026-10-02 --to 2026-10-01": "is not before --to",
}


async def test_a_verb_that_is_asked_for_the_wrong_thing_says_so(live):
    for words, says in WRONG.items():
        process = await live.starts("replay", *words.split())
        out, err = await process.communicate()
        assert (process.returncode, out) == (2, b""), words
        assert says in " ".join(err.decode().replace("│", " ").split()), words
    assert await live.fetch("SELECT number FROM ingest.generations") == [(1,)], "nothing was changed"
