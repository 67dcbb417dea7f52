"""A reverse proxy for tests: it passes every connection on, WebSockets included."""

import contextlib
import socket
import socketserver
import threading

BYTES = 65536


class Forward(socketserver.BaseRequestHandler):
    """Pass the bytes of a connection to the server, and its bytes back."""

    def handle(self):
        with socket.create_connection(("localhost", self.server.to)) as upstream:
            back = threading.Thread(target=copy, args=(upstream, self.request), daemon=True)
            back.start()
            copy(self.request, upstream)
            back.join()


def copy(source, sink):
    """Copy bytes until the source ends."""
    with contextlib.suppress(OSError):
        while part := source.recv(BYTES):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarding(port):
    """A proxy in front of a port of this machine; its own port."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, to = True, False, port

    with Server(("localhost", 0), Forward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
