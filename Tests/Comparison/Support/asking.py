"""A request as it is drawn: the same for all servers, but for the leases whose identities they chose themselves."""

import json

from cluster import encoded


class Chosen:
    """A lease whose identity each server chose itself: the number of the lease among those. Each server gets its own."""

    def __init__(self, index, prefix=None):
        self.index, self.prefix = index, prefix

    def value(self, identities):
        identity = int(identities[self.index])
        return str(identity) if self.prefix is None else encoded(f"{self.prefix}/{identity & 0xffffffffffffffff:x}")


def post(path, tag="", headers=None, **fields):
    return Request(f"/v3/{path}", fields, tag, headers=headers)


class Request:
    """One request: its body is a structure of JSON, perhaps with `Chosen` in it, or bytes. `tag` names what is odd about it."""

    def __init__(self, path, body, tag="", method="POST", headers=None):
        self.path, self.body, self.tag, self.method, self.headers = path, body, tag, method, headers or {}

    def bytes(self, identities):
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, default=lambda chosen: chosen.value(identities)).encode()

    def shown(self, identities):
        body = self.bytes(identities)
        text = "" if body is None else body.decode("utf-8", "backslashreplace")
        return f"{self.method} {self.path} {text if len(text) < 1500 else f'{text[:1500]}... ({len(text)} bytes)'}"
