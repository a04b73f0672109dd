"""The tables in `docs/` that the code can tell: settings, operations, refusals.

python -m tests.tables        writes them between their markers
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import app.main  # noqa: F401  # Brings every refusal with it.
from app import errors, faults
from app.errors import ApiError
from app.faces.network.faults import FAULTS
from app.settings import Settings

DOCS = Path("docs")
METHODS = ("get", "post", "put", "delete")


def settings() -> str:
    """Every setting with its default, its bounds and what it says."""
    lines = ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"FLOATING_IPS_{name.upper()}"
        default = "" if field.default is None else f"`{_as_set(field.default)}`"
        bounds = [
            f"{word} {getattr(limit, kind)}"
            for limit in field.metadata
            for kind, word in (("ge", "from"), ("le", "to"))
            if hasattr(limit, kind)
        ]
        within = f" ({' '.join(bounds)})" if bounds else ""
        lines.append(f"| `{variable}` | {default} | {field.description}{within} |")
    return "\n".join(lines)


def _as_set(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_as_set, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def operations() -> str:
    """Every operation with its success and its refusals."""
    document = json.loads(Path("openapi/openapi.json").read_text())
    lines = ["| operation | | success | refusals |", "|---|---|---|---|"]
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                lines.append(_operation(method, path, item[method]))
    return "\n".join(lines)


def _operation(method: str, path: str, operation: dict[str, dict[str, str]]) -> str:
    statuses = [status for status in operation["responses"] if status.isdigit()]
    success = [status for status in statuses if status < "400"]
    refused = [status for status in statuses if status >= "400"]
    first_line = str(operation["description"]).split("\n", 1)[0]
    return (
        f"| `{method.upper()} {path}` | {first_line} | {' '.join(success)} | "
        f"{' '.join(refused)} |"
    )


def refusals() -> str:
    """Every refusal by its status and fault, with what is the case."""
    rows = [
        f"| {error.status} | `{faults.fault_name(error.status)}` | "
        f"{str(error.__doc__).split(chr(10), 1)[0]} |"
        for error in sorted(_leaves(ApiError), key=lambda error: error.status)
    ]
    return "\n".join(["| status | fault | what is the case |", "|---|---|---|", *rows])


def _leaves(error: type[ApiError]) -> Iterator[type[ApiError]]:
    subclasses = [s for s in error.__subclasses__() if s.__module__.startswith("app.")]
    if not subclasses or error is errors.InvalidValue:
        yield error
    for subclass in subclasses:
        yield from _leaves(subclass)


def neutron() -> str:
    """Every refusal that the network face knows by a name of Neutron's."""
    rows = [
        f"| {status} | `{name}` | {str(error.__doc__).split(chr(10), 1)[0]} |"
        for error, (status, name) in sorted(
            FAULTS.items(), key=lambda item: (item[1], item[0].__name__)
        )
    ]
    return "\n".join(["| status | type | what is the case |", "|---|---|---|", *rows])


TABLES = {
    "settings": settings,
    "operations": operations,
    "refusals": refusals,
    "neutron": neutron,
}
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """Fill in the tables between their markers."""
    return MARKED.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}\n{m[3]}", text)


def main() -> None:
    """Write the tables of all documents anew."""
    for path in DOCS.glob("*.md"):
        path.write_text(with_tables(path.read_text()))


if __name__ == "__main__":
    main()
