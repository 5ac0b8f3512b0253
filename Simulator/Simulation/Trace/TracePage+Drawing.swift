extension TracePage {
  /// Draws what `model` read onto canvases. Only what is visible is drawn, and of what falls into one column of pixels only one.
  static let drawing = #"""
    const gap = 9;  // between a lane and the ends of its messages
    let ink = {};

    function readColours() {
      const style = getComputedStyle(document.documentElement);
      for (const name of ['page', 'panel', 'ink', 'soft', 'faint', 'rule', 'band', 'red', 'fault', 'good', 'log', 'election', 'other'])
        ink[name] = style.getPropertyValue('--' + name).trim();
      ink.terms = [0, 1, 2, 3, 4, 5, 6, 7].map(term => style.getPropertyValue('--term' + term).trim());
      ink.heartbeat = ink.faint;
      ink.text = style.getPropertyValue('--text');
      ink.hatch = stripes(ink.rule, 6, 1.2);
      ink.stripes = stripes(ink.soft, 5, 2);
      ink.cuts = stripes(ink.panel, 5, 1.6);
    }

    function stripes(colour, size, width) {
      const tile = document.createElement('canvas');
      tile.width = tile.height = size * 2;
      const pen = tile.getContext('2d');
      pen.scale(2, 2);
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      for (const x of [-size, 0, size]) path(pen, [[x - 1, size + 1], [x + size + 1, -1]]);
      const pattern = pen.createPattern(tile, 'repeat');
      pattern.setTransform(new DOMMatrix().scale(0.5));
      return pattern;
    }

    const termColour = term => ink.terms[Number(term) % 8] ?? ink.faint;

    function path(pen, points) {
      pen.beginPath();
      points.forEach(([x, y], number) => number ? pen.lineTo(x, y) : pen.moveTo(x, y));
      pen.stroke();
    }

    // Where everything stands, for a width and a window of time.
    function layOut(trace, width, view) {
      const left = Math.min(110, 30 + 8 * Math.max(4, ...trace.names.map(name => Math.min(name.length, 10)))), right = width - 14;
      const step = trace.names.length <= 3 ? 108 : trace.names.length <= 5 ? 84 : 62;
      const faults = 46, lanes = faults + trace.faultRows * 16 + 40;
      const clients = lanes + (trace.names.length - 1) * step + 44;
      // The more operations there were at once, the thinner they are.
      const row = Math.max(4, Math.min(16, Math.floor(136 / trace.operationRows)));
      return {
        width, left, right, faults, lanes, step, clients, row, height: clients + (trace.operationRows ? trace.operationRows * row + 12 : 0),
        x: time => left + (time - view.from) / (view.to - view.from) * (right - left),
        time: x => view.from + (x - left) / (right - left) * (view.to - view.from),
        y: node => lanes + node * step,
      };
    }

    function drawAll(pen, trace, view, show, at) {
      pen.clearRect(0, 0, at.width, at.height);
      drawRuler(pen, view, at);
      pen.save();
      pen.beginPath();
      pen.rect(at.left, 0, at.right - at.left, at.height);
      pen.clip();
      drawFaults(pen, trace, view, at);
      if (show.messages) drawMessages(pen, visibleMessages(trace, view, show), at);
      for (const [node, lane] of trace.lanes.entries()) drawLane(pen, lane, at.y(node), view, at);
      if (show.operations) drawOperations(pen, trace, view, at);
      drawPhases(pen, trace, at);
      drawForgotten(pen, trace, at);
      drawViolations(pen, trace, at);
      pen.restore();
      drawNames(pen, trace, at);
    }

    function write(pen, text, x, y, colour, font = '11px', align = 'left') {
      pen.font = `${font} ${ink.text}`;
      pen.fillStyle = colour;
      pen.textAlign = align;
      pen.textBaseline = 'middle';
      pen.fillText(text, x, y);
    }

    // Text between two places, cut short where it does not fit, and following the left edge of what is seen.
    function writeBetween(pen, text, a, b, y, colour, at, font = '11px', halo = false) {
      const left = Math.max(a, at.left) + 5, space = Math.min(b, at.right) - left - 3;
      if (space < 16) return;
      pen.font = `${font} ${ink.text}`;
      let shown = text;
      if (pen.measureText(text).width > space) {
        shown = text.slice(0, Math.floor(space / 5.2));
        while (shown && pen.measureText(shown + '…').width > space) shown = shown.slice(0, -1);
        if (shown.length < 2) return;
        shown += '…';
      }
      if (halo) outline(pen, shown, left, y, font);
      write(pen, shown, left, y, colour, font);
    }

    // Keeps lines away from the text that is written next.
    function outline(pen, text, x, y, font, align = 'left') {
      pen.font = `${font} ${ink.text}`;
      pen.textAlign = align;
      pen.textBaseline = 'middle';
      pen.lineWidth = 3.5;
      pen.lineJoin = 'round';
      pen.strokeStyle = ink.panel;
      pen.strokeText(text, x, y);
    }

    // MARK: Time

    function tickStep(span, count) {
      const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
      return power * [1, 2, 5, 10].find(factor => factor * power >= rough);
    }

    function drawRuler(pen, view, at) {
      const step = tickStep(view.to - view.from, Math.max(2, (at.right - at.left) / 110));
      const places = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9)));
      pen.fillStyle = ink.rule;
      for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
        const x = Math.round(at.x(time));
        pen.globalAlpha = .6;
        pen.fillRect(x, 26, 1, at.height - 26);
        pen.globalAlpha = 1;
        write(pen, seconds(time, places) + ' s', Math.min(x, at.width - 30), 14, ink.soft, '11px', 'center');
        pen.fillStyle = ink.rule;
      }
      pen.fillRect(0, 26, at.width, 1);
    }

    // Of phases that follow each other too closely to be told apart, the last is named.
    function drawPhases(pen, trace, at) {
      let column = -1;
      trace.phases.forEach((phase, number) => {
        const next = trace.phases[number + 1];
        const [a, b] = [at.x(phase.at), next ? at.x(next.at) : at.right];
        if (b < at.left || a > at.right) return;
        pen.fillStyle = ink.faint;
        pen.globalAlpha = .6;
        if (Math.round(a) > column + 2) pen.fillRect(column = Math.round(a), 27, 1, at.height);
        pen.globalAlpha = 1;
        writeBetween(pen, phase.text, a, b, 36, ink.soft, at, 'italic 11px');
      });
    }

    function drawForgotten(pen, trace, at) {
      const b = Math.min(at.x(trace.complete), at.right);
      if (!trace.complete || b < at.left) return;
      pen.fillStyle = ink.hatch;
      pen.fillRect(at.left, 27, b - at.left, 4);
      writeBetween(pen, 'older messages are forgotten', at.left, b, at.height - 9, ink.soft, at, 'italic 11px', true);
    }

    // Of violations that stand together, the first is named.
    function drawViolations(pen, trace, at) {
      let freeFrom = at.left - 2;
      for (const violation of trace.violations) {
        const x = Math.round(at.x(violation.at));
        if (x < at.left - 1 || x > at.right + 1) continue;
        pen.fillStyle = ink.red;
        pen.fillRect(x - 1, 27, 2, at.height);
        pen.font = `600 11px ${ink.text}`;
        const width = pen.measureText(violation.checker).width + 12, left = Math.min(x - 1, at.right - width);
        if (left < freeFrom) continue;
        freeFrom = left + width;
        pen.fillRect(left, 27, width, 18);
        write(pen, violation.checker, left + 6, 36.5, ink.panel, '600 11px');
      }
    }

    // MARK: Faults and lanes

    function drawFaults(pen, trace, view, at) {
      for (const fault of within(trace.faults, view.from, view.to)) {
        const a = Math.max(at.x(fault.a), at.left - 4), b = Math.max(a + 2, Math.min(at.x(fault.b), at.right + 4));
        const y = at.faults + fault.row * 16;
        pen.fillStyle = ink.fault;
        pen.globalAlpha = .16;
        pen.fillRect(a, y, b - a, 14);
        pen.globalAlpha = .085;
        for (const node of fault.nodes.length ? fault.nodes : trace.lanes.keys()) pen.fillRect(a, at.y(node) - 20, b - a, 40);
        pen.globalAlpha = 1;
        pen.fillRect(a, y, 2, 14);
        writeBetween(pen, fault.text, a, b, y + 7.5, ink.fault, at);
      }
    }

    function drawLane(pen, lane, y, view, at) {
      const first = Math.max(0, search(lane.roles, item => item.a > view.from) - 1);
      for (let number = first; number < lane.roles.length && lane.roles[number].a <= view.to; number += 1) {
        const item = lane.roles[number];
        const a = Math.max(at.x(item.a), at.left - 2), b = Math.min(at.x(item.b), at.right + 2);
        drawRole[item.role](pen, item, a, Math.max(b, a + 1), y, at);
      }
      for (const pause of lane.pauses) {
        if (pause.b < view.from || pause.a > view.to) continue;
        const a = Math.max(at.x(pause.a), at.left - 2), b = Math.max(a + 2, Math.min(at.x(pause.b), at.right + 2));
        pen.fillStyle = ink.panel;
        pen.fillRect(a, y - 8, b - a, 16);
        pen.fillStyle = ink.stripes;
        pen.globalAlpha = .5;
        pen.fillRect(a, y - 8, b - a, 16);
        pen.globalAlpha = 1;
        writeBetween(pen, 'paused', a, b, y - 15, ink.soft, at, '11px', true);
      }
      drawMarks(pen, lane, y, view, at);
    }

    const drawRole = {
      down(pen, item, a, b, y, at) {
        pen.fillStyle = ink.hatch;
        pen.fillRect(a, y - 8, b - a, 16);
        writeBetween(pen, item.why ? `down: ${item.why}` : 'down', a, b, y - 15, ink.soft, at, '11px', true);
      },
      forming(pen, item, a, b, y, at) {
        pen.fillStyle = ink.faint;
        for (let x = a - a % 5; x < b; x += 5) pen.fillRect(x, y - 1, 2, 2);
        writeBetween(pen, 'forming', a, b, y - 12, ink.soft, at, '10px', true);
      },
      follower(pen, item, a, b, y, at) {
        pen.fillStyle = termColour(item.term);
        pen.fillRect(a, y - 1.5, b - a, 3);
        writeBetween(pen, `term ${item.term}`, a, b, y - 10, ink.soft, at, '10px', true);
      },
      candidate(pen, item, a, b, y, at) {
        pen.fillStyle = termColour(item.term);
        pen.fillRect(a, y - 5, b - a, 10);
        pen.fillStyle = ink.cuts;
        pen.fillRect(a, y - 5, b - a, 10);
        writeBetween(pen, `candidate ${item.term}`, a, b, y - 13, termColour(item.term), at, '10px', true);
      },
      leader(pen, item, a, b, y, at) {
        pen.fillStyle = termColour(item.term);
        pen.beginPath();
        pen.roundRect(a, y - 9, b - a, 18, Math.min(3, (b - a) / 2));
        pen.fill();
        writeBetween(pen, `leader, term ${item.term}`, a, b, y + .5, ink.panel, at, '600 11px');
      },
    };

    // A disc where a process starts, a cross where it ends, a diamond where it notes something; the note too, if there is room.
    function drawMarks(pen, lane, y, view, at) {
      const first = search(lane.marks, mark => mark.at >= view.from);
      let column = -1, freeFrom = at.left;
      for (let number = first; number < lane.marks.length && lane.marks[number].at <= view.to; number += 1) {
        const mark = lane.marks[number], x = at.x(mark.at);
        if (mark.kind === 'note' && Math.round(x) === column) continue;
        column = Math.round(x);
        drawMark[mark.kind](pen, x, y);
        const next = lane.marks.slice(number + 1).find(other => other.kind === 'note');
        if (mark.kind !== 'note' || x < freeFrom) continue;
        const end = Math.min(x + 190, next ? at.x(next.at) - 4 : at.right);
        writeBetween(pen, mark.text, x - 3, end, y + 21, ink.soft, at, '10px', true);
        freeFrom = x + 40;
      }
    }

    const drawMark = {
      started(pen, x, y) {
        pen.fillStyle = ink.panel;
        pen.strokeStyle = ink.ink;
        pen.lineWidth = 1.5;
        pen.beginPath();
        pen.arc(x, y, 3.5, 0, 7);
        pen.fill();
        pen.stroke();
      },
      ended(pen, x, y) { drawCrosses(pen, [[x, y]], 4.5, ink.ink); },
      note(pen, x, y) {
        pen.fillStyle = ink.soft;
        pen.beginPath();
        for (const [dx, dy] of [[0, 10], [3, 13], [0, 16], [-3, 13]]) pen.lineTo(x + dx, y + dy);
        pen.fill();
      },
    };

    function drawCrosses(pen, places, size, colour) {
      pen.strokeStyle = colour;
      pen.lineWidth = 1.6;
      pen.beginPath();
      for (const [x, y] of places) {
        for (const side of [-size, size]) {
          pen.moveTo(x - size, y - side);
          pen.lineTo(x + size, y + side);
        }
      }
      pen.stroke();
    }

    function drawNames(pen, trace, at) {
      pen.fillStyle = ink.panel;
      pen.fillRect(0, 27, at.left - 1, at.height);
      for (const [node, name] of trace.names.entries())
        write(pen, name.length > 10 ? name.slice(0, 9) + '…' : name, at.left - 10, at.y(node), ink.ink, '600 13px', 'right');
      const small = (text, y) => write(pen, text, at.left - 10, y, ink.faint, '11px', 'right');
      if (trace.faultRows) small('faults', at.faults + 8);
      if (trace.operationRows) small('clients', at.clients + 8);
    }

    // MARK: Messages and operations

    function visibleMessages(trace, view, show) {
      const visible = within(trace.messages, view.from, view.to);
      return show.heartbeats ? visible : visible.filter(message => message.kind !== 'heartbeat');
    }

    // From where to where a message is drawn. One that does not arrive ends between two lanes: by its sender's, or, if it was lost at its
    // receiver, by that one's.
    function ends(message, at) {
      const down = Math.sign(message.to - message.from), midway = down * at.step * .42;
      const a = at.y(message.from), b = at.y(message.to);
      const y = message.atReceiver ? b - midway : message.lost || message.underWay ? a + midway : b - down * gap;
      return [at.x(message.a), a + down * gap, at.x(message.b), y];
    }

    // In one column each link has one line of each kind and slope. (Numbers make faster keys than strings.)
    function thinOut(messages, at) {
      if (messages.length < 800) return messages;
      const seen = new Set(), grain = messages.length < 6000 ? 1 : 2;
      return messages.filter(message => {
        const column = Math.round(at.x(message.a) / grain), slope = Math.min(15, Math.round(at.x(message.b) - at.x(message.a)));
        const link = (message.from * 16 + message.to) * 2 + (message.lost ? 1 : 0);
        const key = ((column * 512 + link) * 16 + slope) * 4 + kindNumbers[message.kind];
        return !seen.has(key) && seen.add(key);
      });
    }

    const kindNumbers = { heartbeat: 0, other: 1, log: 2, election: 3 };

    function drawMessages(pen, all, at) {
      const messages = thinOut(all, at), hasHeads = messages.length < 700;
      const density = Math.min(1, Math.max(.16, Math.sqrt((at.right - at.left) / 3 / Math.max(1, messages.length))));
      for (const [kind, width, alpha] of [['heartbeat', 1, .5], ['other', 1, .65], ['log', 1.2, .9], ['election', 1.3, 1]]) {
        const lines = messages.filter(message => message.kind === kind).map(message => ends(message, at));
        pen.globalAlpha = alpha * density;
        pen.lineWidth = width;
        pen.strokeStyle = pen.fillStyle = ink[kind];
        pen.setLineDash(kind === 'other' ? [4, 2] : []);
        pen.beginPath();
        for (const [ax, ay, bx, by] of lines) {
          pen.moveTo(ax, ay);
          pen.lineTo(bx, by);
        }
        pen.stroke();
        pen.setLineDash([]);
        if (hasHeads) drawHeads(pen, messages.filter(message => message.kind === kind && !message.lost && !message.underWay), at);
      }
      pen.globalAlpha = hasHeads ? 1 : .4;
      drawCrosses(pen, messages.filter(message => message.lost).map(message => ends(message, at).slice(2)), hasHeads ? 3.2 : 1.8, ink.red);
      pen.globalAlpha = 1;
      const told = messages.filter(message => message.kind !== 'heartbeat');
      if (told.length < 90) for (const message of told) drawLabel(pen, message, at);
    }

    function drawHeads(pen, messages, at) {
      pen.beginPath();
      for (const message of messages) {
        const [ax, ay, bx, by] = ends(message, at), angle = Math.atan2(by - ay, bx - ax);
        pen.moveTo(bx, by);
        for (const turn of [2.75, -2.75]) pen.lineTo(bx + 6 * Math.cos(angle + turn), by + 6 * Math.sin(angle + turn));
      }
      pen.fill();
    }

    // Along the line, where it is flat and long enough to be read.
    function drawLabel(pen, message, at) {
      const [ax, ay, bx, by] = ends(message, at), length = Math.hypot(bx - ax, by - ay);
      pen.font = `10px ${ink.text}`;
      if (Math.abs(bx - ax) < 36 || pen.measureText(message.text).width > length - 18) return;
      pen.save();
      pen.translate((ax + bx) / 2, (ay + by) / 2);
      pen.rotate(Math.atan((by - ay) / (bx - ax)));
      outline(pen, message.text, 0, -6, '10px', 'center');
      write(pen, message.text, 0, -6, ink[message.kind], '10px', 'center');
      pen.restore();
    }

    function operationColour(operation) {
      return operation.answer === undefined ? ink.faint : operation.good ? ink.good : ink.red;
    }

    function drawOperations(pen, trace, view, at) {
      const visible = within(trace.operations, view.from, view.to), isSparse = visible.length < 600, tall = at.row - (at.row > 8 ? 3 : 1);
      for (const operation of visible) {
        const a = at.x(operation.a), b = Math.max(a + 1.5, at.x(operation.b)), y = at.clients + operation.row * at.row;
        pen.fillStyle = operationColour(operation);
        pen.globalAlpha = isSparse && at.row > 8 ? .17 : .33;
        pen.fillRect(a, y, b - a, tall);
        pen.globalAlpha = 1;
        pen.fillRect(a, y, 1.5, tall);
        if (operation.answer !== undefined) pen.fillRect(b - 1.5, y, 1.5, tall);
        if (!isSparse || operation.isCrowded || at.row < 13) continue;
        writeBetween(pen, `${trace.names[operation.node]}  ${operation.text}`, a, b, y + 7, ink.soft, at, '10px');
      }
    }

    // MARK: The whole run

    function drawOverview(pen, trace, width, height, x) {
      pen.clearRect(0, 0, width, height);
      const step = (height - 16) / trace.names.length;
      for (const fault of trace.faults) {
        pen.fillStyle = ink.fault;
        pen.globalAlpha = .3;
        pen.fillRect(x(fault.a), 4, Math.max(1, x(fault.b) - x(fault.a)), 4);
      }
      pen.globalAlpha = 1;
      trace.lanes.forEach((lane, node) => {
        const y = 11 + node * step;
        for (const item of lane.roles) {
          if (item.role === 'down') continue;
          const isLeader = item.role === 'leader', thick = isLeader ? step - 1 : Math.max(1, step / 4);
          pen.fillStyle = item.term === null ? ink.faint : termColour(item.term);
          pen.globalAlpha = isLeader ? 1 : .55;
          pen.fillRect(x(item.a), y + (step - thick) / 2, Math.max(.7, x(item.b) - x(item.a)), thick);
        }
      });
      pen.globalAlpha = 1;
      pen.fillStyle = ink.faint;
      pen.globalAlpha = .35;
      for (const phase of trace.phases) pen.fillRect(x(phase.at), 0, 1, height);
      pen.globalAlpha = 1;
      for (const violation of trace.violations) {
        pen.fillStyle = ink.red;
        pen.fillRect(x(violation.at) - 1, 0, 2, height);
      }
    }
    """#
}
