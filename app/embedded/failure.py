"""What an operator is told when there can be no Postgres of our own."""

from collections.abc import Iterator
from contextlib import contextmanager


class EmbeddedPostgresError(Exception):
    """Why Postgres does not start, in a sentence for the operator."""


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Turn the system's refusal into a sentence that begins with what failed."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(f"{what}: {error.strerror or error}.") from error
