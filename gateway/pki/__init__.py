"""The town's own certificate authority and what it signs. It knows no broker and no node."""
