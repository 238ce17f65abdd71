"""The compose stack: what `preau init --docker` writes into a folder. It starts nothing."""
