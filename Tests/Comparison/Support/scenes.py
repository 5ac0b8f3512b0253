"""What takes more than one request: streams with writes meanwhile, locks that are waited for, leases that end.

Each scene gets the comparison, which asks all servers, opens streams to all, and judges what came.
"""

import base64
import time

import hostile
from asking import Chosen, Request, post
from cluster import encoded
from comparing import watched
from talking import parsed


def of_watch(stream):
    lines = [parsed(line) for line in stream.lines]
    failed = stream.status not in (0, 200)
    content_type = stream.content_type.split(";")[0] if lines else "waits"
    # Whether the head of an answer without results comes at once or with the first is the server's affair.
    return {"status": stream.status if lines else "waits", "content type": content_type, "": lines[0] if failed else watched(lines)}


def of_stream(stream):
    """Any other stream: its results in their order, and whether it has ended."""
    lines = [parsed(line) for line in stream.lines]
    return {"status": stream.status if lines else "waits", "": lines[0] if len(lines) == 1 else lines, "ended": stream.ended}


def has_line(stream):
    return stream.lines


def watch(comparison):
    drawer = comparison.drawer
    body = "\n".join(Request("", message).bytes([]).decode() for message in drawer.watch())
    asked = Request("/v3/watch", body.encode())
    streams = comparison.open(asked)
    comparison.settle(streams, 1, until=has_line)
    meanwhile = []
    for _ in range(drawer.random.randint(0, 4)):
        puts = [{"request_put": {"key": encoded(f"k{number}")}} for number in drawer.random.sample(range(10), 3)]
        meanwhile.append(drawer.pick(
            post("kv/put", **drawer.put()), post("kv/deleterange", **drawer.delete()), post("kv/txn", success=puts)))
        comparison.ask(meanwhile[-1])
    comparison.settle(streams)
    comparison.close([*meanwhile, asked], streams, of_watch)


def hostile_stream(comparison):
    drawer = comparison.drawer
    path = drawer.pick("/v3/watch", "/v3/watch", "/v3/lease/keepalive", "/v3/election/observe")
    asked = Request(path, drawer.pick(*hostile.STREAMS), "hostile stream")
    streams = comparison.open(asked)
    comparison.settle(streams, 1)
    comparison.close([asked], streams, of_watch if path == "/v3/watch" else of_stream)


def waiting_lock(comparison):
    """One holds a lock, another waits for it, and something ends that."""
    name, key = encoded("held"), encoded(f"held/{21:x}")
    for lease in (21, 22):
        comparison.ask(post("lease/grant", TTL=500, ID=lease))
    first, second = (post("lock/lock", name=name, lease=lease) for lease in (21, 22))
    comparison.ask(first)
    streams = comparison.open(second)
    time.sleep(0.3)
    end = comparison.drawer.pick(post("lock/unlock", key=key), post("lease/revoke", ID=21), post("kv/deleterange", key=key))
    comparison.ask(end)
    comparison.settle(streams, until=has_line)
    comparison.close([first, end, second], streams, of_stream)
    for request in (post("kv/range", key=name, range_end=encoded("helf")), post("lease/revoke", ID=21), post("lease/revoke", ID=22)):
        comparison.ask(request)


def election(comparison):
    """One leads, another campaigns, a third observes."""
    name = encoded("chief")
    for lease in (23, 24):
        comparison.ask(post("lease/grant", TTL=500, ID=lease))
    observe = post("election/observe", name=name)
    observers = comparison.open(observe)
    time.sleep(0.1)
    first, second = (post("election/campaign", name=name, lease=lease, value=encoded(str(lease))) for lease in (23, 24))
    body = comparison.ask(first)[0][""]
    leader = body.get("leader", {}) if isinstance(body, dict) else {}
    campaigns = comparison.open(second)
    time.sleep(0.3)
    end = comparison.drawer.pick(post("election/resign", leader=leader), post("lease/revoke", ID=23))
    meanwhile = [post("election/leader", name=name), post("election/proclaim", leader=leader, value=encoded("new")), end]
    for request in meanwhile:
        comparison.ask(request)
        # An observer may see only the newest of what comes at once.
        time.sleep(0.15)
    comparison.settle(campaigns, until=has_line)
    comparison.close([first, *meanwhile, second], campaigns, of_stream)
    comparison.settle(observers)
    comparison.close([first, *meanwhile, second, observe], observers, of_stream)
    for request in (post("election/leader", name=name), post("lease/revoke", ID=23), post("lease/revoke", ID=24)):
        comparison.ask(request)


def chosen_leases(comparison):
    """Leases whose identities the servers choose, also for a lock and an election without one."""
    drawer = comparison.drawer
    identity = drawer.pick({}, {"ID": 0}, {"ID": "0"})
    grant = post("lease/grant", TTL=drawer.pick(0, -1, 1, 2, 50, "800"), **identity)
    asked = drawer.pick(
        grant, grant, post("lock/lock", name=encoded("chosen")), post("election/campaign", name=encoded("chosen by"), value="YQ=="))
    comparison.ask(asked, learn=lease_in)
    number = len(comparison.servers[0].identities) - 1
    lease = Chosen(number)
    for request in (
        post("kv/put", key=drawer.key() or "azE=", value="YQ==", lease=lease), post("kv/range", key="AA==", range_end="AA=="),
        post("lease/timetolive", ID=lease, keys=True), post("lease/keepalive", ID=lease),
        post("lock/lock", name=encoded("chosen"), lease=lease, headers={"Grpc-Timeout": "200m"}),
        post("lock/unlock", key=Chosen(number, "chosen")), post("kv/lease/revoke", ID=lease),
    ):
        comparison.ask(request)


def lease_in(body):
    """The lease that an answer names, by itself or at the end of a key; "1" if it names none."""
    if not isinstance(body, dict):
        return "1"
    if "key" in body:
        number = int(base64.b64decode(body["key"]).decode().rpartition("/")[2], 16)
        return str(number - 2**64 if number >= 2**63 else number)
    return body.get("ID") or (body.get("leader") or {}).get("lease") or "1"


def alarm(comparison):
    """The alarm of a full store, set and taken back by hand."""
    fields = {"alarm": "NOSPACE", **comparison.drawer.pick({}, {"memberID": "0"}, {"memberID": 7})}
    put, read = [{"request_put": {"key": "azE="}}], [{"request_range": {"key": "azE="}}]
    for request in (
        post("maintenance/alarm", "alarm", action="ACTIVATE", **fields), post("maintenance/alarm", "alarm"),
        post("kv/put", "alarm", key="azE="), post("kv/range", "alarm", key="azE="), post("lease/grant", "alarm", TTL=100, ID=31),
        post("kv/txn", "alarm", success=put), post("kv/deleterange", "alarm", key="azE="), post("kv/txn", "alarm", success=read),
        post("maintenance/status", "alarm"), Request("/health", None, "alarm", "GET"),
        post("maintenance/alarm", "alarm", action="DEACTIVATE", **fields),
        post("maintenance/alarm", "alarm", action=0), post("kv/put", key="azE="),
    ):
        comparison.ask(request)


def expiry(comparison):
    """A lease that nobody keeps alive: its keys go together, in their order."""
    create = {"key": encoded("expires"), "range_end": encoded("expires~"), "prev_kv": True}
    asked = post("watch", "expiry", create_request=create)
    streams = comparison.open(asked)
    comparison.settle(streams, 1, until=has_line)
    requests = [post("lease/grant", "expiry", TTL=2, ID=32)]
    requests += [post("kv/put", "expiry", key=encoded(f"expires{number}"), lease="32") for number in (2, 0, 1)]
    for request in requests:
        comparison.ask(request)
    comparison.settle(streams, 8, until=lambda stream: any("DELETE" in line for line in stream.lines))
    comparison.close([*requests, asked], streams, of_watch)
    for request in (post("lease/timetolive", ID=32, keys=True), post("kv/range", key=encoded("expires"), range_end="AA==")):
        comparison.ask(request)


# The scene, one step in how many it is, and the service that it is of.
SCENES = [
    (watch, 60, "watch"), (hostile_stream, 300, "watch"), (waiting_lock, 400, "lock"), (election, 500, "election"),
    (chosen_leases, 300, "lease"), (alarm, 700, "maintenance"), (expiry, 900, "lease"),
]
