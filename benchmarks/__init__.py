"""What the service costs beside what it could cost at least; see README.md."""
