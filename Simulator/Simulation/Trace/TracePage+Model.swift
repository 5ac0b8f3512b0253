extension TracePage {
  /// Reads the rows of `TraceData` into lists that can be searched, and words them. It touches nothing of the page.
  static let model = #"""
    'use strict';

    // Times are nanoseconds. What lasts has a beginning `a` and an end `b`; lists are in the order of their beginnings.
    function readTrace(data) {
      const trace = {
        names: data.names, complete: data.complete, events: [], messages: [], operations: [], faults: [], phases: [], violations: [],
        lanes: data.names.map(name => ({ name, roles: [], pauses: [], progress: [], marks: [] })),
      };
      const open = { messages: new Map(), faults: new Map(), operations: new Map() };
      const label = number => data.labels[number];
      let now = 0;
      for (const [delay, kind, ...fields] of data.events) {
        now += delay;
        const event = { at: now, kind, node: null };
        take[kind](trace, event, label, open, ...fields);
        trace.events.push(event);
      }
      trace.start = trace.events.length ? trace.events[0].at : 0;
      trace.end = Math.max(now, trace.start + 1000);
      finish(trace);
      return trace;
    }

    // How each kind of event changes what is known.
    const take = {
      started(trace, event, label, open, node) {
        event.node = node;
        enter(trace.lanes[node], event.at, 'forming', null);
        trace.lanes[node].marks.push(event);
      },
      ended(trace, event, label, open, node, how) {
        const lane = trace.lanes[node];
        Object.assign(event, { node, text: label(how) });
        close(lane.pauses, event.at);
        enter(lane, event.at, 'down', null, event.text);
        lane.progress.push({ a: event.at });
        lane.marks.push(event);
      },
      paused(trace, event, label, open, node) {
        event.node = node;
        trace.lanes[node].pauses.push({ a: event.at, b: Infinity });
      },
      resumed(trace, event, label, open, node) {
        event.node = node;
        close(trace.lanes[node].pauses, event.at);
      },
      role(trace, event, label, open, node, role, term) {
        Object.assign(event, { node, role, term });
        enter(trace.lanes[node], event.at, role, role === 'down' ? null : term);
      },
      progress(trace, event, label, open, node, last, durable, commit, applied) {
        event.node = node;
        const before = trace.lanes[node].progress.at(-1) ?? {}, now = { last, durable, commit, applied };
        event.text = Object.keys(now).filter(name => now[name] !== before[name]).map(name => `${name} ${now[name]}`).join(', ');
        trace.lanes[node].progress.push({ a: event.at, ...now });
      },
      sent(trace, event, label, open, id, from, to, text, term, kind) {
        const message = { a: event.at, b: Infinity, from, to, text: label(text), term, kind, arrivals: 0 };
        Object.assign(event, { node: from, message });
        open.messages.set(id, message);
        trace.messages.push(message);
      },
      arrived(trace, event, label, open, id) {
        const sent = open.messages.get(id);
        if (!sent) return;
        Object.assign(event, { node: sent.to, message: sent });
        sent.arrivals += 1;
        if (sent.arrivals === 1) sent.b = event.at;
        else trace.messages.push({ ...sent, b: event.at, again: true });
      },
      lost(trace, event, label, open, id, why) {
        const sent = open.messages.get(id);
        if (!sent) return;
        Object.assign(event, { node: sent.from, message: sent, text: label(why) });
        if (!sent.arrivals) Object.assign(sent, { lost: event.text || 'no reason given', b: event.at, atReceiver: event.at > sent.a });
      },
      faultBegan(trace, event, label, open, id, text, nodes) {
        const fault = { a: event.at, b: Infinity, id, text: label(text), nodes };
        event.fault = fault;
        open.faults.set(id, fault);
        trace.faults.push(fault);
      },
      faultEnded(trace, event, label, open, id) {
        event.fault = open.faults.get(id);
        if (!event.fault) return;
        event.fault.b = event.at;
      },
      asked(trace, event, label, open, id, node, text) {
        const operation = { a: event.at, b: Infinity, id, node, text: label(text) };
        Object.assign(event, { node, operation });
        open.operations.set(id, operation);
        trace.operations.push(operation);
      },
      answered(trace, event, label, open, id, text, good) {
        event.operation = open.operations.get(id);
        Object.assign(event, { text: label(text), good });
        if (!event.operation) return;
        event.node = event.operation.node;
        Object.assign(event.operation, { b: event.at, answer: event.text, good });
      },
      note(trace, event, label, open, node, text) {
        Object.assign(event, { node, text: label(text) });
        trace.lanes[node].marks.push(event);
      },
      phase(trace, event, label, open, text) {
        event.text = label(text);
        trace.phases.push(event);
      },
      violation(trace, event, label, open, checker, text) {
        Object.assign(event, { checker: label(checker), text: label(text) });
        trace.violations.push(event);
      },
    };

    function enter(lane, at, role, term, why) {
      const last = lane.roles.at(-1);
      if (last && last.role === role && last.term === term) return;
      close(lane.roles, at);
      lane.roles.push({ a: at, b: Infinity, role, term, why });
    }

    function close(list, at) {
      const last = list.at(-1);
      if (last && last.b === Infinity) last.b = at;
    }

    // What never ended lasts to the end of the run, but a message that is lost or still under way, and a request without an answer, get
    // a usual length.
    function finish(trace) {
      const usual = list => median(list.filter(item => item.b < Infinity && !item.lost).map(item => item.b - item.a));
      const [way, wait] = [usual(trace.messages) || 1e6, usual(trace.operations) || 1e7];
      trace.messages.sort((one, other) => one.a - other.a);
      for (const message of trace.messages) {
        if (message.b === Infinity) message.underWay = true;
        if (message.underWay || message.lost) message.b = Math.max(message.a + way / 2, message.lost ? message.b : 0);
      }
      for (const operation of trace.operations) if (operation.b === Infinity) operation.b = operation.a + wait;
      for (const list of [trace.faults, ...trace.lanes.flatMap(lane => [lane.roles, lane.pauses])]) {
        for (const item of list) if (item.b === Infinity) Object.assign(item, { b: trace.end, open: true });
      }
      trace.faultRows = pack(trace.faults, 5);
      trace.operationRows = pack(trace.operations, 40);
      for (const list of [trace.messages, trace.operations, trace.faults]) reach(list);
    }

    function median(numbers) {
      return numbers.sort((one, other) => one - other)[numbers.length >> 1];
    }

    // Gives each item the first row that is free, or, if all of `most` are taken, the one that is free first. Answers how many it took.
    function pack(list, most) {
      const ends = [];
      for (const item of list) {
        let row = ends.findIndex(end => end <= item.a);
        if (row < 0 && ends.length < most) row = ends.length;
        item.isCrowded = row < 0;
        if (item.isCrowded) row = ends.indexOf(Math.min(...ends));
        item.row = row;
        ends[row] = Math.max(ends[row] ?? 0, item.b);
      }
      return ends.length;
    }

    // The latest end of an item and all before it: what `within` searches.
    function reach(list) {
      let latest = -Infinity;
      list.reach = list.map(item => latest = Math.max(latest, item.b));
    }

    // How many items of a sorted list come before the first for which `isPast` holds.
    function search(list, isPast) {
      let low = 0, high = list.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (isPast(list[middle])) high = middle; else low = middle + 1;
      }
      return low;
    }

    // The items that last at some time between `a` and `b`.
    function within(list, a, b) {
      const first = search(list.reach, end => end >= a), last = search(list, item => item.a > b);
      return list.slice(first, last).filter(item => item.b >= a);
    }

    const latest = (list, at) => list[search(list, item => item.a > at) - 1];

    // What is known of a node at a time.
    function stateAt(lane, at) {
      const { role, term, why } = latest(lane.roles, at) ?? { role: 'down', term: null };
      const pause = latest(lane.pauses, at);
      const progress = role === 'down' ? undefined : latest(lane.progress, at);
      return { role, term, why, paused: !!pause && at < pause.b, ...progress };
    }

    // MARK: Words

    // What is left of the last place is cut off, as it is in the text of a run.
    const seconds = (time, places = 6) => (Math.floor(time / 10 ** (9 - places) + 1e-6) / 10 ** places).toFixed(places);

    function lasting(time) {
      if (time < 1e3) return `${time} ns`;
      if (time < 1e6) return `${+(time / 1e3).toPrecision(3)} µs`;
      if (time < 1e9) return `${+(time / 1e6).toPrecision(3)} ms`;
      return `${+(time / 1e9).toPrecision(4)} s`;
    }

    // Each answers what happened, and what the words are about.
    const words = {
      started: () => ['starts', 'life'],
      ended: event => [`ends: ${event.text}`, 'life'],
      paused: () => ['is paused', 'life'],
      resumed: () => ['resumes', 'life'],
      role: event => [`${event.role}${event.role === 'down' ? '' : ` in term ${event.term}`}`, 'role'],
      progress: event => [event.text, 'quiet'],
      sent: (event, names) => [`→ ${names[event.message.to]}  ${event.message.text}`, 'message'],
      arrived: (event, names) => [event.message ? `← ${names[event.message.from]}  ${event.message.text}` : 'a message', 'message'],
      lost: (event, names) => [
        event.message ? `✕ ${names[event.message.to]}  ${event.message.text} is lost: ${event.text}` : 'a message is lost', 'lost'],
      faultBegan: (event, names) => [`fault begins: ${event.fault.text}${concerned(event.fault, names)}`, 'fault'],
      faultEnded: (event, names) => [`fault ends: ${event.fault ? event.fault.text + concerned(event.fault, names) : 'unknown'}`, 'fault'],
      asked: event => [`asked ${event.operation.id}: ${event.operation.text}`, 'operation'],
      answered: event => [
        `${event.good ? 'answers' : 'fails'} ${event.operation ? event.operation.id : 'a request'}: ${event.text}`,
        event.good ? 'operation' : 'failed'],
      note: event => [event.text, 'note'],
      phase: event => [`— ${event.text} —`, 'phase'],
      violation: event => [`violation of ${event.checker}: ${event.text}`, 'violation'],
    };

    const concerned = (fault, names) => fault.nodes.length ? ` (${fault.nodes.map(node => names[node]).join(', ')})` : '';
    """#
}
