"""The version of SenML that contract v1 speaks."""

from typing import Final

VERSION: Final = 26
"""`bver`: RFC 8428's 10 and the feature "secondary units" (RFC 9100)."""
