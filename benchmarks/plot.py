"""Draws bar charts as SVG, without a library."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, BAR, GAP, LEFT, TOP = 760, 15, 14, 190, 34
COLOURS = (
    "#9aa0a6",
    "#7f8c9b",
    "#b0a090",
    "#c3a6a0",
    "#1a73e8",
    "#5b95f5",
    "#8ab4f8",
    "#b3cdf9",
    "#34a0a4",
    "#d0b25a",
    "#d98f5a",
    "#c0675f",
    "#8f6bb3",
)

Spread = Sequence[float]  # smallest, middle, largest


def bars(title: str, groups: Mapping[str, Mapping[str, Spread]]) -> str:
    """Draw a group of bars for each key; a thin line shows the smallest and largest value."""
    most = max(values[1] for group in groups.values() for values in group.values())
    scale = (WIDTH - LEFT - 90) / most
    parts, y = [_text(10, 20, title, "bold")], TOP
    for name, group in groups.items():
        for number, (label, values) in enumerate(group.items()):
            colour = COLOURS[number % len(COLOURS)]
            parts += _bar(y, f"{name}: {label}", values, scale, colour)
            y += BAR
        y += GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="11" '
        f'role="img">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _bar(y: int, label: str, values: Spread, scale: float, colour: str) -> list[str]:
    least, middle, most = (value * scale for value in values)
    most = min(most, WIDTH - LEFT - 60)
    centre = y + BAR / 2 - 1
    return [
        _text(LEFT - 6, y + 11, label, anchor="end"),
        f'<rect x="{LEFT}" y="{y}" width="{middle:.1f}" height="{BAR - 3}" '
        f'fill="{colour}"/>',
        f'<line x1="{LEFT + least:.1f}" x2="{LEFT + most:.1f}" y1="{centre}" '
        f'y2="{centre}" stroke="#333"/>',
        _text(LEFT + max(middle, most) + 5, y + 11, f"{values[1]:.2f}"),
    ]


def _text(
    x: float, y: float, text: str, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
