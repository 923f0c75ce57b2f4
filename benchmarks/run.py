"""``make bench``: every benchmark in a process of its own, or the one named; a table of what they printed."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import say

HERE = Path(__file__).parent
NAMES = tuple(sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")))


def run(name: str) -> dict[str, object]:
    """One benchmark's last line."""
    say(f"-- {name}")
    done = subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(arguments: list[str]) -> int:
    """Run what is asked for; 2 for a name there is none of."""
    wanted = NAMES if arguments in ([], ["all"]) else arguments
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        say(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}, or all")
        return 2
    lines = [run(name) for name in wanted]
    for line in lines:
        say(f"{line['bench']:<10} ratio {line['ratio']:<7} must reach {line['must_reach']}, aim {line['aim']}")
    for line in lines:
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
