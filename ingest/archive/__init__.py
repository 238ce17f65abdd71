"""What leaves the store and comes back: readings in open formats, and whole copies of the store."""
