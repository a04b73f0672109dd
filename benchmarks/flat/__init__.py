"""Whether a pair of allocate and release costs the same on every kind of pool."""
