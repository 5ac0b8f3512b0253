#!/usr/bin/env python3
"""A cluster begins with one node, grows to five, shrinks to three, is restarted node by node, loses one server after the other and gets
others in their places, and hands over: under load, by one command each."""

import json
import pathlib
import random
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
LONGEST_PAUSE_REPLACING = 2.0
REPLACEMENTS = 10


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


def grow(first, others, load):
    for node in others:
        load.pause()
        joining(node, first)
        wait_until(f"{node.name} votes", 30, lambda: is_voter(first, node.name))
        wait_until(f"{node.name} serves", 20, lambda: node.range("k").status == 200)
        pause = load.pause()
        check(pause < LONGEST_PAUSE_JOINING, f"no write for {pause:.2f} s while {node.name} joined")
        step(f"{node.name} joined by one command, and votes; longest pause of writes {pause:.2f} s")
        load.nodes.append(node)
    check(members(node) == {name.name: False for name in load.nodes}, f"the members are {members(node)}")


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


def restart_each(nodes, load):
    load.pause()
    for node in nodes:
        load.nodes[:] = [other for other in nodes if other is not node]
        check(node.stop() == 0, f"{node.name} did not stop in good order")
        node.start()
        wait_until(f"{node.name} serves again", 20, lambda: node.range("k").status == 200)
    load.nodes[:] = nodes
    pause = load.pause()
    check(pause < LONGEST_PAUSE_HANDING_OVER, f"no write for {pause:.2f} s while the nodes were restarted one by one")
    step(f"each of {len(nodes)} nodes was stopped and started; longest pause {pause:.2f} s")


def replace(nodes, lost, new, load):
    led = lost.leads()
    load.pause()
    lost.kill()
    shutil.rmtree(lost.data)
    remaining = [node for node in nodes if node is not lost]
    load.nodes[:] = remaining
    joining(new, remaining[0], "--replace", lost.name)
    wait_until(f"{new.name} takes the place of {lost.name}", 30,
               lambda: members(remaining[0]) == {node.name: False for node in [*remaining, new]})
    pause = load.pause()
    check(pause < LONGEST_PAUSE_REPLACING, f"no write for {pause:.2f} s while {lost.name} was lost and replaced")
    step(f"{new.name} took the place of {lost.name}{', which led,' if led else ''} by one command; longest pause {pause:.2f} s")
    load.nodes[:] = [*remaining, new]
    return [*remaining, new]


def remove(nodes, leaving, load):
    remaining = [node for node in nodes if node is not leaving]
    load.nodes[:] = remaining
    load.pause()
    ask(remaining[0], "member", "remove", leaving.name)
    check(set(members(remaining[0])) == {node.name for node in remaining}, f"the members are {members(remaining[0])}")
    wait_until(f"{leaving.name} says that it left, and ends", 20, lambda: leaving.logged("no member any more") and not leaving.is_running())
    pause = load.pause()
    check(pause < LONGEST_PAUSE_JOINING, f"no write for {pause:.2f} s while {leaving.name} left")
    step(f"{leaving.name} was removed, says so, and ends; longest pause {pause:.2f} s")
    return remaining


def test(directory):
    count = 5 + REPLACEMENTS
    ports = free_ports(3 * count)
    nodes = [Node(f"n{i + 1}", directory, ports[3 * i:3 * i + 3]) for i in range(count)]
    first, spare = nodes[0], nodes[5:]
    try:
        first.start()
        wait_until("n1 serves", 20, lambda: first.range("k").status == 200)
        load = Load([first])
        grow(first, nodes[1:3], load)
        hand_over(nodes[:3], load)
        restart_each(nodes[:3], load)
        grow(first, nodes[3:5], load)
        three = nodes[:5]
        for _ in range(2):
            three = remove(three, next(node for node in three if node.leads()), load)
        for new in spare:
            three = replace(three, random.choice(three), new, load)
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
