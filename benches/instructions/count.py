"""Counts instructions by callgrind, and compares them with what is known. See run."""

import hashlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

TOLERANCE = 0.05
TIMES = 1000
HITS = 1000
WARM = 200
# Nobody takes longer, under callgrind and with little of the processor, to start or to answer.
PATIENCE_S = 600

KEY = "k" * 43
MEETING = "mtfDesignReview-0000000000000004"
SETTINGS = f"""
[server]
listen = "127.0.0.1:8977"
request_timeout = "2m"
[admin]
listen = "127.0.0.1:9977"
[log]
format = "json"
[access]
callers = [{{ name = "calendar", key_sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}" }}]
[wecom]
base_url = "http://127.0.0.1:9978"
timeout = "1m"
[cache]
# One answer for all the time that it takes.
min_refresh_interval = "1h"
fresh_for.in_progress = "1h"
"""


def counted(file):
    """The instructions in a file of callgrind's."""
    text = file.read_text()
    return int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE).group(1))


def of_subject(micro, name, folder):
    file = folder / name
    callgrind = ["valgrind", "--tool=callgrind", "--toggle-collect=micro::counted", f"--callgrind-out-file={file}"]
    subprocess.run([*callgrind, micro, "--count", name, str(TIMES)], check=True, stderr=subprocess.DEVNULL)
    return counted(file) / TIMES


def simulated(simulator):
    process = subprocess.Popen([simulator, "--listen", "127.0.0.1:9978"], stdout=subprocess.PIPE, text=True)
    known = {}
    while "secret" not in known:
        line = process.stdout.readline()
        assert line, "the simulator has ended"
        for word in ("corp id", "secret"):
            if line.startswith(word):
                known[word] = line.removeprefix(word).strip()
    return process, known


def connected():
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", 8977), timeout=PATIENCE_S)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


class Caller:
    REQUEST = f"GET /meetings/{MEETING} HTTP/1.1\r\nHost: 127.0.0.1:8977\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()

    def __init__(self, connection):
        self.connection = connection
        self.left = b""

    def hear(self):
        news = self.connection.recv(65536)
        assert news, "the service has closed the connection"
        return news

    def ask(self):
        self.connection.sendall(self.REQUEST)
        while b"\r\n\r\n" not in self.left:
            self.left += self.hear()
        head, body = self.left.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += self.hear()
        self.left = body[length:]
        return head.decode()

    def hit(self):
        head = self.ask()
        assert head.startswith("HTTP/1.1 200 ") and "; hit;" in head, head


def of_hit(service, simulator, folder):
    """From the socket to the socket: one caller, one meeting, everything on."""
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    wecom, known = simulated(simulator)
    environment = os.environ | {"WECOM_CORP_ID": known["corp id"], "WECOM_SECRET": known["secret"], "TOKIO_WORKER_THREADS": "1"}
    file = folder / "hit"
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}"]
    log = folder / "log"
    command = [*callgrind, service, "--config", settings]
    process = subprocess.Popen(command, env=environment, stderr=log.open("w"))
    tell = lambda what: subprocess.run(["callgrind_control", what, str(process.pid)], check=True, capture_output=True)
    try:
        caller = Caller(connected())
        until = time.monotonic() + PATIENCE_S
        while not caller.ask().startswith("HTTP/1.1 200 "):
            assert time.monotonic() < until, "no meeting"
        for _ in range(WARM):
            caller.hit()
        tell("--zero")
        for _ in range(HITS):
            caller.hit()
        tell("--dump")
        return counted(file.with_name("hit.1")) / HITS
    except Exception:
        print(log.read_text()[-2000:], file=sys.stderr)
        raise
    finally:
        for started in (process, wecom):
            started.kill()
            started.wait()


def main(service, simulator, micro, known, *options):
    known = pathlib.Path(known)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        names = subprocess.run([micro, "--names"], check=True, capture_output=True, text=True).stdout.split()
        counts = {name: of_subject(micro, name, folder) for name in names}
        counts["hit"] = of_hit(service, simulator, folder)
    if options == ("--renew",):
        known.write_text("".join(f"{name} {round(count)}\n" for name, count in counts.items()))
    before = {name: int(count) for name, count in (line.split() for line in known.read_text().splitlines())}
    assert before.keys() == counts.keys(), "other things are known: --renew"
    strayed = False
    for name, count in counts.items():
        change = count / before[name] - 1
        strays = abs(change) > TOLERANCE
        strayed |= strays
        print(f"{name:20} {count:10.0f} {change:+7.1%}{'   more than 5 %' if strays else ''}")
    if strayed:
        sys.exit("If that is meant, renew benches/instructions/counts: benches/instructions/run --renew")


main(*sys.argv[1:])
