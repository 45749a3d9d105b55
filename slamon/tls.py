"""The TLS side of what Prometheus calls `tls_config`, for everything that is asked over HTTP."""

import ssl

from slamon.settings import TlsConfig


def context_of(config: TlsConfig) -> ssl.SSLContext:
    """Raises OSError (ssl.SSLError is one) when a file cannot be read or used."""
    context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
