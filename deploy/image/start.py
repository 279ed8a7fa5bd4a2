"""How long the program takes from its start until it is ready, in milliseconds.

    start.py PROGRAM TIMES ADMIN_PORT

Starts it as often as that, with the environment as it is, asks until it is ready, and ends it. Prints the
least and the median.
"""

import http.client
import statistics
import subprocess
import sys
import time


def ready(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def measure(program, port):
    began = time.monotonic()
    process = subprocess.Popen([program, "serve"], stderr=subprocess.DEVNULL)
    try:
        while not ready(port):
            assert time.monotonic() - began < 10, "not ready within 10 s"
            time.sleep(0.001)
        return (time.monotonic() - began) * 1000
    finally:
        process.terminate()
        process.wait()


times = sorted(measure(sys.argv[1], int(sys.argv[3])) for _ in range(int(sys.argv[2])))
print(round(times[0]), round(statistics.median(times)))
