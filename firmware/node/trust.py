"""What a TLS connection trusts: the town's own authorities and no other."""

import ssl


def tls_context(paths):
    """An SSLContext that trusts the certificates (DER) in these files. Raises OSError, and
    ValueError for what is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
    for path in paths:
        with open(path, "rb") as file:
            context.load_verify_locations(cadata=file.read())
    return context
