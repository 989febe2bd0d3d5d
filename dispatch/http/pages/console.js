import { $, Line, addressText, api, both, clockText, el, notice, signIn, sync, zh } from "./common.js";
import { ZoneMap } from "./map.js";

const GONE = new Set(["resolved", "closed", "merged", "cancelled"]);
const WITH_CREW = new Set(["claimed", "en_route", "arrived"]);
const WITH_DISPATCHER = new Set(["unzoned", "held", "suspended", "transferred"]);
const ROWS = 150;
const orders = new Map();
const crews = new Map();
const names = new Map();
let token, seq = null, epoch = null, chosen = null, chosenVersion = null, aheadMs = 0, drawing = false;
const map = new ZoneMap($("map"), { pick: choose });

signIn("console", async (given) => {
  token = given;
  try {
    map.show(await api("/zones", token));
  } catch (error) {
    notice(error.message, true);
    if (error.status === 401) {
      $("state").textContent = "令牌无效 this token is not valid here";
      return;
    }
  }
  new Line("/ws/v1/console", {
    hello: () => ({ token, resume_after: seq, ...(epoch ? { epoch } : {}) }),
    heard,
    state(state, why) {
      const words = { connecting: "连接中 connecting", online: "在线 online", offline: "断线，重连中 reconnecting", over: why };
      $("state").textContent = words[state];
      $("state").className = `tag ${state === "online" ? "met" : "at_risk"}`;
    },
  });
  learnNames();
});

/** Names are not in the log; a monitor may not see them, and sees ids. */
async function learnNames() {
  try {
    let next = null;
    do {
      const page = await api(`/crews?limit=500${next ? `&cursor=${encodeURIComponent(next)}` : ""}`, token);
      for (const crew of page.items) names.set(crew.id, crew.name);
      next = page.next;
    } while (next);
  } catch { /* ids will do */ }
  later();
}

function heard(message) {
  if (message.type === "snapshot") {
    aheadMs = Date.parse(message.server_time) - Date.now();
    epoch = message.epoch;
    seq = message.seq;
    if (!message.resumed) {
      for (const id of [...orders.keys()]) drop(id);
      for (const id of crews.keys()) map.put("crew", id, null);
      crews.clear();
      for (const crew of message.crews) keepCrew(crew);
      for (const order of message.orders) keep(order);
    }
  } else if (message.type === "event") {
    seq = message.seq;
    take(message);
  } else if (message.type === "positions") {
    for (const fix of message.positions) {
      const crew = crews.get(fix.crew);
      if (crew) keepCrew({ ...crew, position: fix });
    }
  } else if (message.type === "error") {
    notice(message.detail, true);
  }
  later();
}

function take(event) {
  if (event.order) {
    const order = event.data.order;
    if (GONE.has(order.state)) drop(order.id);
    else keep(order);
    if (order.id === chosen) showDetail();
  } else if (event.kind === "crew.added") {
    keepCrew({ id: event.crew, state: "off", position: null, skills: event.data.skills ?? [], home_zone: event.data.home_zone });
    learnNames();
  } else if (event.kind === "crew.shift_started" || event.kind === "crew.shift_ended") {
    const on = event.kind === "crew.shift_started";
    const crew = crews.get(event.crew);
    if (crew) keepCrew({ ...crew, on, position: on ? crew.position : null });
  } else if (event.kind === "zones.replaced") {
    api("/zones", token).then((zones) => map.show(zones), () => {});
  }
  const about = event.order ? zh(event.data.order.category) : event.crew ? nameOf(event.crew) : "";
  const row = el("li", {}, el("span", { class: "mono soft" }, new Date(event.at).toLocaleTimeString("zh-CN")), ` ${event.kind} ${about}`);
  if (event.order) row.addEventListener("click", () => choose(event.order));
  $("events").prepend(row);
  while ($("events").children.length > 60) $("events").lastChild.remove();
}

function keep(order) {
  orders.set(order.id, order);
  map.put("order", order.id, order.location, `${order.state}${order.id === chosen ? " chosen" : ""}`, `${zh(order.category)} ${zh(order.state)}`);
}

function drop(id) {
  orders.delete(id);
  map.put("order", id, null);
}

function keepCrew(crew) {
  const kept = { on: crew.state !== "off", ...crew };
  crews.set(crew.id, kept);
  map.put("crew", crew.id, kept.on ? kept.position : null, stateOf(kept), nameOf(crew.id));
}

const nameOf = (id) => names.get(id) ?? crews.get(id)?.name ?? id;
const loadOf = (id) => [...orders.values()].filter((order) => order.crew === id && WITH_CREW.has(order.state)).length;
const stateOf = (crew) => (!crew.on ? "off" : loadOf(crew.id) ? "busy" : "idle");

// Drawing: at most four times a second, however fast the events come.

function later() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    draw();
  }, 250);
}

function shown(order) {
  switch ($("show").value) {
    case "dispatcher": return WITH_DISPATCHER.has(order.state);
    case "offered": return order.state === "offered";
    case "crew": return WITH_CREW.has(order.state);
    default: return true;
  }
}

function rank(order) {
  return WITH_DISPATCHER.has(order.state) ? 0 : order.state === "offered" ? 1 : 2;
}

function draw() {
  const load = new Map();
  for (const order of orders.values()) if (WITH_CREW.has(order.state)) load.set(order.crew, (load.get(order.crew) ?? 0) + 1);
  const list = [...orders.values()].filter(shown);
  list.sort((a, b) => rank(a) - rank(b) || b.severity - a.severity || a.reported_at.localeCompare(b.reported_at));
  $("order-count").textContent = list.length > ROWS ? `${ROWS} / ${list.length}` : list.length;
  sync($("orders"), list.slice(0, ROWS).map((order) => ({ key: order.id, order, crew: order.crew && nameOf(order.crew), chosen: order.id === chosen })), orderRow);
  const people = [...crews.values()].map((crew) => ({
    key: crew.id,
    name: nameOf(crew.id),
    state: !crew.on ? "off" : load.get(crew.id) ? "busy" : "idle",
    home_zone: crew.home_zone,
    skills: crew.skills,
    load: load.get(crew.id) ?? 0,
  }));
  people.sort((a, b) => (a.state === "off") - (b.state === "off") || a.name.localeCompare(b.name, "zh-CN"));
  const on = people.filter((crew) => crew.state !== "off").length;
  $("crew-count").textContent = `${on} / ${people.length}`;
  sync($("crews"), people.slice(0, ROWS), crewRow);
  for (const crew of people) {
    const spot = crews.get(crew.key);
    map.put("crew", crew.key, spot.on ? spot.position : null, crew.state, crew.name);
  }
  const count = (states) => [...orders.values()].filter((order) => states.has(order.state)).length;
  $("totals").textContent = `待调度 ${count(WITH_DISPATCHER)} · 待抢 ${count(new Set(["offered"]))} · 在办 ${count(WITH_CREW)}`;
  tick();
}

function orderRow({ order, crew, chosen: marked }) {
  const arrival = order.clocks.arrival;
  return el(
    "tr",
    { class: `pick${marked ? " chosen" : ""}`, "data-order": order.id, on: { click: () => choose(order.id) } },
    el("td", {}, el("span", { class: `tag s${order.severity}` }, order.severity), ` ${zh(order.category)}`),
    el("td", {}, el("span", { class: "tag" }, zh(order.state))),
    el("td", {}, order.zone ?? "—"),
    el("td", {}, addressText(order.address)),
    el("td", {}, crew ?? "—"),
    el("td", { class: "n" }, arrival && !arrival.stopped_at ? el("span", { class: "count", "data-until": arrival.due_at }) : "—"),
  );
}

function crewRow(crew) {
  return el(
    "tr",
    {},
    el("td", {}, crew.name),
    el("td", {}, zh(crew.state)),
    el("td", {}, crew.home_zone ?? "—"),
    el("td", {}, (crew.skills ?? []).join(", ")),
    el("td", { class: "n" }, crew.load),
  );
}

function tick() {
  for (const spot of document.querySelectorAll("[data-until]")) {
    const seconds = (Date.parse(spot.dataset.until) - Date.now() - aheadMs) / 1000;
    spot.textContent = clockText(seconds);
    spot.classList.toggle("bad", seconds < 0);
  }
}
setInterval(tick, 1000);
$("show").addEventListener("change", draw);

// One order, and what a dispatcher does to it

function choose(id) {
  const before = orders.get(chosen);
  chosen = id;
  if (before) keep(before);
  if (orders.has(id)) keep(orders.get(id));
  $("detail").replaceChildren();
  showDetail();
  draw();
}

async function showDetail() {
  const id = chosen;
  let order, candidates = [];
  try {
    order = await api(`/orders/${encodeURIComponent(id)}`, token);
    if (!GONE.has(order.state)) candidates = (await api(`/orders/${encodeURIComponent(id)}/candidates?limit=30`, token)).items;
  } catch (error) {
    if (!order) return notice(error.message, true);
  }
  if (id !== chosen) return undefined;
  chosenVersion = order.version;
  const box = $("detail");
  box.hidden = false;
  if (!box.firstChild) box.append(el("div", { id: "facts" }), actions(id));
  $("facts").replaceChildren(...facts(order));
  fillCandidates(candidates);
  return undefined;
}

function facts(order) {
  const who = order.contact ? `${order.contact.name ?? ""} ${order.contact.phone ?? ""}` : "";
  const story = order.timeline.slice(-12).map((event) =>
    el("li", {}, el("span", { class: "mono soft" }, new Date(event.at).toLocaleTimeString("zh-CN")), ` ${event.kind} `, el("span", { class: "soft" }, event.data.reason ?? "")),
  );
  return [
    el("div", { class: "row" }, el("b", {}, both(order.category)), el("span", { class: `tag s${order.severity}` }, `${order.severity} 级`), el("span", { class: "tag" }, both(order.state)), el("span", { class: "soft grow mono" }, order.id)),
    el("div", {}, addressText(order.address), order.crew ? ` → ${nameOf(order.crew)} (${order.claimed_by})` : ""),
    el("div", { class: "soft" }, order.description ?? "", " ", who),
    el("ol", { class: "events" }, ...story.reverse()),
  ];
}

function actions(id) {
  const reason = el("input", { id: "reason", class: "grow", placeholder: "原因（必填）reason, required", maxlength: 2000 });
  const crew = el("select", { id: "crew", "aria-label": "crew" });
  const button = (action, words, english, cls = "") =>
    el("button", { class: cls, "data-action": action, on: { click: () => act(id, action, reason, crew.value) } }, `${words} `, el("small", {}, english));
  return el(
    "div",
    {},
    el("div", { class: "row" }, reason),
    el("div", { class: "row" }, crew, button("assign", "派单", "assign", "main"), button("offer", "重新放单", "offer again"), button("hold", "挂单", "hold"), button("release", "解除", "release"), button("revoke", "收回", "revoke"), button("cancel", "取消", "cancel", "danger"), button("undo", "撤销上一步", "undo")),
  );
}

function fillCandidates(candidates) {
  const select = $("crew");
  const before = select.value;
  select.replaceChildren(
    el("option", { value: "" }, "选择人员 choose a crew"),
    ...candidates.map((c) =>
      el("option", { value: c.crew }, `${nameOf(c.crew)} ${c.eta_s == null ? "" : `${Math.ceil(c.eta_s / 60)} min `}${c.eligible ? "" : `(${c.reasons.join(", ")})`}`),
    ),
  );
  select.value = candidates.some((c) => c.crew === before) ? before : "";
}

async function act(id, action, reason, crew) {
  if (!reason.value.trim()) {
    notice("请填写原因 say why; it is kept", true);
    reason.focus();
    return;
  }
  if (action === "assign" && !crew) {
    notice("请选择人员 choose a crew", true);
    return;
  }
  try {
    const body = { action, reason: reason.value.trim(), version: chosenVersion, ...(action === "assign" ? { crew } : {}) };
    await api(`/orders/${encodeURIComponent(id)}/override`, token, { method: "POST", body });
    notice("已执行 done");
    reason.value = "";
  } catch (error) {
    notice(error.message, true);
  }
  showDetail();
}
