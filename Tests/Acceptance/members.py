#!/usr/bin/env python3
"""A cluster begins with one node, grows to three, loses a server and gets another one, and hands over, under load, by one command each."""

import json
import pathlib
import shutil
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "Support"))
from cluster import BROKEN, PROGRAM, Node, check, command, free_ports, run, step, wait_until

# What it must keep, in seconds: how long no write is acknowledged.
LONGEST_PAUSE_JOINING = 1.5
LONGEST_PAUSE_HANDING_OVER = 0.4


class Load:
    """Puts one key after the other, at whichever node takes it; knows what was acknowledged, and the longest pause."""

    def __init__(self, nodes):
        self.nodes, self.acknowledged, self.longest, self.last = nodes, {}, 0.0, time.monotonic()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        number = 0
        while not self.ending.is_set():
            number += 1
            key, value = f"k{number:06}".encode(), str(number).encode()
            for node in list(self.nodes):
                try:
                    answer = node.put(key, value, timeout=2, deadline="1S")
                except BROKEN:
                    continue
                if answer.status == 200:
                    now = time.monotonic()
                    self.longest, self.last = max(self.longest, now - self.last), now
                    self.acknowledged[key] = (value, int(answer.body["header"]["revision"]))
                    break

    def pause(self):
        """The longest time without an acknowledged write since this was last asked."""
        longest, self.longest = max(self.longest, time.monotonic() - self.last), 0.0
        return longest

    def stop(self):
        self.ending.set()
        self.thread.join(30)
        return self.acknowledged


def ask(node, *arguments, expect=0):
    done = command(*arguments, "--endpoints", node.client)
    check(done.returncode == expect, f"coracle {' '.join(arguments)}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def members(node):
    """The members' names; whether each is a learner."""
    found = json.loads(ask(node, "member", "list", "--json"))["members"]
    return {member["name"]: member.get("isLearner", False) for member in found}


def joining(node, member, *options):
    """The node's process, as `coracle join` runs it."""
    node.arguments = [PROGRAM, "join", member.client, *options, *node.arguments[2:]]
    node.start()


def is_voter(asked, name):
    return members(asked).get(name) is False


def grow(first, second, third, load):
    for node in (second, third):
        load.pause()
        joining(node, first)
        wait_until(f"{node.name} votes", 30, lambda: is_voter(first, node.name))
        wait_until(f"{node.name} serves", 20, lambda: node.range("k").status == 200)
        pause = load.pause()
        check(pause < LONGEST_PAUSE_JOINING, f"no write for {pause:.2f} s while {node.name} joined")
        step(f"{node.name} joined by one command, and votes; longest pause of writes {pause:.2f} s")
        load.nodes.append(node)
    check(members(third) == {"n1": False, "n2": False, "n3": False}, f"the members are {members(third)}")


def hand_over(nodes, load):
    target = next(node for node in nodes if not node.leads())
    load.pause()
    ask(nodes[0], "transfer", "--to", target.name)
    wait_until(f"{target.name} leads", 5, target.leads)
    pause = load.pause()
    check(pause < LONGEST_PAUSE_HANDING_OVER, f"no write for {pause:.2f} s while leadership was handed over")
    step(f"leadership went to {target.name} as asked; longest pause {pause:.2f} s")

    others = [node for node in nodes if node is not target]
    load.nodes[:] = others
    time.sleep(0.2)
    load.pause()
    check(target.stop() == 0, "the leader did not stop in good order")
    time.sleep(0.5)
    pause = load.pause()
    check(pause < LONGEST_PAUSE_HANDING_OVER, f"no write for {pause:.2f} s while the leader stopped")
    step(f"a leader that is told to stop hands over first; longest pause {pause:.2f} s")
    target.start()
    wait_until("it serves again", 20, lambda: target.range("k").status == 200)
    load.nodes[:] = nodes


def replace(nodes, lost, new, load):
    lost.kill()
    shutil.rmtree(lost.data)
    remaining = [node for node in nodes if node is not lost]
    load.nodes[:] = remaining
    joining(new, remaining[0], "--replace", lost.name)
    wait_until(f"{new.name} takes the place of {lost.name}", 30,
               lambda: members(remaining[0]) == {node.name: False for node in [*remaining, new]})
    step(f"{new.name} took the place of {lost.name}, whose disk is gone, by one command")
    load.nodes[:] = [*remaining, new]
    return [*remaining, new]


def remove(nodes, leaving, load):
    remaining = [node for node in nodes if node is not leaving]
    load.nodes[:] = remaining
    ask(remaining[0], "member", "remove", leaving.name)
    check(set(members(remaining[0])) == {node.name for node in remaining}, f"the members are {members(remaining[0])}")
    wait_until(f"{leaving.name} says that it left, and ends", 20, lambda: leaving.logged("no member any more") and not leaving.is_running())
    step(f"{leaving.name} was removed, says so, and ends")
    return remaining


def test(directory):
    ports = free_ports(12)
    first, second, third, fourth = nodes = [Node(f"n{i + 1}", directory, ports[3 * i:3 * i + 3]) for i in range(4)]
    try:
        first.start()
        wait_until("n1 serves", 20, lambda: first.range("k").status == 200)
        load = Load([first])
        grow(first, second, third, load)
        three = [first, second, third]
        hand_over(three, load)
        lost = next(node for node in three if not node.leads())
        three = replace(three, lost, fourth, load)
        refused = ask(three[0], "member", "remove", "nobody", expect=1)
        check("no member is called nobody" in refused, refused)
        two = remove(three, next(node for node in three if node.leads()), load)
        acknowledged = load.stop()
        check(len(acknowledged) > 50, f"only {len(acknowledged)} writes were acknowledged")
        for node in two:
            pairs, _ = node.everything(serializable=False)
            missing = [key for key, write in acknowledged.items() if pairs.get(key) != write]
            check(not missing, f"{node.name} lost {len(missing)} acknowledged writes, the first {missing[:1]}")
        step(f"all {len(acknowledged)} acknowledged writes are there")
    finally:
        for node in nodes:
            if node.is_running():
                node.kill()


run(test)
