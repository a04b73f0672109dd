"""Pools of public addresses.

named      found by callers
states     how many addresses are free, held, resting or reserved; the quarantine
filling    addresses added and taken out by admins
listing    all addresses, page by page
"""

from app.ledger.pools.filling import MOST, Progress, add, count_added, limit, remove
from app.ledger.pools.filling import take_out as take_out
from app.ledger.pools.listing import PoolAddress, behind, page
from app.ledger.pools.named import find, find_or_create, names
from app.ledger.pools.states import PoolState, add_up, set_quarantine, show, states

__all__ = [
    "MOST",
    "PoolAddress",
    "PoolState",
    "Progress",
    "add",
    "add_up",
    "behind",
    "count_added",
    "find",
    "find_or_create",
    "limit",
    "names",
    "page",
    "remove",
    "set_quarantine",
    "show",
    "states",
    "take_out",
]
