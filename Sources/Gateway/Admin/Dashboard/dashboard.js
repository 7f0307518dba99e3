"use strict";
(() => {
  const byId = id => document.getElementById(id);
  const state = {
    node: null, status: null, live: null, history: [], events: [], revision: null, revisions: [],
    selected: null, pending: new Set(), connected: false, heardAt: 0, lostAt: 0, lastEvent: null,
  };
  const keep = { points: 300, events: 400, silence: 4000, retry: 1000 };

  // ---- Making and keeping elements ----

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }
  /** Writes only what differs, so that neither focus nor a selection is lost. */
  function put(element, text) { if (element.textContent !== text) element.textContent = text; }
  function setClass(element, name) { if (element.className !== name) element.className = name; }
  /** Keeps one child of `parent` for each item, in order; `create` makes it, `update` fills it. */
  function list(parent, items, key, create, update) {
    const known = new Map([...parent.children].filter(c => c.dataset.key).map(c => [c.dataset.key, c]));
    let place = parent.firstElementChild;
    for (const item of items) {
      const name = String(key(item));
      let child = known.get(name);
      known.delete(name);
      if (!child) {
        child = create(item);
        child.dataset.key = name;
      }
      if (child !== place) parent.insertBefore(child, place); else place = place.nextElementSibling;
      update(child, item);
    }
    for (const child of known.values()) child.remove();
  }

  // ---- Figures for people ----

  function figure(value) {
    if (Number.isInteger(value) && value < 10000) return String(value);
    if (value < 10) return value.toFixed(value < 1 ? 2 : 1);
    if (value < 10000) return String(Math.round(value));
    return value < 1e6 ? Number((value / 1e3).toPrecision(3)) + "k" : Number((value / 1e6).toPrecision(3)) + "M";
  }
  function milliseconds(value) {
    if (value === null || value === undefined) return "–";
    if (value >= 1000) return (value / 1000).toFixed(1) + " s";
    const text = value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
    return (Number.isInteger(value) ? value : text) + " ms";
  }
  const bytes = value => {
    const units = ["B/s", "kB/s", "MB/s", "GB/s"];
    let unit = 0;
    while (value >= 1000 && unit < 3) { value /= 1000; unit++; }
    return (value < 10 && unit ? value.toFixed(1) : Math.round(value)) + " " + units[unit];
  };
  const clock = time => new Date(time).toLocaleTimeString([], { hour12: false });
  const nodeName = id => state.status?.nodes.find(n => n.id === id)?.name ?? "node " + id;
  /** Events name nodes by number; people know them by name. */
  const named = text => text.replace(/\bnode (\d+)\b/g, (all, id) => nodeName(Number(id)));

  // ---- Talking to the node ----

  let token = sessionStorage.getItem("gwnode-token");
  const headers = more => token ? { ...more, Authorization: "Bearer " + token } : more;

  async function request(path, options = {}) {
    const response = await fetch(path, { ...options, headers: headers(options.headers ?? {}), cache: "no-store" });
    if (response.status === 401) askForToken();
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      throw new Error(problem.detail ?? "the node answered " + response.status);
    }
    return response;
  }

  function askForToken() {
    if (byId("token").hidden) {
      byId("token").hidden = false;
      byId("token-value").focus();
    }
  }

  /** Server-sent events, read by hand: EventSource can neither send a token nor notice silence. */
  async function watch() {
    for (;;) {
      const control = new AbortController();
      const watchdog = setInterval(() => {
        if (state.connected && Date.now() - state.heardAt > keep.silence) control.abort();
      }, 500);
      try {
        const after = state.lastEvent === null ? "" : "?after=" + state.lastEvent;
        const opening = setTimeout(() => control.abort(), keep.silence);
        const response = await request("/v1/stream" + after, { signal: control.signal });
        clearTimeout(opening);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const messages = (rest + value).split("\n\n");
          rest = messages.pop();
          state.heardAt = Date.now();
          for (const message of messages) take(message);
          render();
        }
      } catch (error) {
        control.abort();
      }
      clearInterval(watchdog);
      if (state.connected || !state.lostAt) state.lostAt = Date.now();
      state.connected = false;
      renderConnection();
      await new Promise(done => setTimeout(done, keep.retry));
    }
  }

  function take(message) {
    let kind = null, data = null;
    for (const line of message.split("\n")) {
      if (line.startsWith("event: ")) kind = line.slice(7);
      if (line.startsWith("data: ")) data = line.slice(6);
    }
    if (!kind || data === null) return;
    const document = JSON.parse(data);
    switch (kind) {
      case "hello":
        state.node = document;
        state.connected = true;
        state.lostAt = 0;
        byId("token").hidden = true;
        // Following a link, a browser does not send the token.
        byId("links").hidden = token !== null;
        break;
      case "history": state.history = document; break;
      case "status": state.status = document; break;
      case "sample":
        state.live = document;
        if (state.history.at(-1)?.at !== document.at) state.history.push({ at: document.at, rates: document.total });
        if (state.history.length > keep.points) state.history.shift();
        break;
      case "event":
        if (state.lastEvent !== null && document.sequence <= state.lastEvent) break;
        state.lastEvent = document.sequence;
        state.events.unshift(document);
        if (state.events.length > keep.events) state.events.pop();
        break;
    }
  }

  // ---- Head ----

  function renderHead() {
    const status = state.status;
    put(byId("cluster"), status.cluster);
    document.title = status.cluster + " – gwnode";
    const dead = status.nodes.filter(n => !n.alive).length;
    const down = status.upstreams.flatMap(u => u.backends).filter(b => !b.healthy).length;
    const problems = [];
    if (status.quorum && status.leader === null) problems.push("no leader");
    if (dead) problems.push(dead + (dead === 1 ? " node" : " nodes") + " dead");
    if (down) problems.push(down + (down === 1 ? " backend" : " backends") + " down");
    const unheld = status.virtualAddresses.filter(a => a.holder === null).length;
    if (unheld) problems.push("virtual address not held");
    const verdict = byId("verdict");
    if (!status.quorum) problems.unshift("no quorum");
    setClass(verdict, "verdict " + (!status.quorum ? "bad" : problems.length ? "warn" : "good"));
    put(verdict, problems.length ? problems.join(", ") : "healthy");
    const holders = status.virtualAddresses.map(a =>
      a.address + " at " + (a.holder === null ? "nobody" : nodeName(a.holder)));
    put(byId("addresses"), (holders.length ? "Virtual address " + holders.join(", ") + " · " : "") + "term " + status.term);
  }

  function renderConnection() {
    const line = byId("connection"), notice = byId("notice");
    document.body.classList.toggle("stale", !state.connected && state.status !== null);
    if (state.connected) {
      setClass(line, "connection live");
      put(line, "live from " + state.node.name + " · " + clock(state.heardAt));
      notice.hidden = true;
      put(byId("version"), state.node.name + ", gwnode " + state.node.version);
      return;
    }
    setClass(line, "connection lost");
    const name = state.node?.name ?? location.host;
    if (!byId("token").hidden) return put(line, name + " waits for the token");
    put(line, "no answer from " + name + (state.heardAt ? " since " + clock(state.heardAt) : ""));
    if (!state.node || !state.status) return;
    if (!notice.hidden) return;
    notice.hidden = false;
    notice.replaceChildren();
    const first = make("p");
    first.append(make("strong", "", name + " does not answer."),
      " This page shows what it knew last and asks again every second.");
    notice.append(first);
    const others = state.status.nodes.filter(n => n.id !== state.node.id);
    if (others.length) {
      const second = make("p", "", "A browser lets a page talk only to the node that served it. The other nodes serve the same page: ");
      others.forEach((node, index) => {
        const link = make("a", "", node.name);
        link.href = "http://" + node.admin + "/";
        second.append(index ? ", " : "", link);
      });
      second.append(". An admin address on loopback is reached from its own machine only.");
      notice.append(second);
    }
  }

  // ---- Plots ----

  const plots = {};
  function definePlot(id, title, series, format, parts) {
    const holder = byId(id), caption = make("figcaption"), canvas = make("div", "canvas");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 300 100");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    const piece = (tag, name) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      element.setAttribute("class", name);
      svg.append(element);
      return element;
    };
    for (const y of [1, 50, 99]) {
      const line = piece("line", "grid");
      for (const [name, value] of [["x1", 0], ["x2", 300], ["y1", y], ["y2", y]]) line.setAttribute(name, value);
    }
    const lines = series.map(s => ({ area: s.area ? piece("path", "area " + s.name) : null, line: piece("path", "line " + s.name) }));
    const cross = piece("line", "cross");
    cross.setAttribute("y1", 0);
    cross.setAttribute("y2", 100);
    const top = make("span", "top"), middle = make("span", "middle");
    canvas.append(svg, top, middle);
    const scale = make("div", "scale"), from = make("span"), to = make("span", "", "now");
    scale.append(from, to);
    caption.append(make("h2", "", title));
    const texts = parts.map(([className]) => caption.appendChild(make("span", className)));
    holder.append(caption, canvas, scale);
    const plot = { series, format, parts, svg, lines, cross, top, middle, from, to, texts, at: null, title, spoken: 0 };
    svg.addEventListener("pointermove", event => {
      const box = svg.getBoundingClientRect();
      plot.at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      drawPlot(plot);
    });
    svg.addEventListener("pointerleave", () => { plot.at = null; drawPlot(plot); });
    plots[id] = plot;
  }

  function roundUp(value) {
    if (value <= 0) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return power * [1, 2, 4, 6, 8, 10].find(step => step * power >= value * 1.02);
  }

  function drawPlot(plot) {
    const points = state.history, count = keep.points;
    if (!points.length) return;
    const values = plot.series.map(s => points.map(p => s.value(p.rates)));
    const limit = roundUp(Math.max(plot.series[0].least ?? 0, ...values.flat().filter(v => v !== null)));
    // Time goes to the right edge; a gap is where nothing was measured.
    const end = Date.parse(points.at(-1).at);
    const span = Math.max(60, Math.min(count, (end - Date.parse(points[0].at)) / 1000));
    const x = point => 300 - (end - Date.parse(point.at)) / 1000 / span * 300;
    const y = value => 99 - value / limit * 98;
    plot.series.forEach((series, index) => {
      let line = "", area = "", open = null;
      points.forEach((point, at) => {
        const value = values[index][at];
        if (value === null) { if (open !== null) area += `L${open},99Z`; open = null; return; }
        const place = `${x(point).toFixed(1)},${y(value).toFixed(1)}`;
        const begins = open === null;
        line += (begins ? "M" : "L") + place;
        area += begins ? `M${x(point).toFixed(1)},99L${place}` : "L" + place;
        open = x(point).toFixed(1);
      });
      if (open !== null) area += `L${open},99Z`;
      plot.lines[index].line.setAttribute("d", line);
      plot.lines[index].area?.setAttribute("d", area);
    });
    put(plot.top, plot.format(limit));
    put(plot.middle, plot.format(limit / 2));
    let chosen = points.length - 1;
    if (plot.at !== null) {
      points.forEach((point, at) => { if (Math.abs(x(point) - plot.at * 300) < Math.abs(x(points[chosen]) - plot.at * 300)) chosen = at; });
      for (const name of ["x1", "x2"]) plot.cross.setAttribute(name, x(points[chosen]).toFixed(1));
    }
    plot.cross.setAttribute("visibility", plot.at === null ? "hidden" : "visible");
    plot.parts.forEach(([, text], index) => put(plot.texts[index], text(points[chosen].rates)));
    put(plot.from, span >= 120 ? Math.round(span / 60) + " min ago" : Math.round(span) + " s ago");
    put(plot.to, plot.at === null ? "now" : clock(points[chosen].at));
    if (Date.now() - plot.spoken > 10000) {
      plot.spoken = Date.now();
      plot.svg.setAttribute("aria-label", plot.title + ": " + plot.parts.map(([, text]) => text(points.at(-1).rates)).join(", "));
    }
  }

  const share = rates => rates.requestsPerSecond > 0 ? rates.errorsPerSecond / rates.requestsPerSecond * 100 : 0;
  definePlot("plot-rate", "Requests", [{ name: "rate", value: r => r.requestsPerSecond, area: true, least: 8 }], figure, [
    ["figure-now", r => figure(r.requestsPerSecond) + " /s"],
    ["figure-side", r => r.retriesPerSecond ? figure(r.retriesPerSecond) + " retries/s" : "no retries"],
  ]);
  definePlot("plot-errors", "Errors (5xx)", [{ name: "errors", value: r => share(r), area: true, least: 0.9 }], v => figure(v) + " %", [
    ["figure-now", r => figure(share(r)) + " %"],
    ["figure-side", r => figure(r.errorsPerSecond) + " /s"],
  ]);
  definePlot("plot-latency", "Latency", [
    { name: "p99", value: r => r.p99Milliseconds }, { name: "p90", value: r => r.p90Milliseconds },
    { name: "p50", value: r => r.p50Milliseconds }], milliseconds, [
    ["figure-now", r => milliseconds(r.p99Milliseconds)],
    ["figure-side key p99", () => "p99"],
    ["figure-side key p90", r => "p90 " + milliseconds(r.p90Milliseconds)],
    ["figure-side key p50", r => "p50 " + milliseconds(r.p50Milliseconds)],
  ]);

  // ---- Nodes ----

  function facts(names, low) {
    const block = make("dl", low ? "facts low" : "facts"), values = [];
    for (const name of names) {
      block.append(make("dt", "", name));
      values.push(block.appendChild(make("dd")));
    }
    return { block, values };
  }

  function createNode() {
    const item = make("li"), head = make("div", "node-head");
    const title = make("h3"), role = make("span", "tag"), standing = make("span", "tag blue"), here = make("span", "here");
    head.append(title, role, standing, here);
    const holds = make("p", "node-holds");
    const upper = facts(["requests/s", "errors/s", "p50", "p99"]), lower = facts(["term", "trails by", "clients", "sent"], true);
    item.append(head, holds, upper.block, lower.block);
    item.parts = { title, role, standing, here, holds, upper: upper.values, lower: lower.values };
    return item;
  }

  function updateNode(item, node) {
    const parts = item.parts, live = state.live?.nodes.find(n => n.id === node.id);
    setClass(item, "node " + node.role);
    put(parts.title, node.name);
    put(parts.role, node.role);
    setClass(parts.role, "tag " + ({ leader: "good", candidate: "warn", unreachable: "bad" }[node.role] ?? ""));
    const standing = node.transition ?? (node.drained ? "drained" : node.member === "voter" ? "" : node.member);
    put(parts.standing, standing);
    parts.standing.hidden = !standing;
    put(parts.here, node.id === state.node?.id ? "serves this page" : "");
    const held = state.status.virtualAddresses.filter(a => a.holder === node.id).map(a => a.address);
    parts.holds.replaceChildren();
    if (held.length) parts.holds.append("holds ", make("b", "", held.join(", ")));
    else parts.holds.append(node.alive ? "admin " + node.admin : "last known, admin " + node.admin);
    const known = live?.known ? live : null;
    put(parts.upper[0], known ? figure(known.rates.requestsPerSecond) : "–");
    put(parts.upper[1], known ? figure(known.rates.errorsPerSecond) : "–");
    setClass(parts.upper[1], known?.rates.errorsPerSecond > 0 ? "bad" : "");
    put(parts.upper[2], milliseconds(known?.rates.p50Milliseconds));
    put(parts.upper[3], milliseconds(known?.rates.p99Milliseconds));
    put(parts.lower[0], node.term === null ? "–" : String(node.term));
    put(parts.lower[1], node.trailing === null ? "–" : String(node.trailing));
    setClass(parts.lower[1], node.trailing > 1000 ? "warn" : "");
    put(parts.lower[2], known ? figure(known.clientConnections) : "–");
    put(parts.lower[3], known ? bytes(known.sentBytesPerSecond) : "–");
  }

  // ---- Upstreams ----

  function createUpstream(upstream) {
    const block = make("div", "upstream"), head = make("div", "upstream-head"), title = make("h3");
    const texts = ["", "", "", "", ""].map(() => make("p"));
    head.append(title, ...texts);
    const table = make("table"), top = make("thead"), row = make("tr"), body = make("tbody"), scroll = make("div", "scroll");
    for (const [text, name] of [["Backend"], ["State"], ["Why"], ["Weight", "number weight"], ["Active", "number"], ["Change"]]) {
      const cell = make("th", name ?? "", text);
      cell.scope = "col";
      row.append(cell);
    }
    top.append(row);
    table.append(make("caption", "", "Backends of " + upstream.name), top, body);
    scroll.append(table);
    block.append(head, scroll);
    block.parts = { title, texts, body };
    return block;
  }

  function pair(element, value, label, isBad) {
    const text = value + " " + label;
    setClass(element, isBad ? "bad" : "");
    if (element.textContent === text) return;
    element.replaceChildren(make("b", "", value), " " + label);
  }

  function updateUpstream(block, upstream) {
    const { title, texts, body } = block.parts;
    const rates = state.live?.upstreams.find(u => u.name === upstream.name)?.rates;
    put(title, upstream.name);
    const desired = upstream.scaling?.desired ?? null;
    put(texts[0], upstream.algorithm + (desired === null ? "" : ", asks for " + desired + (desired === 1 ? " backend" : " backends")));
    if (rates) {
      pair(texts[1], figure(rates.requestsPerSecond), "requests/s");
      pair(texts[2], figure(rates.errorsPerSecond), "errors/s", rates.errorsPerSecond > 0);
      pair(texts[3], milliseconds(rates.p50Milliseconds) + " / " + milliseconds(rates.p99Milliseconds), "p50 / p99");
    }
    const queue = upstream.queue ?? null;
    if (queue) pair(texts[4], String(queue.waiting), "waiting: " + queue.reason, true);
    else put(texts[4], "");
    list(body, upstream.backends, b => b.address, b => createBackend(upstream.name, b), updateBackend);
  }

  function createBackend(upstream, backend) {
    const row = make("tr"), parts = {};
    for (const [name, className] of [["address", "address"], ["condition", "condition"], ["reason", "reason"], ["weight", "number weight"], ["active", "number active"], ["actions", "actions"]]) {
      parts[name] = row.appendChild(make("td", className));
    }
    parts.state = parts.condition.appendChild(make("span"));
    parts.buttons = ["enabled", "draining", "disabled"].map(mode => {
      const button = parts.actions.appendChild(make("button", "", { enabled: "Enable", draining: "Drain", disabled: "Disable" }[mode]));
      button.type = "button";
      button.dataset.mode = mode;
      button.setAttribute("aria-label", button.textContent + " " + backend.address + " of " + upstream);
      button.addEventListener("click", () => changeMode(upstream, backend.address, mode));
      return button;
    });
    row.upstream = upstream;
    row.parts = parts;
    return row;
  }

  function updateBackend(row, backend) {
    const parts = row.parts, isEnabled = backend.mode === "enabled";
    put(parts.address, backend.address);
    const word = !backend.healthy ? "down" : isEnabled ? "up" : backend.mode;
    put(parts.state, !backend.healthy && !isEnabled ? "down, " + backend.mode : word);
    setClass(parts.state, "state " + word);
    setClass(row, backend.healthy ? (isEnabled ? "" : "off") : "down");
    put(parts.reason, backend.reason);
    put(parts.weight, String(backend.weight));
    put(parts.active, String(backend.activeRequests));
    const isPending = state.pending.has(row.upstream + " " + backend.address);
    for (const button of parts.buttons) {
      button.hidden = button.dataset.mode === backend.mode;
      button.disabled = isPending || !state.connected;
    }
  }

  async function changeMode(upstream, address, mode) {
    const name = upstream + " " + address;
    state.pending.add(name);
    render();
    try {
      const path = "/v1/backends/" + encodeURIComponent(upstream) + "/" + encodeURIComponent(address);
      await request(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ mode }) });
      say(address + " is " + mode);
    } catch (error) {
      say(address + " was not changed: " + error.message, true);
    }
    state.pending.delete(name);
    render();
  }

  let hideSaid = 0;
  function say(text, isProblem) {
    put(byId("spoken"), text);
    if (!isProblem) return;
    const notice = byId("notice");
    notice.hidden = false;
    notice.replaceChildren(make("p", "", text));
    clearTimeout(hideSaid);
    hideSaid = setTimeout(() => { if (state.connected) notice.hidden = true; }, 8000);
  }

  // ---- Timeline ----

  function kindOf(event) {
    if (event.kind === "leader-elected") return "election";
    if (event.kind.startsWith("virtual-addresses")) return "address";
    if (event.kind === "backend-health-changed") return / down:/.test(event.text) ? "down" : "up";
    if (event.kind === "backend-mode-changed") return "mode";
    return event.kind.startsWith("configuration") ? "revised" : "other";
  }

  let shownEvents = 0;
  function renderEvents() {
    const rows = [];
    let day = new Date().toDateString();
    for (const event of state.events) {
      const its = new Date(event.at).toDateString();
      if (its !== day) rows.push({ day: its });
      day = its;
      rows.push(event);
    }
    const isFirst = shownEvents === 0;
    list(byId("events"), rows, r => r.day ?? r.sequence, row => {
      if (row.day) return make("li", "event day", row.day);
      const item = make("li", "event " + kindOf(row) + (isFirst ? "" : " new")), time = make("time", "", clock(row.at));
      time.dateTime = row.at;
      time.title = row.at;
      const dot = make("i");
      dot.setAttribute("aria-hidden", "true");
      item.append(time, dot, make("span"));
      return item;
    }, (item, row) => { if (!row.day) put(item.lastElementChild, named(row.text)); });
    shownEvents = state.events.length;
  }

  // ---- Configuration ----

  async function loadRevisions() {
    try {
      state.revisions = (await (await request("/v1/config/history?stale")).json()).revisions;
      renderRevisions();
      if (state.revisions.length) await showRevision(state.revisions[0].revision);
    } catch (error) {
      state.revision = null;
    }
  }

  function renderRevisions() {
    list(byId("revisions"), state.revisions, r => r.revision, revision => {
      const item = make("li"), button = make("button");
      button.type = "button";
      button.append(make("b", "", "Revision " + revision.revision), make("small", "", ""), make("small", "", revision.author));
      button.title = revision.author;
      button.addEventListener("click", () => showRevision(revision.revision));
      item.append(button);
      return item;
    }, (item, revision) => {
      const button = item.firstElementChild;
      button.setAttribute("aria-pressed", String(revision.revision === state.selected));
      const at = new Date(revision.at);
      put(button.children[1], (revision.inForce ? "in force, " : "") + at.toLocaleDateString([], { month: "short", day: "numeric" }) + " " + clock(at));
    });
    const current = state.revisions.find(r => r.inForce);
    put(byId("config-aside"), current ? "revision " + current.revision + " by " + current.author : "none yet");
  }

  async function showRevision(revision) {
    state.selected = revision;
    renderRevisions();
    const block = byId("diff"), older = state.revisions.map(r => r.revision).filter(r => r < revision);
    try {
      const path = older.length
        ? "/v1/config/diff?stale&from=" + Math.max(...older) + "&to=" + revision : "/v1/config?stale&revision=" + revision;
      const text = await (await request(path)).text();
      if (state.selected !== revision) return;
      const lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      block.replaceChildren(...lines.map(line => {
        const kinds = older.length ? { "+": "added", "-": "removed", "@": "hunk" } : {};
        const isFile = older.length && (line.startsWith("--- ") || line.startsWith("+++ "));
        return make("div", isFile ? "file" : kinds[line[0]] ?? "", line || " ");
      }));
      if (!lines.length) block.replaceChildren(make("p", "", "The text is that of the revision before."));
      block.scrollTop = 0;
    } catch (error) {
      block.replaceChildren(make("p", "", error.message));
    }
  }

  // ---- All of it ----

  function render() {
    if (!state.status) return;
    renderHead();
    renderConnection();
    Object.values(plots).forEach(drawPlot);
    list(byId("nodes"), state.status.nodes, n => n.id, createNode, updateNode);
    list(byId("upstreams"), state.status.upstreams, u => u.name, createUpstream, updateUpstream);
    renderEvents();
    if (state.connected && state.revision !== state.status.revision) {
      state.revision = state.status.revision;
      loadRevisions();
    }
  }

  byId("token").addEventListener("submit", event => {
    event.preventDefault();
    token = byId("token-value").value;
    sessionStorage.setItem("gwnode-token", token);
    byId("token").hidden = true;
  });
  watch();
})();
