"""Runs the queries of Grafana's dashboards on a real Prometheus, without Grafana."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Values of Grafana's own variables, for a dashboard that shows five minutes.
TIMES = {"__rate_interval": "10s", "__interval": "1s", "__range": "5m"}
TIMEOUT = 10


class QueryError(Exception):
    """Prometheus has rejected a query; the message is from Prometheus."""


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of one server."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """Send a request to the API, and return the `data` of its response."""
        asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(json.load(error).get("error", str(error))) from None

    def points(self, query: str, start: float, end: float) -> int:
        """Return how many points a panel with this query would show."""
        window = {"start": str(start), "end": str(end), "step": "1"}
        result = self.get("query_range", query=query, **window)["result"]
        return sum(value != "NaN" for line in result for _, value in line["values"])


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel, including those in rows, but not the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panels(panel) if panel.get("panels") else ()


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the dashboards of a folder, by file name."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def queries(
    dashboard: Mapping[str, Any], prometheus: Prometheus
) -> Iterator[tuple[str, str]]:
    """Yield the title and query of each panel, for each value of a repeated panel."""
    variables: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        values[name] = _values(variable, variables, prometheus)
        every = variable.get("allValue") or "|".join(values[name])
        variables[name] = every if variable["includeAll"] else values[name][0]
    for panel in panels(dashboard):
        repeated = panel.get("repeat")
        for value in values[repeated] if repeated else [""]:
            chosen = {**variables, **({repeated: value} if repeated else {})}
            for target in panel["targets"]:
                title = resolve(panel["title"], chosen)
                yield title, resolve(target["expr"], chosen)


def resolve(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$name` and `${name}` by their values."""
    known = {**TIMES, **variables}
    return re.sub(
        r"\$(?:\{(\w+)\}|(\w+))",
        lambda found: known.get(found[1] or found[2], found[0]),
        text,
    )


def _values(
    variable: Mapping[str, Any], chosen: Mapping[str, str], prometheus: Prometheus
) -> list[str]:
    query = resolve(variable["query"]["query"], chosen)
    asked = re.fullmatch(r"label_values\((.+), *(\w+)\)", query)
    if asked is None:
        raise QueryError(f"{variable['name']}: {query} is not label_values(…, label)")
    found = prometheus.get(f"label/{asked[2]}/values", **{"match[]": asked[1]})
    kept = re.compile(str(variable.get("regex", "")).strip("/") or "(.*)")
    values = [match[1] for value in found if (match := kept.fullmatch(value))]
    if not values:
        raise QueryError(f"{variable['name']}: {query} has no value")
    return values
