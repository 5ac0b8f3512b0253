"""Looks ten times a second at what two PostgreSQL servers and their Patronis say, and prints each look as a line of JSON.

Runs until it is ended. Its arguments are, for each of them, the port of Patroni and that of PostgreSQL. It runs where psycopg is
installed.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request

import psycopg

PERIOD = 0.1


class Watched:
    """One pair. `look` takes at most about a second, however its servers hang."""

    def __init__(self, patroni, postgresql):
        self.patroni, self.postgresql, self.connection = patroni, postgresql, None
        self.said = {}

    def is_primary(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.patroni}/primary", timeout=1) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def writes(self):
        """Whether PostgreSQL takes writes; None if it does not answer."""
        try:
            if self.connection is None:
                self.connection = psycopg.connect(
                    host="127.0.0.1", port=self.postgresql, user="postgres", password="secret", dbname="postgres", connect_timeout=2,
                    autocommit=True)
            return not self.connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]
        except psycopg.Error:
            self.connection = None
            return None

    def look(self):
        """Asks both again and again; beside each answer stands when it was asked for."""
        while True:
            began = time.monotonic()
            self.said["writes"], self.said["writes at"] = self.writes(), began
            asked = time.monotonic()
            self.said["primary"], self.said["primary at"] = self.is_primary(), asked
            time.sleep(max(0.0, PERIOD - (time.monotonic() - began)))


pairs = [Watched(*arguments) for arguments in zip(sys.argv[1::2], sys.argv[2::2])]
for pair in pairs:
    threading.Thread(target=pair.look, daemon=True).start()
while True:
    time.sleep(PERIOD)
    print(json.dumps({"at": time.monotonic(), "said": [pair.said for pair in pairs]}), flush=True)
