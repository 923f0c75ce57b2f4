"""What every benchmark does alike: interleave, take medians, print one JSON line last."""

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """Rates of our code and of the baseline, one a round, in `unit` (higher is better). `more` is printed too."""

    bench: str
    unit: str
    ours: Sequence[float]
    baseline: Sequence[float]
    must_reach: float
    aim: float
    more: Mapping[str, object] = field(default_factory=dict)

    def line(self) -> dict[str, object]:
        """The figures: medians, their ratio, and how far our rounds lie apart (of their median)."""
        ours, baseline = statistics.median(self.ours), statistics.median(self.baseline)
        # Rounds are paired, as a noisy machine slows both of a pair: the ratio is the median of the pairs'.
        ratio = statistics.median(a / b for a, b in zip(self.ours, self.baseline, strict=True))
        return {
            "bench": self.bench,
            "ours": round(ours, 1),
            "baseline": round(baseline, 1),
            "unit": self.unit,
            "ratio": round(ratio, 3),
            "runs": len(self.ours),
            "spread": round((max(self.ours) - min(self.ours)) / ours, 3),
            "must_reach": self.must_reach,
            "aim": self.aim,
            **self.more,
        }


def rounds(
    ours: Callable[[], float], baseline: Callable[[], float], count: int
) -> tuple[list[float], list[float]]:
    """Run both `count` times in turn; each gives a rate."""
    a: list[float] = []
    b: list[float] = []
    for number in range(count):
        first, second = (ours, baseline) if number % 2 == 0 else (baseline, ours)
        for run in (first, second):
            (a if run is ours else b).append(run())
    return a, b


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def report(result: Result) -> dict[str, object]:
    """Print the JSON line, last."""
    line = result.line()
    print(json.dumps(line), flush=True)
    return line
