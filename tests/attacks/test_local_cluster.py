"""Who else has an account on this machine: the cluster of a build takes no code and no task from them."""

import socket
import ssl

import pytest
from distributed import Client
from distributed.security import Security

from reelproof.pipeline.cluster.local_or_remote import ClusterConfig, dashboard_of, open_cluster

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("bokeh")
    with open_cluster(ClusterConfig(workers=1, dashboard="127.0.0.1:0")) as client:
        yield client


def addresses(client: Client) -> list[str]:
    """Of the scheduler and of all workers."""
    return [client.scheduler.address, *client.scheduler_info()["workers"]]


def test_its_own_client_is_served(cluster):
    assert cluster.submit(sum, (1, 2)).result(timeout=30) == 3


@pytest.mark.parametrize("protocol", ["tcp://", "tls://"])
def test_a_stranger_cannot_submit(cluster, protocol):
    address = cluster.scheduler.address.replace("tls://", protocol)
    security = Security.temporary() if protocol == "tls://" else None
    with pytest.raises(OSError, match=r"Timed out|reset|closed|TLS"):
        Client(address, security=security, timeout=2)


def test_no_port_answers_without_a_certificate_of_this_run(cluster):
    """TLS 1.3 refuses only after the handshake: the first byte never comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for address in addresses(cluster):
        host, _, port = address.removeprefix("tls://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as plain:
            assert first_byte(context, plain) == b""


def first_byte(context: ssl.SSLContext, plain: socket.socket) -> bytes:
    try:
        with context.wrap_socket(plain) as wrapped:
            return wrapped.recv(1)
    except ssl.SSLError:
        return b""


def test_a_dashboard_that_is_shown_is_told(cluster):
    assert dashboard_of(cluster) == cluster.dashboard_link


def test_the_dashboard_streams_to_pages_of_this_machine_only(cluster):
    port = cluster.dashboard_link.split(":")[2].split("/")[0]

    def upgrade(origin: str) -> str:
        asked = (
            f"GET /status/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: YWFhYWFhYWFhYWFhYWFhYQ==\r\n"
            "Sec-WebSocket-Protocol: bokeh, none\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as dashboard:
            dashboard.sendall(asked.encode())
            return dashboard.recv(64).decode().split(" ")[1]

    assert upgrade("http://elsewhere.example") == "403"
    assert upgrade(f"http://127.0.0.1:{port}") != "403"
