"""The journal: records of what was decided, and the SQLite file that keeps them."""
