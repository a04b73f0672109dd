"""The text of an address and of a range of addresses, as clients may write it."""

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address

ADDRESS_RULE = "must be one IPv4 or IPv6 address, without prefix, scope or IPv4 mapping"
RANGE_RULE = (
    "must be one address, or a network such as 203.0.113.0/24 "
    "of at least 4 addresses and without host bits"
)


def parse_address(text: object) -> Address:
    """Read one address.

    Raises ValueError, with the rule as its message.
    """
    if not isinstance(text, str):
        raise ValueError(ADDRESS_RULE)  # pydantic reads ValueError only
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(ADDRESS_RULE) from None
    if isinstance(address, IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise ValueError(ADDRESS_RULE)
    return address


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses in a row that a pool can have: a network's hosts, or a single one."""

    text: str
    first: Address
    count: int

    @property
    def last(self) -> Address:
        """The highest address of the range."""
        return self.first + (self.count - 1)


def parse_range(text: object) -> AddressRange:
    """Read a single address, or a network whose hosts are meant.

    Of an IPv4 network the hosts are all addresses but the first (network) and the last
    (broadcast); of an IPv6 network all but the first (Subnet-Router anycast, RFC 4291
    section 2.6.1).

    Raises ValueError, with the rule as its message.
    Source: CONTRACT 1.5, the range rules of os-floating-ips-bulk.
    """
    try:
        if isinstance(text, str) and "/" in text:
            return _hosts(ip_network(text), text)
        single = parse_address(text)
    except ValueError:
        raise ValueError(RANGE_RULE) from None
    return AddressRange(str(single), single, 1)


def _hosts(network: IPv4Network | IPv6Network, text: str) -> AddressRange:
    first = network.network_address
    mapped = isinstance(first, IPv6Address) and (first.ipv4_mapped or first.scope_id)
    length = text.partition("/")[2]
    if network.num_addresses < 4 or mapped or not length.isdecimal():
        raise ValueError(RANGE_RULE)
    edges = 2 if network.version == 4 else 1
    return AddressRange(str(network), first + 1, network.num_addresses - edges)
