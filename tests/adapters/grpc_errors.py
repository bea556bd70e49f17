"""What an error of one of Google's gRPC services means, whichever it is."""

import grpc

from bot.errors import KaiwaError, Misconfigured, Unavailable

MEANINGS: list[tuple[grpc.StatusCode, type[KaiwaError]]] = [
    (grpc.StatusCode.NOT_FOUND, Misconfigured),
    (grpc.StatusCode.PERMISSION_DENIED, Misconfigured),
    (grpc.StatusCode.FAILED_PRECONDITION, Misconfigured),
    (grpc.StatusCode.UNAUTHENTICATED, Misconfigured),
    (grpc.StatusCode.INVALID_ARGUMENT, Misconfigured),
    (grpc.StatusCode.UNAVAILABLE, Unavailable),
    (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable),
    (grpc.StatusCode.INTERNAL, Unavailable),
    (grpc.StatusCode.UNKNOWN, Unavailable),
]
