extension TracePage {
  /// The elements that the scripts fill and listen to, and the legend.
  static let template = #"""
    <main>
    <section class="stage" aria-label="Space-time diagram">
    <div class="tools">
    <button type="button" id="play" title="Space">Play</button>
    <input type="range" id="scrub" min="0" max="10000" value="0" aria-label="Time">
    <output id="time"></output>
    <div class="group" role="group" aria-label="Zoom">
    <button type="button" id="out" title="Zoom out (-)" aria-label="Zoom out">&minus;</button>
    <button type="button" id="in" title="Zoom in (+)" aria-label="Zoom in">+</button>
    <button type="button" id="all" title="The whole run (0)">All</button>
    <button type="button" id="violation" class="violation" title="To the violation (v)">Violation</button>
    </div>
    <label><input type="checkbox" id="heartbeats" checked> Heartbeats</label>
    <label><input type="checkbox" id="messages" checked> Messages</label>
    <label><input type="checkbox" id="operations" checked> Operations</label>
    </div>
    <div class="frame">
    <canvas id="overview" aria-hidden="true"></canvas>
    <div id="diagram" tabindex="0" role="application" aria-label="Lanes of the nodes over time; what stands here is listed beside it">
    <canvas id="base"></canvas><canvas id="over"></canvas><div id="tip" hidden></div>
    </div>
    </div>
    <div class="legend" aria-label="Legend">
    <span><svg width="26" height="12"><rect width="26" height="12" rx="3" fill="var(--term0)"/></svg>leader</span>
    <span><svg width="26" height="12"><rect y="4.5" width="26" height="3" fill="var(--term0)"/></svg>follower</span>
    <span><svg width="26" height="12"><path d="M0 6h26" stroke="var(--term0)" stroke-width="9"
      stroke-dasharray="3 1.6"/></svg>candidate</span>
    <span><svg width="26" height="12"><path d="M1 6h25" stroke="var(--faint)" stroke-width="2" stroke-dasharray="2 3"/></svg>forming</span>
    <span><svg width="26" height="12"><path d="M0 11 8 1M6 11 14 1M12 11 20 1M18 11 26 1" stroke="var(--faint)"
      fill="none"/></svg>down</span>
    <span><svg width="26" height="12"><path d="M2 11 8 1M7 11 13 1M12 11 18 1M17 11 23 1" stroke="var(--soft)" stroke-width="2.4"
      fill="none"/></svg>paused</span>
    <span><svg width="34" height="12"><rect y="1" width="10" height="10" fill="var(--term1)"/><rect x="12" y="1" width="10" height="10"
      fill="var(--term2)"/><rect x="24" y="1" width="10" height="10" fill="var(--term3)"/></svg>a colour for each term</span>
    <span><svg width="22" height="12"><path d="M0 6h22" stroke="var(--log)" stroke-width="1.4"/></svg>log</span>
    <span><svg width="22" height="12"><path d="M0 6h22" stroke="var(--election)" stroke-width="1.6"/></svg>election</span>
    <span><svg width="22" height="12"><path d="M0 6h22" stroke="var(--faint)" opacity=".7"/></svg>heartbeat</span>
    <span><svg width="22" height="12"><path d="M0 6h22" stroke="var(--other)" stroke-dasharray="4 2"/></svg>other</span>
    <span><svg width="12" height="12"><path d="m2 2 8 8M2 10l8-8" stroke="var(--red)" stroke-width="1.7"/></svg>lost</span>
    <span><svg width="26" height="12"><rect width="26" height="12" fill="var(--fault)" opacity=".22"/><rect width="2" height="12"
      fill="var(--fault)"/></svg>fault</span>
    <span><svg width="26" height="12"><rect width="26" height="12" fill="var(--good)" opacity=".22"/><path d="M.8 0v12M25.2 0v12"
      stroke="var(--good)" stroke-width="1.6"/></svg>done</span>
    <span><svg width="26" height="12"><rect width="26" height="12" fill="var(--red)" opacity=".22"/><path d="M.8 0v12M25.2 0v12"
      stroke="var(--red)" stroke-width="1.6"/></svg>failed</span>
    <span><svg width="26" height="12"><rect width="26" height="12" fill="var(--faint)" opacity=".25"/><path d="M.8 0v12"
      stroke="var(--faint)" stroke-width="1.6"/></svg>never answered</span>
    </div>
    </section>
    <aside>
    <h2><span>Nodes</span><time id="when"></time></h2>
    <table>
    <thead><tr><th>node</th><th>role</th><th>term</th><th>last</th><th>durable</th><th>commit</th><th>applied</th></tr></thead>
    <tbody id="states"></tbody>
    </table>
    <h2><span>Events</span></h2>
    <ol class="events" id="events" tabindex="0" aria-label="Events near the cursor"></ol>
    </aside>
    </main>
    <noscript><p>The diagram is drawn by a script in this page, which the browser does not run.</p></noscript>
    """#

  static let keys = #"""
    <p>Wheel or pinch zooms, dragging pans, a click sets the cursor.
    <kbd>+</kbd> <kbd>-</kbd> zoom, <kbd>&larr;</kbd> <kbd>&rarr;</kbd> pan, <kbd>,</kbd> <kbd>.</kbd> event by event,
    <kbd>space</kbd> plays,
    <kbd>0</kbd> the whole run, <kbd>v</kbd> the violation, <kbd>h</kbd> <kbd>m</kbd> <kbd>o</kbd> heartbeats, messages, operations.
    The address of the page names the place: copy it to show it to others.</p>
    """#

  /// Listens to the reader, and begins.
  static let controls = #"""
    // MARK: Keys and buttons

    function toggle(name, on = !show[name]) {
      show[name] = find(name).checked = on;
      under = null;
      refresh();
    }

    const lookAtViolation = () => trace.violations.length && lookBefore(trace.violations[0].at);

    const keys = {
      '+': () => zoom(.6, cursorOrMiddle()), '=': () => zoom(.6, cursorOrMiddle()), '-': () => zoom(1 / .6, cursorOrMiddle()),
      ArrowLeft: () => pan(-.12), ArrowRight: () => pan(.12), PageUp: () => pan(-.9), PageDown: () => pan(.9),
      Home: () => moveTo(trace.start), End: () => moveTo(trace.end), ',': () => hop(-1), '.': () => hop(1),
      ' ': () => play(!playing), 0: () => look(whole.from, whole.to), v: lookAtViolation,
      h: () => toggle('heartbeats'), m: () => toggle('messages'), o: () => toggle('operations'),
    };

    const cursorOrMiddle = () => cursor >= view.from && cursor <= view.to ? cursor : (view.from + view.to) / 2;

    document.addEventListener('keydown', event => {
      const isControl = event.target.closest('input, button, .events');
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isControl && event.key.length > 1 || event.target.closest('button, input') && event.key === ' ') return;
      event.preventDefault();
      pointer = under = null;
      keys[event.key]();
    });

    find('play').onclick = () => play(!playing);
    find('out').onclick = keys['-'];
    find('in').onclick = keys['+'];
    find('all').onclick = keys[0];
    find('violation').onclick = lookAtViolation;
    if (!trace.violations.length) find('violation').remove();
    find('scrub').oninput = event => moveTo(trace.start + event.target.value / 10000 * (trace.end - trace.start));
    for (const name of Object.keys(show)) find(name).onchange = event => toggle(name, event.target.checked);
    for (const button of document.querySelectorAll('.copy')) button.onclick = () => copy(button);

    async function copy(button) {
      try {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
      }
    }

    // MARK: Pointers

    const diagram = find('diagram'), held = new Map();
    let moved = 0;

    const place = event => {
      const box = diagram.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };

    diagram.addEventListener('wheel', event => {
      event.preventDefault();
      const { x } = place(event), isAcross = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (isAcross) pan((event.deltaX || event.deltaY) / at.width);
      else zoom(Math.exp(Math.max(-80, Math.min(80, event.deltaY)) * (event.ctrlKey ? .01 : .003)), at.time(x));
    }, { passive: false });

    diagram.addEventListener('pointerdown', event => {
      diagram.setPointerCapture(event.pointerId);
      held.set(event.pointerId, place(event));
      if (held.size === 1) moved = 0;
    });

    diagram.addEventListener('pointermove', event => {
      const now = place(event), before = held.get(event.pointerId);
      if (before) drag(event.pointerId, before, now);
      held.has(event.pointerId) && held.set(event.pointerId, now);
      pointer = held.size || event.pointerType === 'touch' ? null : now;
      under = pointer && at && pick(now.x, now.y);
      refreshOver();
    });

    // With one finger the window moves; with two, both stay on their times.
    function drag(id, before, now) {
      moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
      if (moved < 5) return;
      diagram.classList.add('dragged');
      const other = [...held].find(([key]) => key !== id);
      const [a, b] = [at.time(before.x), at.time(now.x)];
      if (!other) return look(view.from + a - b, view.to + a - b);
      const fixed = at.time(other[1].x), reach = now.x - other[1].x;
      if (Math.abs(reach) > 20) zoom(Math.abs((before.x - other[1].x) / reach), fixed);
    }

    function release(event) {
      const spot = place(event), isClick = held.delete(event.pointerId) && moved < 5 && event.type === 'pointerup';
      diagram.classList.remove('dragged');
      if (!isClick || spot.x < at.left) return;
      moveTo(at.time(spot.x));
      if (event.pointerType === 'touch') [pointer, under] = [spot, pick(spot.x, spot.y)];
      refresh();
    }

    diagram.addEventListener('pointerup', release);
    diagram.addEventListener('pointercancel', release);
    // A finger leaves when it is lifted: what it pointed at stays.
    diagram.addEventListener('pointerleave', event => {
      if (event.pointerType === 'touch') return;
      pointer = under = null;
      refreshOver();
    });

    const overview = find('overview');

    function lookAround(event) {
      const box = overview.getBoundingClientRect(), span = view.to - view.from;
      const middle = whole.from + (event.clientX - box.left - 8) / (box.width - 16) * (whole.to - whole.from);
      look(middle - span / 2, middle + span / 2);
    }

    overview.addEventListener('pointerdown', event => {
      overview.setPointerCapture(event.pointerId);
      if (span() > .98) zoom(.25, whole.from);
      lookAround(event);
    });
    overview.addEventListener('pointermove', event => event.buttons && lookAround(event));
    const span = () => (view.to - view.from) / (whole.to - whole.from);

    // MARK: The address

    let saving = 0;

    function saveAddress() {
      clearTimeout(saving);
      saving = setTimeout(() => {
        const hidden = Object.keys(show).filter(name => !show[name]);
        const time = value => +(value / 1e9).toFixed(7) + 's';
        const parts = [`at=${time(cursor)}`, `from=${time(view.from)}`, `to=${time(view.to)}`];
        if (hidden.length) parts.push(`hide=${hidden.join(',')}`);
        history.replaceState(null, '', '#' + parts.join('&'));
      }, 400);
    }

    const units = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

    function readTime(text) {
      const [, digits, unit] = /^([\d.]+)(ns|us|ms|s)$/.exec(text ?? '') ?? [];
      return digits === undefined ? NaN : digits * units[unit];
    }

    // Answers whether the address names a place.
    function goToAddress() {
      const parts = new URLSearchParams(location.hash.slice(1)), hidden = (parts.get('hide') ?? '').split(',');
      for (const name of Object.keys(show)) show[name] = find(name).checked = !hidden.includes(name);
      const [cursorTime, from, to] = ['at', 'from', 'to'].map(name => readTime(parts.get(name)));
      if (from < to) look(from, to);
      if (cursorTime >= 0) moveTo(cursorTime); else if (from < to) moveTo(from);
      return from < to || cursorTime >= 0;
    }

    addEventListener('hashchange', goToAddress);

    function restyle() {
      readColours();
      strip = null;
      refresh();
    }

    let width = 0;

    function resize() {
      if (width === diagram.clientWidth) return;
      width = diagram.clientWidth;
      refresh();
    }

    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle);
    new ResizeObserver(resize).observe(diagram);
    find('events').style.setProperty('--name', Math.min(11, 1 + Math.max(...trace.names.map(name => name.length))) + 'ch');
    readColours();
    if (!goToAddress() && trace.violations.length) lookAtViolation();
    refresh();
    """#
}
