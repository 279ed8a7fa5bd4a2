"""Stands where a replica stands, and writes down each head as it comes: for the script beside this one.

Usage: gateways.py ADDRESS PORT FILE. Whoever asks is answered with 200 and "{}"; for /broken the connection
ends without an answer, and for /late none comes. Each head is a line of the file, in JSON: its request line,
and its fields as a list of names and values.
"""

import contextlib
import json
import socket
import sys
import threading
import time


def heads(connection):
    """The heads that come on a connection, each with what followed it taken away."""
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                return
            received += more
        head, received = received.split(b"\r\n\r\n", 1)
        line, *fields = head.decode("latin-1").split("\r\n")
        fields = [field.split(": ", 1) for field in fields]
        length = sum(int(value) for name, value in fields if name.lower() == "content-length")
        while len(received) < length:
            received += connection.recv(65536)
        received = received[length:]
        yield {"line": line, "fields": [[name.lower(), value] for name, value in fields]}


def serve(connection, file):
    # Who asks may leave at any time.
    with connection, contextlib.suppress(OSError):
        for head in heads(connection):
            file.write(json.dumps(head) + "\n")
            if " /broken " in head["line"]:
                return
            if " /late " in head["line"]:
                time.sleep(60)
                return
            body = b"" if head["line"].startswith("HEAD ") else b"{}"
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
            if any(name == "transfer-encoding" for name, _ in head["fields"]):
                # What follows is nothing that we could read.
                return


def main():
    address, port, path = sys.argv[1:]
    with socket.create_server((address, int(port))) as door, open(path, "w", buffering=1) as file:
        while True:
            connection, _ = door.accept()
            threading.Thread(target=serve, args=(connection, file), daemon=True).start()


main()
