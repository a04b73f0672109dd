"""Tables to read, and figures to keep with where they were measured."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "asyncpg")


def draw(columns: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """Draw a Markdown table that can be read as it is; the first columns are words."""
    cells = [columns, *lines]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    drawn = [_line(line, widths, words) for line in cells]
    rule = [
        "-" * width if n < words else "-" * (width - 1) + ":"
        for n, width in enumerate(widths)
    ]
    return "\n".join([drawn[0], f"| {' | '.join(rule)} |", *drawn[1:]])


def _line(cells: Sequence[str], widths: Sequence[int], words: int) -> str:
    padded = [
        cell.ljust(width) if n < words else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def shown(value: float | None, form: str = "{:,.0f}") -> str:
    """Write a number; nothing for what is not known."""
    return "" if value is None else form.format(value)


def share(value: float | None) -> str:
    """Write a share in percent."""
    return shown(value, "{:.0%}")


def ratio(value: float | None) -> str:
    """Write a ratio with two decimals."""
    return shown(value, "{:.2f}")


def surroundings(postgres: str, program: str) -> dict[str, object]:
    """Tell where, with what and by which command the run is made."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} x {_processor()}, {platform.system()}",
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "postgres": f"{postgres}, fsync on",
        **{name: version(name) for name in PACKAGES},
        "command": f"python -m {program} {' '.join(sys.argv[1:])}".strip(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(named, platform.machine())


def tell(surrounding: Mapping[str, object]) -> None:
    """Print them, one a line."""
    for name, value in surrounding.items():
        print(f"{name}: {value}", flush=True)


def write(
    file: Path,
    surrounding: Mapping[str, object],
    rows: Sequence["DataclassInstance"],
    windows: Sequence["DataclassInstance"],
) -> None:
    """Keep the figures, and every window that they were made of."""
    document = {
        **surrounding,
        "rows": [asdict(row) for row in rows],
        "windows": [asdict(window) for window in windows],
    }
    file.write_bytes(to_json(document, indent=2, inf_nan_mode="null") + b"\n")
