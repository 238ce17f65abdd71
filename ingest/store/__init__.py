"""The local store: SQLite as journal of every deployment and as its embedded database.

One writer holds the lock of the data folder (`StoreWriter`); everybody else reads (`StoreReader`).
"""
