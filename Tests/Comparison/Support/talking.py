"""HTTP as the comparison needs it: one connection a server for plain requests, one of its own for each stream."""

import http.client
import json
import socket
import threading
import time

from cluster import socket_address

# No answer after this long is an answer too: "none".
SECONDS = 3


class Plain:
    """Requests one after the other on one connection, which is made anew when it breaks."""

    def __init__(self, address):
        self.address = address
        self.connection = None

    def ask(self, method, path, body, headers):
        """(status, content type, text); a status of 0 if there is no answer."""
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                if fresh:
                    self.connection = http.client.HTTPConnection(*socket_address(self.address), timeout=SECONDS)
                self.connection.request(method, path, body, headers)
                response = self.connection.getresponse()
                text = response.read().decode("utf-8", "replace")
                if response.will_close:
                    self.close()
                return response.status, response.headers.get("Content-Type", ""), text
            except TimeoutError:
                self.close()
                return 0, "", "no answer in time"
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # A kept connection may have been closed meanwhile: that is no answer to this request.
                if fresh or attempt == 2:
                    return 0, "", f"the connection broke: {type(error).__name__}"

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Stream:
    """A request whose answer has no end. A thread reads it; `lines` grows."""

    def __init__(self, address, path, body):
        self.status, self.content_type, self.lines, self.ended = 0, "", [], False
        self.last = time.monotonic()
        self.sock = socket.create_connection(socket_address(address), timeout=SECONDS)
        self.sock.sendall(f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        self.sock.settimeout(60)
        try:
            with self.sock.makefile("rb") as file:
                self.status = int(file.readline().split()[1])
                headers = {}
                while (line := file.readline().strip()):
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                self.content_type = headers.get("content-type", "")
                if "content-length" in headers:
                    self.add(file.read(int(headers["content-length"])))
                text = b""
                while headers.get("transfer-encoding") == "chunked":
                    size = int(file.readline(), 16)
                    chunk = file.read(size + 2)[:size]
                    *whole, text = (text + chunk).split(b"\n")
                    for line in whole:
                        self.add(line)
                    if size == 0:
                        break
        except (OSError, ValueError, IndexError):
            pass
        self.ended = True

    def add(self, line):
        if line.strip():
            self.lines.append(line.decode("utf-8", "replace"))
            self.last = time.monotonic()

    def close(self):
        # Wakes the reading thread as well, which `close` alone does not.
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.sock.close()


def parsed(text):
    """The JSON of a text, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
