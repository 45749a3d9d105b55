"""Curves over a common axis, one below the other, as an SVG picture."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 900, 180, 60


class Curve(NamedTuple):
    """`points`: in the order of their first coordinate; the second begins at 0."""

    name: str
    points: Sequence[tuple[float, float]]


def drawn(curves: Sequence[Curve], axis: str) -> str:
    """All curves share the axis, which is named below the last one."""
    height = len(curves) * (HEIGHT + MARGIN) + MARGIN
    parts = [
        part
        for number, curve in enumerate(curves)
        for part in _one(curve, MARGIN + number * (HEIGHT + MARGIN))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 2 * MARGIN} {height}" font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH + 2 * MARGIN}" height="{height}" fill="white"/>',
            *parts,
            f'<text x="{MARGIN + WIDTH}" y="{height - MARGIN / 3:.0f}" text-anchor="end">{escape(axis)}</text>',
            "</svg>",
            "",
        ]
    )


def _one(curve: Curve, top: float) -> Iterator[str]:
    longest = max((x for x, _ in curve.points), default=1) or 1
    highest = max((y for _, y in curve.points), default=1) or 1
    bottom = top + HEIGHT
    points = " ".join(
        f"{MARGIN + x / longest * WIDTH:.1f},{bottom - y / highest * HEIGHT:.1f}" for x, y in curve.points
    )
    yield f'<text x="{MARGIN}" y="{top - 8:.0f}">{escape(curve.name)}</text>'
    yield f'<path d="M{MARGIN},{top:.0f} V{bottom:.0f} H{MARGIN + WIDTH}" fill="none" stroke="#999"/>'
    yield f'<polyline points="{points}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>'
    for y, value in ((top + 5, highest), (bottom, 0)):
        yield f'<text x="{MARGIN - 6}" y="{y:.0f}" text-anchor="end">{value:,.4g}</text>'
    yield f'<text x="{MARGIN + WIDTH}" y="{bottom + 16:.0f}" text-anchor="end">{longest:,.4g}</text>'
