"""Imports go one way: ground ← ledger ← faces, ground ← wire ← main."""

import ast
from pathlib import Path

GROUND = {
    "settings",
    "errors",
    "faults",
    "database",
    "auth",
    "combining",
    "metrics",
    "migrations",
    "observability",
    "pacing",
    "primary",
}
MAY_IMPORT = {
    "ground": {"ground"},
    "ledger": {"ground", "ledger"},
    "wire": {"ground", "wire"},
    "faces": {"ground", "ledger", "wire", "faces"},
}


def layer(module: str) -> str:
    name = module.removeprefix("app").lstrip(".").partition(".")[0]
    if name in GROUND:
        return "ground"
    return name if name in MAY_IMPORT else "process"


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "app":
            found |= {f"app.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def modules() -> list[tuple[str, Path]]:
    return [
        (".".join(path.with_suffix("").parts), path)
        for path in sorted(Path("app").rglob("*.py"))
    ]


def test_no_module_imports_against_the_order() -> None:
    for module, path in modules():
        allowed = MAY_IMPORT.get(layer(module))
        for used in imported(path):
            if allowed and used.startswith("app."):
                assert layer(used) in allowed, f"{module} imports {used}"


def test_the_ledger_knows_no_http_and_the_faces_no_sql() -> None:
    for module, path in modules():
        used = {name.partition(".")[0] for name in imported(path)}
        if layer(module) == "ledger":
            assert not used & {"fastapi", "starlette", "uvicorn"}, module
        if layer(module) == "faces" and module != "app.faces.health":
            assert not used & {"asyncpg", "databases", "sqlalchemy"}, module


def test_every_module_is_read_in_one_sitting() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules()}

    assert {name: n for name, n in lengths.items() if n > 320} == {}
