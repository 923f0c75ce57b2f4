"""deploy/alerts.yml: rules in the form of Prometheus, over metrics that exist, each with words in the runbook."""

import re
from pathlib import Path

import pytest
import yaml

from docs.metrics import ROOMS, metrics

ROOT = Path(__file__).resolve().parents[2]
GROUPS = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
OPERATORS = {"by", "max", "sum", "time", "increase", "and"}


def there() -> dict[str, set[str]]:
    """The series there are, each with its labels."""
    return {made.name: {*made.labels, "instance"} for room in ROOMS for made in metrics(room)}


def test_every_metric_is_named_where_the_page_of_metrics_looks():
    made = re.compile(r"^\w+(: Final)? = (Counter|Gauge|Histogram|Summary)\(", re.MULTILINE)
    files = [
        path for path in ROOT.glob("*/*/splitcart_*/**/*.py") if made.search(path.read_text(encoding="utf-8"))
    ]
    assert {".".join(path.relative_to(ROOT).with_suffix("").parts[2:]) for path in files} == set(ROOMS)


def test_the_file_has_the_form_of_prometheus():
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"\d+[mhd]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_only_metrics_and_labels_that_exist(rule):
    series = there()
    named = set(re.findall(r"splitcart_\w+", rule["expr"]))
    assert named
    assert named <= series.keys()
    labels = set.union(*(series[name] for name in named))
    asked = {name.strip() for found in re.findall(r"by \(([^)]*)\)", rule["expr"]) for name in found.split(",")}
    asked |= set(re.findall(r"(\w+)=", " ".join(re.findall(r"\{([^}]*)\}", rule["expr"]))))
    assert asked <= labels
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= asked
    words = set(re.findall(r"[a-z_]{2,}", re.sub(r'splitcart_\w+|\{[^}]*\}|"[^"]*"', "", rule["expr"])))
    assert words <= OPERATORS | labels


def test_what_is_an_alarm_is_in_the_runbook():
    text = (ROOT / "docs/runbooks/alarms.md").read_text(encoding="utf-8")
    titles = " ".join(line for line in text.splitlines() if line.startswith("## "))
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"[A-Z]\w+", titles))


@pytest.mark.parametrize(
    "what", ["splitcart_stalled_seconds", "splitcart_lag_seconds", "splitcart_outbox_age_seconds"]
)
def test_what_must_be_an_alarm_is_one(what):
    assert any(what in rule["expr"] for rule in RULES)
