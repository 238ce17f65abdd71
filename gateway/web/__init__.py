"""The web of the gateway: pages for people, an API for programs. It reads, and changes nothing."""
