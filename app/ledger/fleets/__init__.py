"""Fleets: the floating IPs of all projects, in and out as one CSV file.

form       the file: a line for each floating IP, read and written
faults     what in a file keeps it from being taken in
incoming   taking a fleet in, all of it or nothing
outgoing   giving out what the ledger holds
"""

from app.ledger.fleets.faults import FleetRefused
from app.ledger.fleets.form import CONTENT_LIMIT
from app.ledger.fleets.incoming import TakenIn, Terms, take_in
from app.ledger.fleets.outgoing import export

__all__ = ["CONTENT_LIMIT", "FleetRefused", "TakenIn", "Terms", "export", "take_in"]
