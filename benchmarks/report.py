"""Writes the results into docs/performance.md: `python -m benchmarks.report`."""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import goals, results
from benchmarks.goals import WORKS
from benchmarks.plot import bars
from tests.harness.project import ROOT

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
FIGURES = {
    "rate": "requests/s",
    "cpu": "CPU per request",
    "p99": "p99",
    "database_cpu": "database CPU",
    "memory": "memory",
    "foreign": "CPU of other processes",
}
PLOTS = {
    "rate": "Requests per second, to FastAPI over asyncpg (L1); more is better",
    "cpu": "CPU per request, to FastAPI over asyncpg (L1); less is better",
}
STEPS = ("files", "settings", "environment", "migration", "openapi", "format", "git")
CROWD = ("offered", "goodput", "refused", "failed", "p50", "p99")
UNITS = {"offered": ", to the peak", "goodput": ", to the peak", "refused": ", of all"}
UNITS |= {"failed": ", of all", "p50": ", ms", "p99": ", ms"}
TITLES = {"refused": "rejected"}
GENERATOR = ("check", "render", "write", "merge", "all")


def main() -> int:
    """Write the tables and plots of docs/performance.md."""
    PAGE.write_text(filled(PAGE.read_text()))
    for name, svg in plots().items():
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / f"{name}.svg").write_text(svg)
    return 0


def filled(page: str) -> str:
    """Return the page with the results in its marked places."""
    for name, text in sections().items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        if mark:
            _, end, after = rest.partition("<!-- end -->")
            page = f"{before}{mark}\n{text}\n\n{end}{after}"
    return page


def sections() -> dict[str, str]:
    """Return the text of each marked place for which there are results."""
    found = results.read("table")
    made = {} if found is None else compared(found)
    for part in (filters, tokens, writes, pieces, capacity, generation, suite, routing):
        made |= part()
    return made


def compared(found: dict[str, Any]) -> dict[str, str]:
    works = found["works"]
    memory = {n: row["memory"] for rows in works.values() for n, row in rows.items()}
    made = {f"table {work}": work_table(rows) for work, rows in works.items()}
    made["systems"] = table(["", "what it is"], list(found["systems"].items()))
    made["start"] = table(
        ["", "seconds to the first response", "memory under load, to L1"],
        [
            (name, f"{seconds:.2f}", spread(memory[name]))
            for name, seconds in found["start"].items()
        ],
    )
    made["machine"] = machine(found)
    made["plots"] = "\n\n".join(
        f"![{title}](images/{figure}.svg)" for figure, title in PLOTS.items()
    )
    made["overview"] = overview(found, "rate", "requests/s, to L1")
    if goals.PLAIN in found["systems"]:
        made["goals"] = table(["goal", *WORKS, "reached"], goals.rows(found))
    return made


def overview(found: dict[str, Any], figure: str, title: str) -> str:
    """Return one figure of every service and kind of request."""
    works = found["works"]
    return table(
        [title, *WORKS],
        [
            (name, *(middle(works[work].get(name, {}).get(figure)) for work in WORKS))
            for name in found["systems"]
        ],
    )


def pieces() -> dict[str, str]:
    found = results.read("pieces")
    if found is None:
        return {}
    head = ["", "taken out", *(f"{work}, requests/s" for work in WORKS), "CPU of a get"]
    works = found["works"]
    rows = [
        (
            name,
            about,
            *(spread(works[work][name]["rate"]) for work in WORKS),
            spread(works["get"][name]["cpu"]),
        )
        for name, about in found["systems"].items()
        if name != found["baseline"]
    ]
    return {"pieces": f"{circumstances(found)}\n\n{table(head, rows)}"}


def filters() -> dict[str, str]:
    found = results.read("filters")
    if found is None:
        return {}
    rows = found["works"]["list"]
    ours = rows[found["baseline"]]["rate_to"]
    goal = f"at least {goals.FILTERED:g}"
    cells = [
        (
            name,
            found["systems"][name],
            *(spread(row[figure]) for figure in ("rate", "cpu")),
            f"{middle(ours[name])} ({goal})" if name in goals.FILTERING else "",
        )
        for name, row in rows.items()
    ]
    head = ["", "what it is", "requests/s, to ours", "CPU per request", "ours to it"]
    return {"filters": f"{circumstances(found)}\n\n{table(head, cells)}"}


def tokens() -> dict[str, str]:
    found = results.read("tokens")
    if found is None:
        return {}
    works = found["works"]
    head = ["to a request without a token", *(f"{work}, CPU" for work in works)]
    cells = [
        (about, *(spread(works[work][name]["cpu"]) for work in works))
        for name, about in found["systems"].items()
        if name != found["baseline"]
    ]
    return {"tokens": f"{circumstances(found)}\n\n{table(head, cells)}"}


def writes() -> dict[str, str]:
    found = results.read("writes")
    if found is None:
        return {}
    rows = [(title, spread(values)) for title, values in found["ratios"].items()]
    return {"writes": f"{circumstances(found)}\n\n{table(['', 'ratio'], rows)}"}


def work_table(rows: dict[str, Any]) -> str:
    ordered = sorted(rows.items(), key=lambda item: -float(item[1]["rate"][1]))
    return table(
        ["to L1", *FIGURES.values()],
        [(name, *(spread(row[f]) for f in FIGURES)) for name, row in ordered],
    )


def capacity() -> dict[str, str]:
    found = results.read("capacity")
    if found is None:
        return {}
    workers, crowd = found["workers"], found["overload"]["loads"]
    return {
        "workers": table(
            ["2 workers, to 1", "ratio"],
            [(name, spread(values)) for name, values in workers.items()],
        ),
        "overload": table(
            ["", *(f"{TITLES.get(f, f)}{UNITS.get(f, '')}" for f in CROWD)],
            [(name, *(spread(of[f]) for f in CROWD)) for name, of in crowd.items()],
        ),
        "depth": table(
            ["page of a million rows", "ms"],
            [(name, f"{value:.2f}") for name, value in found["depth"].items()],
        ),
    }


def generation() -> dict[str, str]:
    found = results.read("generation")
    if found is None:
        return {}
    warm = found["warm"]
    ours = {name: row for name, row in warm.items() if "all" in row}
    return {
        "bakes": f"{circumstances(found)}\n\n{bakes(found)}",
        "growth": f"{spread(found['growth'])}.",
        "generation": table(
            ["seconds", *GENERATOR],
            [(n, *(f"{row[p][1]:.3f}" for p in GENERATOR)) for n, row in ours.items()],
        ),
    }


def bakes(found: dict[str, Any]) -> str:
    """Return the table of whole bakes with warm and cold caches."""
    rows = []
    for name in found["warm"]:
        for caches in ("warm", "cold"):
            row = found[caches][name]
            whole = spread(row["seconds"]), f"{row['to a bare start'][1]:.0f}"
            split = (f"{row[step][1]:.1f}" if step in row else "" for step in STEPS)
            rows.append((name, caches, *whole, *split))
    return table(["", "caches", "seconds", "to a bare start", *STEPS], rows)


def suite() -> dict[str, str]:
    found = results.read("suite")
    if found is None:
        return {}
    rows = [
        (
            name,
            *(spread(row[figure]) for figure in ("seconds", "without coverage")),
            ", ".join(
                "{} {:.1f} ({:.1f})".format(n, *s) for n, s in row["longest"].items()
            ),
        )
        for name, row in found["suites"].items()
    ]
    head = ["", "seconds", "without coverage", "the longest files (without coverage)"]
    few, many = (f"{values[1]:.2f}" for values in found["per_test"]["ms"].values())
    ratio = spread(found["per_test"]["ratio"])
    return {
        "suite": f"{circumstances(found)}\n\n{table(head, rows)}",
        "per test": f"{ratio}: {few} ms per test of the last of 2, {many} ms of 200.",
    }


def routing() -> dict[str, str]:
    found = results.read("routing")
    if found is None:
        return {}
    costs = found["microseconds"]
    sizes = list(found["start"])
    few = sizes[0]
    rows = [
        (kind, *(f"{cost[n]:.0f} µs ({cost[n] / cost[few]:.2f})" for n in sizes))
        for kind, cost in costs.items()
    ]
    head = [f"a route that does nothing (to {few})", *(f"{n} entities" for n in sizes)]
    figures = {"cpu": "CPU per request", "rate": "requests/s", "memory": "memory"}
    loads = [
        (kind, *(spread(load[figure]) for figure in figures))
        for kind, load in found["load"].items()
    ]
    seconds = [
        (title, *(f"{found[part][n]:.3f} s" for n in sizes))
        for title, part in (("start", "start"), ("/openapi.json", "openapi"))
    ]
    parts = [
        circumstances(found),
        table(head, rows),
        table(["gets of the last of 50, to 2", *figures.values()], loads),
        table(["", *(f"{n} entities" for n in sizes)], seconds),
    ]
    return {"routing": "\n\n".join(parts)}


def circumstances(found: dict[str, Any]) -> str:
    """Return the date, the machine and the rounds of a part, in one line."""
    about = found["machine"]
    tools = "".join(f", {n} {v}" for n, v in found.get("tools", {}).items() if v)
    python = about["versions"]["python"]
    return (
        f"{about['date']}: {about['cores']} cores ({about['processor']}), "
        f"python {python}{tools}; {found['rounds']} rounds."
    )


def machine(found: dict[str, Any]) -> str:
    about = found["machine"]
    versions = ", ".join(f"{n} {v}" for n, v in about["versions"].items())
    return (
        f"{about['date']}: {about['cores']} cores ({about['processor']}), "
        f"{about['memory_gib']} GiB, {about['system']}; {found['load']} with "
        f"{found['connections']} connections, {found['rounds']} rounds of "
        f"{found['seconds']} s, {found['rows']} rows; {versions}."
    )


def table(head: list[str], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle(values: list[float] | None) -> str:
    return f"{values[1]:.2f}" if values else ""


def spread(values: list[float]) -> str:
    least, middle, most = values
    return f"**{middle:.2f}** ({least:.2f} to {most:.2f})"


def plots() -> dict[str, str]:
    found = results.read("table")
    if found is None:
        return {}
    return {
        figure: bars(
            title,
            {
                work: {name: row[figure] for name, row in rows.items()}
                for work, rows in found["works"].items()
            },
        )
        for figure, title in PLOTS.items()
    }


if __name__ == "__main__":
    sys.exit(main())
