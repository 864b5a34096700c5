"""The shipped rules with all durations shortened, and the shipped inhibition of alerts."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from support.processes import ROOT

__all__ = ["FACTOR", "RULES", "Inhibition", "inhibitions", "shortened", "write_shortened"]

FACTOR = 10
"""A ``for`` of 5 minutes lasts 30 seconds, and so on for each range and offset.

What the program itself takes is not shortened: a worker's start (20 s), the session of a dead
consumer (20 s), a look at the group (10 s). A larger factor would make alerts of these.
"""

RULES = ROOT / "deploy" / "prometheus" / "rules"
_ALERTMANAGER = ROOT / "deploy" / "prometheus" / "alertmanager.yml"
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = r"\d+(?:ms|[smhdw])"
_IN_PROMQL = re.compile(rf"(?<=\[){_DURATION}(?=\])|(?<=\boffset ){_DURATION}\b")
_AHEAD = re.compile(r"(predict_linear\([^()]*, )(\d+)(?=\))")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def shortened(rules: Mapping[str, Any], factor: float = FACTOR) -> dict[str, Any]:
    """A file of rules with each duration divided by ``factor``: of ``for``, ranges and offsets.

    Thresholds stay, and so do texts: an alert says "for 5 minutes" after 30 seconds.
    """
    return {
        "groups": [
            {**group, "rules": [_shortened_rule(rule, factor) for rule in group["rules"]]}
            for group in rules["groups"]
        ]
    }


def _shortened_rule(rule: Mapping[str, Any], factor: float) -> dict[str, Any]:
    expression = _IN_PROMQL.sub(lambda found: _divided(found[0], factor), rule["expr"])
    expression = _AHEAD.sub(lambda found: f"{found[1]}{int(found[2]) / factor:g}", expression)
    durations = {name: _divided(rule[name], factor) for name in ("for",) if name in rule}
    return {**rule, "expr": expression, **durations}


def _divided(duration: str, factor: float) -> str:
    number, unit = re.fullmatch(r"(\d+)(\w+)", duration).groups()  # type: ignore[union-attr]
    return f"{round(int(number) * _UNIT_SECONDS[unit] / factor * 1000)}ms"


def write_shortened(source: Path, target: Path) -> None:
    """Write each file of rules in ``source``, shortened, to the new folder ``target``."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.yml")):
        rules = shortened(yaml.safe_load(path.read_text(encoding="utf-8")))
        (target / path.name).write_text(yaml.safe_dump(rules, sort_keys=False), encoding="utf-8")


class Inhibition:
    """One of Alertmanager's ``inhibit_rules``."""

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self._source = [_matcher(text) for text in rule["source_matchers"]]
        self._target = [_matcher(text) for text in rule["target_matchers"]]
        self._equal: list[str] = rule.get("equal", [])

    def mutes(self, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
        """Does the alert with the labels ``source`` keep that with ``target`` from anybody?"""
        return (
            all(_matches(matcher, source) for matcher in self._source)
            and all(_matches(matcher, target) for matcher in self._target)
            and all(source.get(name, "") == target.get(name, "") for name in self._equal)
        )


def inhibitions() -> Iterator[Inhibition]:
    """Those of the Alertmanager example that is shipped."""
    settings = yaml.safe_load(_ALERTMANAGER.read_text(encoding="utf-8"))
    return (Inhibition(rule) for rule in settings["inhibit_rules"])


def _matcher(text: str) -> tuple[str, str, str]:
    found = _MATCHER.fullmatch(text)
    assert found is not None, f"{_ALERTMANAGER}: {text!r} is no matcher"
    return found[1], found[2], found[3]


def _matches(matcher: tuple[str, str, str], labels: Mapping[str, str]) -> bool:
    name, operator, value = matcher
    actual = labels.get(name, "")
    is_same = bool(re.fullmatch(value, actual)) if "~" in operator else actual == value
    return is_same != operator.startswith("!")
