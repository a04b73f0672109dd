"""Every refusal that a client can see.

ApiError
├── BadRequest       400  InvalidValue, UnknownMarker, MalformedBody, FamiliesDiffer
├── Unauthorized     401
├── Forbidden        403  RoleMissing, OtherProject, MemberForbidden, QuotaExceeded
├── NotFound         404  PathNotFound, PoolNotFound, PoolExhausted, AddressNotFound,
│                         FloatingIPNotFound, FixedIPNotFound, ServerNotFound,
│                         HoldNotFound
├── NotAcceptable    406
├── Conflict         409  FixedIPOccupied, FixedIPTaken, FixedRangeExhausted,
│                         AddressExists, AddressHeld, AddressNotFree,
│                         AddressReserved, FloatingIPProtected,
│                         idempotency.RequestInFlight
├── PreconditionFailed 412
├── TooLarge         413
├── UnsupportedType  415
├── idempotency.KeyReused 422
├── pacing.TooManyRequests 429  ProjectIsBusy, AllocatesTooFast
└── Unavailable      503  admission.Overloaded, Busy, DatabaseUnavailable,
                         SchemaMissing

Messages are sentences for the client: the value that was wrong and the rule it broke,
never another project's data and no internals. How they look is said in app/faults.py.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

QUOTED_LENGTH = 64
"""Characters of a client's value that a message may quote."""


def quote(value: object) -> str:
    """Quote a scalar value of the client: printable, and 64 characters at most."""
    text = str(value)
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:QUOTED_LENGTH])
    return f"'{shown}{'…' if len(text) > QUOTED_LENGTH else ''}'"


class ApiError(Exception):
    """A refusal with a reason the client may read; never a bug of ours."""

    status: ClassVar[int]
    headers: Mapping[str, str] = {}


class BadRequest(ApiError):
    """The request says something that no state of the ledger could make right."""

    status = 400


class InvalidValue(BadRequest):
    """A member, parameter or header has a value that its rule forbids."""

    def __init__(self, member: str, rule: str, value: object) -> None:
        super().__init__(f"{member} {quote(value)}: {rule}.")


class UnknownMarker(InvalidValue):
    """A page cannot begin after something that the list does not have."""

    def __init__(self, marker: object) -> None:
        super().__init__("marker", "must be the id of a member of this list", marker)


class MalformedBody(BadRequest):
    """The body cannot be read as what its Content-Type says."""


class FamiliesDiffer(BadRequest):
    """An IPv4 address cannot stand for an IPv6 one, nor the other way round."""

    def __init__(self, ip: IPv4Address | IPv6Address, fixed_ip: object) -> None:
        super().__init__(
            f"fixed_ip {quote(fixed_ip)}: must be an IPv{ip.version} address, "
            f"as the floating IP {ip} is."
        )


class Unauthorized(ApiError):
    """Nothing in the request proves who is asking."""

    status = 401


class Forbidden(ApiError):
    """The caller is known, and may not do this."""

    status = 403


class RoleMissing(Forbidden):
    """The operation asks for a role that the caller lacks."""

    def __init__(self, role: str) -> None:
        super().__init__(f"This operation requires the role {role!r}.")


class OtherProject(Forbidden):
    """Only an admin may look at another project's quota."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"project_id {quote(project_id)}: is not your project.")


class MemberForbidden(Forbidden):
    """A member of the body that only an admin may send."""

    def __init__(self, member: str) -> None:
        super().__init__(f"{member}: only an admin may choose it.")


class QuotaExceeded(Forbidden):
    """The project holds as many floating IPs as it may."""

    def __init__(self, project_id: str, allowed: int) -> None:
        super().__init__(
            f"Project {quote(project_id)} may hold {allowed} floating IPs "
            "and has no more to allocate."
        )


class NotFound(ApiError):
    """There is no such thing, or none that this caller may know of."""

    status = 404


class PathNotFound(NotFound):
    """No resource of this API has that path."""

    def __init__(self) -> None:
        super().__init__("There is no resource at this path.")


class PoolNotFound(NotFound):
    """No pool has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"pool {quote(name)}: there is no such pool.")


class PoolExhausted(NotFound):
    """No address of the pool is free."""

    def __init__(self, name: str) -> None:
        super().__init__(f"pool {quote(name)}: no address is free.")


class AddressNotFound(NotFound):
    """The address is in no pool, or not in the one that is named."""

    def __init__(self, address: object) -> None:
        super().__init__(f"address {quote(address)}: is in no such pool.")


class FloatingIPNotFound(NotFound):
    """No floating IP of the project has that id."""

    def __init__(self, floating_ip_id: object) -> None:
        super().__init__(f"Floating IP {quote(floating_ip_id)} was not found.")


class FixedIPNotFound(NotFound):
    """No server of the project has that fixed IP."""

    def __init__(self, fixed_ip: object) -> None:
        super().__init__(f"fixed_ip {quote(fixed_ip)}: no server of yours has it.")


class ServerNotFound(NotFound):
    """No server of the project has that id."""

    def __init__(self, server_id: object) -> None:
        super().__init__(f"Server {quote(server_id)} was not found.")


class HoldNotFound(NotFound):
    """The address is not held back."""

    def __init__(self, address: object) -> None:
        super().__init__(f"There is no hold of the address {quote(address)}.")


class NotAcceptable(ApiError):
    """No media type that the client accepts can be sent."""

    status = 406


class Conflict(ApiError):
    """The request is right in itself, but not in the present state of the ledger."""

    status = 409


class FixedIPOccupied(Conflict):
    """Another floating IP stands for the fixed IP already."""

    def __init__(self, fixed_ip: object) -> None:
        super().__init__(f"fixed_ip {quote(fixed_ip)}: has another floating IP.")


class FixedIPTaken(Conflict):
    """A server of the project has the fixed IP already."""

    def __init__(self, fixed_ip: object) -> None:
        super().__init__(f"fixed_ips {quote(fixed_ip)}: a server has it already.")


class FixedRangeExhausted(Conflict):
    """The project's servers have all addresses of the fixed range."""

    def __init__(self, fixed_range: object) -> None:
        super().__init__(f"The fixed range {fixed_range} has no address left.")


class AddressExists(Conflict):
    """An address stands in a pool already."""

    def __init__(self, address: object) -> None:
        super().__init__(f"{address} is in a pool already.")


class AddressHeld(Conflict):
    """An address cannot leave its pool while a project holds it."""

    def __init__(self, address: object) -> None:
        super().__init__(f"{address} is held by a project.")


class AddressNotFree(Conflict):
    """The address asked for is taken, reserved, or resting for another project."""

    def __init__(self, address: object) -> None:
        super().__init__(f"address {quote(address)}: cannot be had at present.")


class AddressReserved(Conflict):
    """An admin holds the address back already."""

    def __init__(self, address: object) -> None:
        super().__init__(f"{address} is held back already.")


class FloatingIPProtected(Conflict):
    """The project protects the floating IP from being released."""

    def __init__(self, floating_ip_id: object) -> None:
        super().__init__(f"Floating IP {quote(floating_ip_id)} is protected.")


class PreconditionFailed(ApiError):
    """The floating IP is no longer as If-Match says; nothing was changed."""

    status = 412

    def __init__(self, revision: int) -> None:
        super().__init__(f"If-Match: the revision of the floating IP is {revision}.")


class TooLarge(ApiError):
    """The body is longer than any request of this API can be."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is longer than {limit} bytes.")


class UnsupportedType(ApiError):
    """The body's media type, charset or coding is none that can be read.

    `headers` carry what would do: Accept or Accept-Encoding (RFC 9110 section 15.5.16).
    """

    status = 415

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class Unavailable(ApiError):
    """The request may be sent again as it is."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "1"}


class Busy(Unavailable):
    """Other requests hold what this one needs, for longer than it may wait."""

    def __init__(self) -> None:
        super().__init__("Other requests hold what this one needs; try again.")


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or does not answer in time."""

    def __init__(self) -> None:
        super().__init__("The database cannot be reached at present; try again.")


class SchemaMissing(Unavailable):
    """The database answers, and has no tables yet."""

    def __init__(self) -> None:
        super().__init__("The database has no schema yet: `floating-ips migrate`.")
