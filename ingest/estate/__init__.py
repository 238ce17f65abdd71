"""Sites, buildings, rooms and nodes: the estate's TOML files, their loader and their model."""
