extension TracePage {
  /// Moves through the run: the window, the cursor, the panel beside the diagram.
  static let script = #"""
    const find = id => document.getElementById(id);
    const trace = readTrace(JSON.parse(find('trace').textContent));
    const whole = { from: trace.start, to: trace.end + (trace.end - trace.start) / 80 };
    const view = { ...whole };
    const show = { heartbeats: true, messages: true, operations: true };
    let cursor = trace.start, pointer = null, under = null, playing = 0, at, strip;

    // MARK: Window and cursor

    const shortest = 2000;

    function look(from, to) {
      const span = Math.min(Math.max(to - from, shortest), whole.to - whole.from);
      view.from = Math.min(Math.max(from, whole.from), whole.to - span);
      view.to = view.from + span;
      refresh();
    }

    const pan = share => look(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from));

    function zoom(factor, around = (view.from + view.to) / 2) {
      look(around - (around - view.from) * factor, around + (view.to - around) * factor);
    }

    function moveTo(time, margin = .5) {
      cursor = Math.min(Math.max(time, trace.start), trace.end);
      const span = view.to - view.from;
      if (cursor < view.from || cursor > view.to) look(cursor - span * margin, cursor + span * (1 - margin));
      refresh();
    }

    // To the next event that the list would show.
    function hop(direction) {
      const ahead = search(trace.events, event => direction > 0 ? event.at > cursor : event.at >= cursor);
      const event = trace.events[direction > 0 ? ahead : ahead - 1];
      if (event) moveTo(event.at);
    }

    // So much of the run before a time that it can be read.
    function lookBefore(time) {
      let left = 40, index = search(trace.events, event => event.at > time) - 1;
      for (; index > 0 && left > 0; index -= 1) {
        const event = trace.events[index];
        if (event.kind === 'sent' && event.message.kind !== 'heartbeat') left -= 1;
      }
      const span = Math.min(Math.max(time - (trace.events[index] ?? { at: whole.from }).at, 2e6), 5e9);
      look(time - span, time + span * .14);
      cursor = time;
    }

    function play(on) {
      playing = on ? performance.now() : 0;
      find('play').textContent = on ? 'Pause' : 'Play';
      if (on && cursor >= trace.end) moveTo(view.from = whole.from);
      if (on) requestAnimationFrame(advance);
    }

    function advance(now) {
      if (!playing) return;
      const elapsed = now - playing, span = view.to - view.from;
      playing = now;
      moveTo(cursor + elapsed / 16000 * span, .1);
      if (cursor >= trace.end) play(false); else requestAnimationFrame(advance);
    }

    // MARK: Drawing

    let waiting = false, isStale = true;

    function refresh() {
      isStale = true;
      refreshOver();
    }

    function refreshOver() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        if (isStale) drawBase();
        isStale = false;
        drawOver();
        showPanel();
      });
    }

    function penFor(canvas, width, height) {
      const ratio = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
        canvas.style.height = height + 'px';
      }
      const pen = canvas.getContext('2d');
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      return pen;
    }

    function drawBase() {
      at = layOut(trace, find('diagram').clientWidth, view);
      drawAll(penFor(find('base'), at.width, at.height), trace, view, show, at);
      drawStrip();
      saveAddress();
    }

    // The picture of the whole run is drawn once for each width and theme.
    function drawStrip() {
      const width = at.width, height = Math.max(44, 16 + trace.names.length * 9);
      const x = time => 8 + (time - whole.from) / (whole.to - whole.from) * (width - 16);
      if (!strip || strip.width !== width) {
        const picture = document.createElement('canvas');
        drawOverview(penFor(picture, width, height), trace, width, height, x);
        strip = { picture, width };
      }
      const pen = penFor(find('overview'), width, height);
      pen.clearRect(0, 0, width, height);
      pen.drawImage(strip.picture, 0, 0, width, height);
      const [a, b] = [x(view.from), Math.max(x(view.to), x(view.from) + 3)];
      pen.fillStyle = ink.page;
      pen.globalAlpha = .72;
      pen.fillRect(0, 0, a, height);
      pen.fillRect(b, 0, width - b, height);
      pen.globalAlpha = 1;
      pen.strokeStyle = ink.soft;
      pen.lineWidth = 1;
      pen.strokeRect(a - .5, .5, b - a + 1, height - 1);
      pen.fillStyle = ink.ink;
      pen.fillRect(x(cursor) - .5, 0, 1, height);
    }

    function drawOver() {
      const pen = penFor(find('over'), at.width, at.height);
      pen.clearRect(0, 0, at.width, at.height);
      drawLine(pen, cursor, ink.ink, true);
      if (pointer) drawLine(pen, at.time(pointer.x), ink.faint, false);
      if (under) drawUnder(pen);
      showTip();
    }

    function drawLine(pen, time, colour, isCursor) {
      const x = at.x(time);
      if (x < at.left || x > at.right) return;
      pen.fillStyle = colour;
      for (let y = 27; y < at.height; y += 6) pen.fillRect(Math.round(x), y, 1, isCursor ? 4 : 6);
      if (!isCursor) return;
      pen.beginPath();
      for (const [dx, y] of [[-4.5, 20], [5.5, 20], [.5, 27]]) pen.lineTo(Math.round(x) + dx, y);
      pen.fill();
    }

    function drawUnder(pen) {
      const { kind, item } = under;
      pen.strokeStyle = pen.fillStyle = ink.ink;
      pen.lineWidth = 2;
      if (kind === 'message') {
        const [ax, ay, bx, by] = ends(item, at);
        path(pen, [[ax, ay], [bx, by]]);
        if (!item.lost && !item.underWay) drawHeads(pen, [item], at);
      } else if (kind === 'operation' || kind === 'fault') {
        const [y, tall] = kind === 'fault' ? [at.faults + item.row * 16, 14] : [at.clients + item.row * at.row, at.row - 1];
        const [a, b] = [Math.max(at.x(item.a), at.left), Math.min(at.x(item.b), at.right)];
        pen.lineWidth = 1.5;
        pen.strokeRect(a, y, Math.max(2, b - a), tall);
        pen.fillStyle = kind === 'fault' ? ink.fault : operationColour(item);
        pen.globalAlpha = .22;
        const nodes = kind === 'operation' ? [item.node] : item.nodes.length ? item.nodes : [...trace.lanes.keys()];
        for (const node of nodes) pen.fillRect(a, at.y(node) - 20, Math.max(2, b - a), 40);
        pen.globalAlpha = 1;
      }
    }

    // MARK: What is under the pointer

    function pick(x, y) {
      if (x < at.left || x > at.right) return null;
      const time = at.time(x), near = at.time(x + 5) - time;
      const violation = trace.violations.find(item => Math.abs(item.at - time) < near);
      if (violation) return { kind: 'violation', item: violation };
      const row = (list, top, step) => within(list, time - near, time + near).find(item => item.row === Math.floor((y - top) / step));
      const fault = row(trace.faults, at.faults, 16);
      if (fault && y >= at.faults) return { kind: 'fault', item: fault };
      const operation = show.operations && y >= at.clients && row(trace.operations, at.clients, at.row);
      if (operation) return { kind: 'operation', item: operation };
      for (const [node, lane] of trace.lanes.entries()) {
        if (y < at.y(node) - 8 || y > at.y(node) + 18) continue;
        const mark = lane.marks.find(mark => Math.abs(mark.at - time) < near && (mark.kind === 'note') === (y > at.y(node) + gap));
        if (mark) return { kind: 'mark', item: mark };
        if (y <= at.y(node) + gap) return { kind: 'lane', item: lane };
      }
      return show.messages ? pickMessage(x, y, time, near) : null;
    }

    function pickMessage(x, y, time, near) {
      let best = null, least = 6;
      for (const message of within(trace.messages, time - near, time + near)) {
        if (!show.heartbeats && message.kind === 'heartbeat') continue;
        const [ax, ay, bx, by] = ends(message, at), [dx, dy] = [bx - ax, by - ay];
        const share = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
        const distance = Math.hypot(ax + share * dx - x, ay + share * dy - y);
        if (distance < least) [best, least] = [message, distance];
      }
      return best && { kind: 'message', item: best };
    }

    // A heading and the lines below it.
    const tips = {
      violation: item => [item.checker, item.text, seconds(item.at) + ' s'],
      fault: item => [
        item.text, item.nodes.map(node => trace.names[node]).join(', '),
        `${seconds(item.a)} s, for ${lasting(item.b - item.a)}${item.open ? ', to the end' : ''}`],
      operation: item => [
        item.text, `request ${item.id} on ${trace.names[item.node]}`,
        item.answer === undefined ? 'never answered' : `${item.good ? '' : 'failed: '}${item.answer}, after ${lasting(item.b - item.a)}`,
        seconds(item.a) + ' s'],
      mark: item => [words[item.kind](item, trace.names)[0], seconds(item.at) + ' s'],
      message: item => [
        item.text, `${trace.names[item.from]} → ${trace.names[item.to]}${item.term ? `, term ${item.term}` : ''}`,
        item.lost ? `lost: ${item.lost}` : item.underWay ? 'still under way at the end'
          : `${item.again ? 'came again' : 'arrived'} after ${lasting(item.b - item.a)}`, `sent at ${seconds(item.a)} s`],
      lane: item => {
        const state = stateAt(item, at.time(pointer.x));
        return [
          `${item.name}: ${state.role}${state.term === null ? '' : `, term ${state.term}`}${state.paused ? ', paused' : ''}`,
          state.why ?? '', state.last === undefined ? ''
            : `log to ${state.last}, durable ${state.durable}, commit ${state.commit}, applied ${state.applied}`];
      },
    };

    function showTip() {
      const tip = find('tip');
      tip.hidden = !under || !pointer;
      if (tip.hidden) return;
      const [heading, ...lines] = tips[under.kind](under.item);
      tip.replaceChildren(element('b', heading), ...lines.filter(Boolean).map(line => element('span', line)));
      const left = pointer.x + 16 + tip.offsetWidth > at.width ? pointer.x - 16 - tip.offsetWidth : pointer.x + 16;
      tip.style.left = Math.max(4, left) + 'px';
      tip.style.top = Math.max(4, Math.min(pointer.y + 14, at.height - tip.offsetHeight - 6)) + 'px';
    }

    // MARK: The panel

    function element(name, text = '', style = '') {
      const made = document.createElement(name);
      made.textContent = text;
      made.className = style;
      return made;
    }

    function showPanel() {
      const time = pointer ? Math.min(Math.max(at.time(pointer.x), trace.start), trace.end) : cursor;
      find('time').textContent = seconds(time) + ' s';
      find('when').textContent = seconds(time) + ' s';
      find('scrub').value = Math.round((cursor - trace.start) / (trace.end - trace.start) * 10000);
      find('scrub').setAttribute('aria-valuetext', seconds(cursor) + ' s');
      find('states').replaceChildren(...trace.lanes.map(lane => stateRow(lane, time)));
      shownTime = time;
      listing ||= setTimeout(showEvents, 60);
    }

    function stateRow(lane, time) {
      const state = stateAt(lane, time), row = element('tr', '', state.role), role = element('td', '', 'role'), chip = element('i');
      chip.style.background = state.term === null ? ink.rule : termColour(state.term);
      role.append(chip, state.paused ? `${state.role}, paused` : state.role);
      row.append(element('td', lane.name), role);
      for (const value of [state.term, state.last, state.durable, state.commit, state.applied]) row.append(element('td', value ?? '–'));
      return row;
    }

    function isListed(event) {
      const isMessage = event.kind === 'sent' || event.kind === 'arrived' || event.kind === 'lost';
      if (isMessage) {
        const { message } = event;
        // What is lost at once is told once.
        if (!message || event.kind === 'sent' && message.lost && !message.atReceiver) return false;
        return show.messages && (show.heartbeats || message.kind !== 'heartbeat');
      }
      if (event.kind === 'progress') return event.text !== '';
      return show.operations || (event.kind !== 'asked' && event.kind !== 'answered');
    }

    // Some events before and after a time, a little later: the list is slow to lay out. Heartbeats that follow each other are one line.
    let listed = '', listing = 0, shownTime = 0;

    function showEvents() {
      listing = 0;
      const here = search(trace.events, event => event.at > shownTime), key = `${here} ${Object.values(show)}`;
      if (key === listed) return;
      listed = key;
      const before = collect(here - 1, -1, 60).reverse(), after = collect(here, 1, 40);
      const rows = [...before, ...after].map(eventRow), near = rows[before.length - 1];
      find('events').replaceChildren(...rows);
      if (!near) return;
      near.className += ' near';
      find('events').scrollTop = near.offsetTop - find('events').clientHeight * .55;
    }

    function collect(from, step, most) {
      const found = [];
      for (let index = from; found.length < most && trace.events[index]; index += step) {
        const event = trace.events[index], last = found.at(-1);
        if (!isListed(event)) continue;
        const beats = event.message && event.message.kind === 'heartbeat' ? 1 : 0, lost = beats && event.kind === 'lost' ? 1 : 0;
        if (beats && last && last.beats) {
          last.beats += lost && event.message.atReceiver ? 0 : 1;
          last.lost += lost;
        } else {
          found.push({ event, beats, lost });
        }
      }
      return found;
    }

    function eventRow({ event, beats, lost }) {
      const [text, tone] = words[event.kind](event, trace.names), row = element('li', '', beats > 1 ? 'quiet' : tone);
      row.append(
        element('time', seconds(event.at)), element('b', beats > 1 || event.node === null ? '' : trace.names[event.node]),
        element('span', beats > 1 ? `… ${beats} heartbeats${lost ? `, ${lost} of them lost` : ''}` : text));
      row.onclick = () => {
        pointer = under = null;
        moveTo(event.at);
      };
      return row;
    }
    """#
}
