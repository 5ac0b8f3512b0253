"""Random requests of every shape that the gateway takes. The same seed draws the same; `hostile.py` has what it must refuse.

What ends the process of etcd is never drawn: a `sort_target` that is no target, an `action` of an alarm that is none.
"""

import random

import hostile
from asking import Request, post
from cluster import encoded

KEYS = [f"k{number}" for number in range(10)]
# etcd sorts results of equal rank in no order that it promises, unless they are few.
SORTED_END = "k6"
LEASES = [11, 12, 13, -14, 9223372036854775807]
TTLS = [100, 400, 1600, "6400", 9_000_000_000]
TARGETS = ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"]
UNION = {"VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value", "LEASE": "lease"}
RESULTS = ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]


def without(value, names):
    """The value without the fields of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(below, names) for name, below in value.items() if name not in names}
    return [without(below, names) for below in value] if isinstance(value, list) else value


class Drawer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fresh_servers()

    def fresh_servers(self):
        self.head, self.compacted, self.chosen = 1, 0, 0
        self.granted = set()

    # MARK: Parts

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, *values):
        return self.random.choice(values)

    def integer(self, value):
        """A number, or the text of one: both are the same integer."""
        return str(value) if self.chance(0.4) else value

    def key(self):
        if self.chance(0.02):
            return self.pick("", "AA==", "/w==", encoded("zz"))
        return encoded(self.random.choice(KEYS))

    def end(self, probability=0.5):
        if not self.chance(probability):
            return {}
        return {"range_end": self.pick(
            "AA==", encoded(self.random.choice(KEYS)), encoded(self.random.choice(KEYS)), encoded(self.random.choice(KEYS)), "bA==", "")}

    def revision(self):
        return self.integer(self.pick(
            0, self.head, self.random.randint(1, self.head), self.random.randint(1, self.head), self.compacted, max(self.compacted - 1, 1),
            self.head + 1, -1))

    def lease(self):
        if self.granted and self.chance(0.8):
            return self.integer(self.random.choice(sorted(self.granted)))
        return self.integer(self.pick(0, 11, 12, 999, -14))

    def value(self):
        return encoded(self.pick("", "a", "b", "c", "longer value", "\xff\x00"))

    def put(self):
        body = {"key": self.key()}
        if self.chance(0.9):
            body["value"] = self.value()
        if self.chance(0.25):
            body["lease"] = self.lease()
        if self.chance(0.3):
            body["prev_kv"] = True
        if self.chance(0.08):
            body["ignore_lease"] = True
        if self.chance(0.08):
            body["ignore_value"] = True
            if self.chance(0.8):
                body.pop("value", None)
        return body

    def range(self):
        body = {"key": self.key(), **self.end(0.7)}
        for name, probability, draw in (
            ("limit", 0.3, lambda: self.integer(self.pick(1, 2, 5, 0, -1, 2**40))), ("revision", 0.3, self.revision),
            ("serializable", 0.2, lambda: True), ("keys_only", 0.15, lambda: True), ("count_only", 0.12, lambda: True),
            ("min_mod_revision", 0.12, self.revision), ("max_mod_revision", 0.12, self.revision),
            ("min_create_revision", 0.12, self.revision), ("max_create_revision", 0.12, self.revision),
        ):
            if self.chance(probability):
                body[name] = draw()
        if self.chance(0.5):
            body["sort_order"] = self.pick("NONE", "ASCEND", "DESCEND", 0, 1, 2)
            target = self.random.randrange(5)
            if target and self.chance(0.7):
                body["sort_target"] = self.pick(target, ["KEY", "VERSION", "CREATE", "MOD", "VALUE"][target])
                body["key"], body["range_end"] = encoded("k0"), encoded(SORTED_END)
                if body["sort_order"] in ("NONE", 0):
                    # See "limit without an order".
                    body.pop("limit", None)
        return body

    def delete(self):
        return {"key": self.key(), **self.end(0.35), **({"prev_kv": True} if self.chance(0.4) else {})}

    def compare(self):
        target = self.random.choice(TARGETS)
        body = {"key": self.key(), **self.end(0.2)}
        if self.chance(0.9):
            body["target"] = self.pick(target, TARGETS.index(target))
        else:
            target = "VERSION"
        if self.chance(0.8):
            body["result"] = self.pick(*RESULTS, 0, 1, 2, 3)
        if self.chance(0.9):
            draws = {"VALUE": self.value, "LEASE": self.lease, "VERSION": lambda: self.integer(self.random.randint(0, 3))}
            body[UNION[target]] = draws.get(target, self.revision)()
        return body

    def operation(self, depth, kinds):
        draw = self.random.random()
        if depth < 2 and draw < 0.15:
            return {"request_txn": self.transaction(depth + 1, kinds)}
        if draw < 0.5:
            kinds.append("put")
            return {self.pick("request_put", "requestPut"): self.put()}
        if draw < 0.8:
            body = self.range()
            # Once it was compacted, etcd takes a negative revision for a compacted one; in a transaction alone.
            if body.get("revision") in (-1, "-1"):
                body.pop("revision")
            return {"request_range": body}
        body = self.delete()
        kinds.append("open delete" if body.get("range_end") == "AA==" else "delete")
        return {"request_delete_range": body}

    def transaction(self, depth=0, kinds=None):
        body = {}
        kinds = [] if kinds is None else kinds
        for name, most in (("compare", 3), ("success", 4), ("failure", 3)):
            count = self.random.randint(0, most)
            if count:
                body[name] = [self.compare() if name == "compare" else self.operation(depth, kinds) for _ in range(count)]
        if depth:
            kinds.append("nested")
        return body

    # MARK: Whole requests

    def plain(self):
        """A request that is answered at once."""
        draw = self.random.random()
        if draw < 0.25:
            return Request("/v3/kv/put", self.put())
        if draw < 0.48:
            return Request(self.pick("/v3/kv/range", "/v3/kv/range", "/v3beta/kv/range"), self.range())
        if draw < 0.485:
            return post("kv/range", "limit without an order", key=encoded("k0"), range_end=encoded(SORTED_END), limit=2, sort_target="MOD")
        if draw < 0.55:
            return Request("/v3/kv/deleterange", self.delete())
        if draw < 0.75:
            kinds = []
            body = self.transaction(kinds=kinds)
            tag = ""
            if "put" in kinds and ("open delete" in kinds or "delete" in kinds and "nested" in kinds):
                tag = "a put and an open or nested delete"
                # Such a put of a key that is deleted before it ends the process of etcd if it keeps something of what was there.
                body = without(body, {"ignore_lease", "ignore_value"})
            return Request("/v3/kv/txn", body, tag)
        if draw < 0.78:
            kept = self.random.randint(max(self.compacted - 1, 1), self.head)
            revision = self.integer(self.pick(kept, kept, self.head + 1, self.compacted, -1))
            return post("kv/compaction", revision=revision, **({"physical": True} if self.chance(0.3) else {}))
        if draw < 0.90:
            return self.of_lease()
        if draw < 0.94:
            return self.of_lock_or_election()
        if draw < 0.96:
            return self.pick(
                post("maintenance/status"), Request("/v3/maintenance/status", b""), post("maintenance/alarm"),
                post("maintenance/defragment"), post("maintenance/hash"), post("maintenance/alarm", action="GET", alarm="NOSPACE"),
                post("maintenance/alarm", action="DEACTIVATE", alarm="NOSPACE"))
        return hostile.draw(self)

    def of_lease(self):
        path = self.pick("/v3/lease/", "/v3/lease/", "/v3/kv/lease/")
        kind = self.pick("grant", "grant", "revoke", "timetolive", "timetolive", "keepalive", "leases")
        if kind == "grant":
            identity = self.random.choice(LEASES)
            self.granted.add(identity)
            ttl = self.pick(*TTLS, *TTLS, 9_000_000_001, "9223372036854775807")
            return Request("/v3/lease/grant", {"TTL": ttl, "ID": self.integer(identity)})
        if kind == "leases":
            return Request(path + kind, self.pick({}, b""))
        identity = self.pick(*LEASES, 999, 0)
        if kind == "revoke":
            if not self.chance(0.5):
                identity = 999
            self.granted.discard(identity)
            return Request(path + kind, {"ID": self.integer(identity)})
        if kind == "keepalive":
            return Request("/v3/lease/keepalive" if self.chance(0.9) else path + kind, {"ID": self.integer(identity)})
        return Request(path + kind, {"ID": self.integer(identity), **({"keys": True} if self.chance(0.6) else {})})

    def of_lock_or_election(self):
        """None of these waits for long: what another holds is asked for with a deadline."""
        name, lease = encoded(self.pick("lock", "lock", "mutex")), self.lease()
        soon = {"Grpc-Timeout": "150m"}
        if lease in (0, "0"):
            # Without a lease etcd makes one, even to resign; `chosen_leases` does that where it can follow what becomes of it.
            lease = 999
        leader = {"name": encoded("e"), "key": encoded(f"e/{self.pick(11, 12, 13, 999):x}"), "rev": self.revision(), "lease": lease}
        return self.pick(
            post("lock/lock", name=name, lease=lease, headers=soon), post("lock/unlock", key=encoded(f"lock/{11:x}")), post("lock/unlock"),
            post("lock/unlock", key=encoded(f"lock/{self.pick(12, 13):x}")), post("election/leader", name=encoded(self.pick("e", "none"))),
            post("election/campaign", name=encoded("e"), lease=lease, value=self.value(), headers=soon),
            post("election/proclaim", leader=leader, value=self.value()), post("election/proclaim"),
            post("election/resign", leader=leader), post("election/resign"))

    def watch(self):
        """The messages of one watch stream."""
        def create():
            body = {"key": self.key(), **self.end()}
            for name, probability, draw in (
                ("start_revision", 0.6, self.revision), ("prev_kv", 0.4, lambda: True), ("progress_notify", 0.1, lambda: True),
                ("fragment", 0.1, lambda: True), ("watch_id", 0.3, lambda: self.integer(self.pick(0, 1, 2, 7, -7))),
                ("filters", 0.2, lambda: self.pick(["NOPUT"], ["NODELETE"], [0], [1], ["NOPUT", "NODELETE"], [])),
            ):
                if self.chance(probability):
                    body[name] = draw()
            return {self.pick("create_request", "createRequest"): body}

        messages = [create()]
        while self.chance(0.3) and len(messages) < 4:
            messages.append(self.pick(
                create(), create(), {"cancel_request": {"watch_id": self.integer(self.pick(0, 1, 7, 50))}}, {"progress_request": {}}))
        return messages
