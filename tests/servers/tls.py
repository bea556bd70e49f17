"""A gRPC service on a loopback port behind TLS, which notes who asks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

from tests.servers.rpc import RpcServer, service


class TlsServer(RpcServer):
    """`s.Read` answers "value". `certificate`: the file with its own, for `localhost`; `authorizations` it was told."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "localhost.pem"
        self.authorizations: list[str] = []

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        return [service("s", Read=(AccessSecretVersionRequest, AccessSecretVersionResponse, self._read))]

    def listen(self, server: grpc.aio.Server) -> str:
        key, certificate = _certificate()
        self.certificate.write_bytes(certificate)
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        return f"localhost:{server.add_secure_port('localhost:0', credentials)}"

    async def _read(
        self, request: AccessSecretVersionRequest, context: grpc.aio.ServicerContext
    ) -> AccessSecretVersionResponse:
        told = dict(context.invocation_metadata() or ())
        self.authorizations.append(str(told.get("authorization")))
        return AccessSecretVersionResponse(name=request.name, payload={"data": b"value"})


def _certificate() -> tuple[bytes, bytes]:
    """A key, and a certificate that it has signed for itself, in PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = built.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, signed.public_bytes(serialization.Encoding.PEM)
