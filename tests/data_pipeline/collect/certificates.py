"""Authorities and certificates for the tests of TLS, made when they are needed, so that none expires in the tree."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Authority:
    """Signs certificates. `file`: its own, as `tls.ca` wants it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path

    @classmethod
    def made(cls, folder: Path, name: str = "Authority of the tests") -> "Authority":
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, name, key, NOW - timedelta(days=1), NOW + timedelta(days=30))
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
        file = folder / "authority.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(key, certificate, file)

    def signs(
        self,
        folder: Path,
        *names: str,
        days: tuple[float, float] = (-1, 30),
        password: bytes = b"",
    ) -> Path:
        """A folder with `localhost.pem` and `localhost.key`, for these host names and addresses; valid in `days`."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        begin, end = (NOW + timedelta(days=day) for day in days)
        builder = _builder(names[0], "Authority of the tests", key, begin, end)
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        builder = builder.issuer_name(self.certificate.subject)
        certificate = builder.sign(self.key, hashes.SHA256())
        (folder / "localhost.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        (folder / "localhost.key").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return folder


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(_distinguished(subject)).serial_number(x509.random_serial_number())
    if subject == issuer:
        builder = builder.issuer_name(_distinguished(issuer))
    return builder.public_key(key.public_key()).not_valid_before(begin).not_valid_after(end)


def _distinguished(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
