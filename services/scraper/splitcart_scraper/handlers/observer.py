"""What a scrape tells whoever watches it: a command's progress bars, or nobody."""

from dataclasses import dataclass
from typing import Protocol

from splitcart_scraper.domain.scrape import Abandoned, Plan, StagedPage, Tally
from splitcart_scraper.store.claims import Claim


@dataclass(frozen=True, slots=True)
class Finished:
    """How a scrape ended. At most one of `quarantined`, `abandoned` and `interrupted` is set.

    `interrupted` says why it is unfinished, and another worker may go on with it; then nothing was published.
    """

    claim: Claim
    tally: Tally
    quarantined: str | None = None
    abandoned: Abandoned | None = None
    interrupted: str | None = None

    @property
    def ending(self) -> str:
        """One word for it, as the metric has it."""
        if self.interrupted is not None:
            return "interrupted"
        if self.quarantined is not None:
            return "quarantined"
        if self.abandoned is not None:
            return f"abandoned-{self.abandoned.reason}"
        return "completed" if self.claim.run.scope == "full" else "part"


class Observer(Protocol):
    """Called as a scrape goes on; must not block."""

    def planned(self, claim: Claim, plan: Plan, staged: int) -> None:
        """The tree is read; so many pages were staged before."""
        ...

    def page(self, claim: Claim, page: StagedPage) -> None:
        """A page was read."""
        ...

    def finished(self, finished: Finished) -> None:
        """The scrape ended."""
        ...


class Silent:
    """Nobody watches."""

    def planned(self, claim: Claim, plan: Plan, staged: int) -> None:
        """Nothing."""

    def page(self, claim: Claim, page: StagedPage) -> None:
        """Nothing."""

    def finished(self, finished: Finished) -> None:
        """Nothing."""
