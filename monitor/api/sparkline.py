"""A small chart of a metric's newest buckets: the value over its noise band, as inline SVG."""

from collections.abc import Sequence

from monitor.model.bucket import BucketColumns, Number

WIDTH, HEIGHT = 180, 40
_MARGIN = 2


def sparkline(buckets: Sequence[BucketColumns]) -> str:
    """SVG of the whole's value (a line) and its band (an area); empty below two values."""
    value = [columns.value[0] for columns in buckets]
    lower = [columns.lower[0] for columns in buckets]
    upper = [columns.upper[0] for columns in buckets]
    known = [v for v in (*value, *lower, *upper) if v is not None]
    if sum(v is not None for v in value) < 2:  # noqa: PLR2004
        return ""
    bottom, top = min(known), max(known)

    def points(series: Sequence[Number]) -> list[list[str]]:
        """Coordinates, one list for each stretch without a gap."""
        stretches: list[list[str]] = [[]]
        for i, v in enumerate(series):
            if v is None:
                stretches.append([])
                continue
            x = i * WIDTH / max(len(series) - 1, 1)
            y = (v - bottom) / (top - bottom) if top > bottom else 0.5
            stretches[-1].append(f"{x:.1f},{HEIGHT - _MARGIN - y * (HEIGHT - 2 * _MARGIN):.1f}")
        return [stretch for stretch in stretches if stretch]

    bands = zip(points(lower), points(upper), strict=False)
    areas = "".join(f'<polygon points="{" ".join(lo + up[::-1])}"/>' for lo, up in bands)
    lines = "".join(f'<polyline points="{" ".join(line)}"/>' for line in points(value))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="the last {len(buckets)} buckets">{areas}{lines}</svg>'
    )
