"""Which type and status a refusal has in the network face: one table.

Source: CONTRACT 3; neutron_lib/exceptions and api/faults.py of neutron-lib.
"""

from app import errors
from app.errors import ApiError
from app.faces.network.extensions import ExtensionNotFound
from app.ledger import networks, ports, tagging
from app.ledger.idempotency import KeyReused, RequestInFlight
from app.pacing import TooManyRequests
from app.wire.network import refusal_body

FAULTS: dict[type[ApiError], tuple[int, str]] = {
    errors.InvalidValue: (400, "InvalidInput"),
    errors.AddressNotFound: (400, "InvalidIpForNetwork"),
    errors.BadRequest: (400, "BadRequest"),
    errors.Unauthorized: (401, "HTTPUnauthorized"),
    errors.QuotaExceeded: (409, "OverQuota"),
    errors.Forbidden: (403, "PolicyNotAuthorized"),
    errors.PathNotFound: (404, "HTTPNotFound"),
    errors.FloatingIPNotFound: (404, "FloatingIPNotFound"),
    errors.PoolNotFound: (404, "NetworkNotFound"),
    errors.PoolExhausted: (409, "IpAddressGenerationFailure"),
    networks.NetworkNotFound: (404, "NetworkNotFound"),
    networks.SubnetNotFound: (404, "SubnetNotFound"),
    ports.PortNotFound: (404, "PortNotFound"),
    errors.FixedIPNotFound: (404, "PortNotFound"),
    tagging.TagNotFound: (404, "TagNotFound"),
    ExtensionNotFound: (404, "ExtensionNotFound"),
    errors.NotFound: (404, "NotFound"),
    errors.FixedIPOccupied: (409, "FloatingIPPortAlreadyAssociated"),
    errors.AddressNotFree: (409, "IpAddressInUse"),
    errors.FloatingIPProtected: (409, "InUse"),
    RequestInFlight: (409, "Conflict"),
    errors.Conflict: (409, "Conflict"),
    errors.PreconditionFailed: (412, "RevisionNumberConstraintFailed"),
    errors.TooLarge: (413, "HTTPRequestEntityTooLarge"),
    errors.UnsupportedType: (415, "HTTPUnsupportedMediaType"),
    KeyReused: (422, "Invalid"),
    TooManyRequests: (429, "HTTPTooManyRequests"),
    errors.Unavailable: (503, "ServiceUnavailable"),
}
"""A class that is not here has what the nearest of its ancestors has."""


def fault(error: ApiError) -> tuple[int, dict[str, dict[str, object]]]:
    """Return the status and the body of a refusal."""
    for kind in type(error).__mro__:
        if kind in FAULTS:
            status, name = FAULTS[kind]
            return status, refusal_body(status, str(error), name)
    return error.status, refusal_body(error.status, str(error))
