"""A certificate for this machine that nobody vouches for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def self_signed(folder: Path) -> tuple[str, str]:
    """(certificate, its key), as paths of PEM files, for 127.0.0.1 and localhost; skips where openssl is not here."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    ask = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    try:
        made = [*ask, "-subj", "/CN=127.0.0.1", "-addext", names, "-keyout", key, "-out", cert]
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is not here to make a certificate")
    return cert, key
