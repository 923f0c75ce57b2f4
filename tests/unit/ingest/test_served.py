"""The served price (protocol.md, rule 8), clause by clause."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, StoreRecord, served

T0 = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
M, A = "aldi:M", "aldi:A"
X = 1


def record(store, *visits, markers=()):
    """Visits are (seq, day, price of X or None, outcome, seen)."""
    base = 100 if store == A else 200
    scrapes = [ScrapeRow(s, UUID(int=base + s), T0 + d * DAY, outcome, seen) for s, d, _, outcome, seen in visits]
    history = [HistoryRow(X, s, T0 + d * DAY, price) for s, d, price, _, _ in visits if price is not None]
    return StoreRecord(history, scrapes, markers)


def confirmed(day, up_to, anchor_scrape, exceptions=None, version=1):
    return Confirmed(
        version, M, A, UUID(int=200 + up_to), UUID(int=100 + anchor_scrape), exceptions or {}, T0 + day * DAY
    )


def ask(mine, anchor, day, turn=None):
    return served(M, X, T0 + day * DAY, {M: mine, A: anchor}, turn)


ANCHOR = record(A, (1, 0, 500, "full", None), (2, 4, 550, "full", None))


def test_its_own_price_where_it_is_its_own_anchor():
    answer = ask(record(M, (1, 0, 499, "full", None)), ANCHOR, 30)
    assert (answer.price, answer.store, answer.seen_at) == (499, M, T0)


def test_evidence_is_the_latest_scrape_that_says_it_still_holds():
    mine = record(M, (1, 0, 499, "full", None), (2, 2, None, "partial", (X,)), (3, 3, None, "partial", (7,)))
    assert ask(mine, ANCHOR, 30).seen_at == T0 + 2 * DAY


def test_nothing_known_is_nothing_served():
    assert ask(StoreRecord(), ANCHOR, 30) is None


def test_a_released_member_is_served_its_anchors_price():
    mine = record(M, (1, 0, 499, "full", None), markers=[confirmed(1, 1, 1)])
    answer = ask(mine, ANCHOR, 5)
    assert (answer.price, answer.store) == (550, A)


def test_a_members_own_fresh_sighting_wins_for_72_hours_and_not_across_a_turn():
    mine = record(M, (1, 0, 499, "full", None), (2, 5, 480, "partial", (X,)), markers=[confirmed(1, 1, 1)])
    assert ask(mine, ANCHOR, 7).price == 480
    assert ask(mine, ANCHOR, 7, turn=T0 + 6 * DAY).price == 550
    assert ask(mine, ANCHOR, 9).price == 550


def test_an_exception_is_served_until_it_lapses():
    exception = {X: GroupException(300, T0 + DAY)}
    mine = record(M, (1, 0, 300, "full", None), markers=[confirmed(1, 1, 1, exception)])
    quiet = record(A, (1, 0, 500, "full", None))
    assert ask(mine, quiet, 7).price == 300
    assert ask(mine, quiet, 9).price == 500  # after 7 days without being seen again
    assert ask(mine, ANCHOR, 5).price == 550  # the anchor's price of it changed


def test_not_sold_there_stands_until_contradicted():
    mine = record(M, (1, 0, None, "full", None), markers=[confirmed(1, 1, 1, {X: GroupException(None, T0)})])
    assert ask(mine, ANCHOR, 60) is None
    seen = record(
        M, (1, 0, None, "full", None), (2, 59, 470, "partial", (X,)),
        markers=[confirmed(1, 1, 1, {X: GroupException(None, T0)})],
    )  # fmt: skip
    assert ask(seen, ANCHOR, 60).price == 470


def test_an_ejected_store_is_its_own_anchor_and_its_floor_stays():
    markers = [confirmed(1, 1, 1), Ejected(2, M, T0 + 2 * DAY)]
    before = record(M, (1, 0, 499, "full", None), markers=markers)
    assert ask(before, ANCHOR, 3) is None  # what it had was released
    after = record(M, (1, 0, 499, "full", None), (2, 3, 480, "full", None), markers=markers)
    assert ask(after, ANCHOR, 4).price == 480


def test_a_confirmation_of_a_scrape_not_folded_yet_counts_as_later_than_all():
    mine = record(M, (1, 0, 499, "full", None), markers=[confirmed(1, 9, 1)])
    assert ask(mine, ANCHOR, 1).price == 500


def test_one_hop_never_a_chain():
    # The anchor itself was released to another: it has nothing of its own above its floor.
    marker = Confirmed(2, A, "aldi:B", UUID(int=102), UUID(int=301), {}, T0 + 4 * DAY)
    anchor = StoreRecord(ANCHOR.history, ANCHOR.scrapes, [marker])
    mine = record(M, (1, 0, 499, "full", None), markers=[confirmed(1, 1, 1)])
    assert ask(mine, anchor, 5) is None
