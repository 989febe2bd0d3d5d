import { $, Line, addressText, both, clockText, el, newId, notice, signIn, sync, zh } from "./common.js";

const FIX_EVERY_MS = 6000; // an arrival is proved by two fixes at least 5 s apart
const offers = new Map();
const orders = new Map();
const bids = new Map(); // order id -> "asked" or "in"
const pending = new Map(); // commands without an answer, by id: sent again after a reconnect
let line, me, token, seq = null, epoch = null, onShift = false, wanted = null, fix = null, aheadMs = 0, gps = null;

signIn("crew", (given) => {
  token = given;
  line = new Line("/ws/v1/crew", {
    hello: () => ({ token, resume_after: seq, ...(epoch ? { epoch } : {}) }),
    heard,
    state: showState,
  });
});

function showState(state, why) {
  const words = { connecting: "连接中 connecting", online: "在线 online", offline: "断线，重连中 reconnecting", over: why };
  $("state").textContent = words[state];
  $("state").className = `tag ${state === "online" ? "met" : "at_risk"}`;
  if (state === "over") notice(why, true);
  draw();
}

const HEARD = {
  welcome(message) {
    me = message.crew;
    epoch = message.epoch;
    aheadMs = Date.parse(message.server_time) - Date.now();
    onShift = wanted ?? message.on_shift;
    if (!message.resumed) {
      seq = message.seq;
      offers.clear();
      orders.clear();
      bids.clear();
      for (const { mode, closes_at, eta_s, distance_m, ...order } of message.offers) {
        offers.set(order.id, { order, mode, closes_at, eta_s, distance_m });
      }
      for (const order of message.orders) orders.set(order.id, order);
    }
    if (wanted !== null) line.send({ type: "shift", on: wanted });
    sendFix();
    for (const command of pending.values()) line.send(command);
  },
  offer(message) {
    offers.set(message.order.id, message);
    bids.delete(message.order.id);
  },
  offer_closed(message) {
    if (offers.delete(message.order) && bids.delete(message.order)) notice(`${zh(message.reason)} ${message.reason}`);
  },
  grab_ack(message) {
    pending.delete(message.id);
    bids.set(message.order, "in");
  },
  grab_result(message) {
    pending.delete(message.id);
    bids.delete(message.order);
    // A lost bid does not end the offer: its `offer_closed` does.
    notice(both(message.reason), !message.won);
  },
  assigned(message) {
    offers.delete(message.order.id);
    orders.set(message.order.id, message.order);
    notice(`派给您一单 assigned to you: ${zh(message.order.category)}`);
  },
  revoked(message) {
    orders.delete(message.order);
    notice(`工单已收回 taken back: ${message.reason ?? ""}`, true);
  },
  updated(message) {
    const order = message.order;
    if (order.crew !== me) {
      if (offers.has(order.id)) offers.get(order.id).order = order;
      return;
    }
    offers.delete(order.id);
    bids.delete(order.id);
    if (order.state === "resolved" || order.state === "closed") orders.delete(order.id);
    else orders.set(order.id, order);
  },
  progress_ack(message) {
    pending.delete(message.id);
    if (message.error) notice(message.detail || message.error, true);
    else if (message.unverified) notice("已到场，但位置未证实 arrived, but your position does not prove it", true);
  },
  error(message) {
    if (message.id) pending.delete(message.id);
    notice(message.detail, true);
  },
};

function heard(message) {
  if (message.type !== "welcome" && message.seq !== undefined) {
    if (seq !== null && message.seq < seq) return; // replayed
    seq = message.seq;
    line.send({ type: "ack", seq });
  }
  HEARD[message.type]?.(message);
  draw();
}

function command(message) {
  const whole = { ...message, id: newId() };
  pending.set(whole.id, whole);
  line.send(whole);
}

function grab(order) {
  bids.set(order, "asked");
  command({ type: "grab", order });
  draw();
}

function progress(order, to, more = {}) {
  command({ type: "progress", order, to, at: new Date().toISOString(), ...more });
}

// Shift and position

$("shift").addEventListener("click", () => {
  onShift = wanted = !onShift;
  line.send({ type: "shift", on: wanted });
  if (wanted) sendFix();
  draw();
});

$("place").addEventListener("submit", (event) => {
  event.preventDefault();
  const [lon, lat] = [Number($("lon").value), Number($("lat").value)];
  if (!$("lon").value || !$("lat").value || !(Math.abs(lon) <= 180) || !(Math.abs(lat) <= 90)) {
    notice("请填写经度和纬度 give longitude and latitude in degrees", true);
    return;
  }
  stopGps();
  fix = { lon, lat, accuracy_m: 20, crs: $("crs").value };
  sendFix();
  draw();
});

$("locate").addEventListener("click", () => {
  stopGps();
  if (!navigator.geolocation) {
    notice("此浏览器不能定位 this browser cannot tell where it is", true);
    return;
  }
  gps = navigator.geolocation.watchPosition(
    ({ coords }) => {
      fix = { lon: coords.longitude, lat: coords.latitude, accuracy_m: coords.accuracy, crs: "wgs84" };
      draw();
    },
    (error) => notice(`定位失败 no position: ${error.message}`, true),
    { enableHighAccuracy: true, maximumAge: 5000 },
  );
});

function stopGps() {
  if (gps !== null) navigator.geolocation.clearWatch(gps);
  gps = null;
}

function sendFix() {
  if (fix && onShift) line.send({ type: "position", ...fix, at: new Date().toISOString() });
}
setInterval(() => line && sendFix(), FIX_EVERY_MS);

// Drawing

function draw() {
  $("shift").replaceChildren(onShift ? "下班 " : "上班 ", el("small", {}, onShift ? "end shift" : "go on shift"));
  $("shift").className = onShift ? "" : "main";
  $("where").textContent = !fix
    ? "位置未知，不能抢单 no position, so no offers"
    : `位置 ${fix.lon.toFixed(5)}, ${fix.lat.toFixed(5)} ±${Math.round(fix.accuracy_m)} m`;
  $("offer-count").textContent = offers.size;
  $("order-count").textContent = orders.size;
  const open = [...offers.values()].sort((a, b) => b.order.severity - a.order.severity || a.eta_s - b.eta_s);
  const held = [...orders.values()].sort((a, b) => b.severity - a.severity || a.reported_at.localeCompare(b.reported_at));
  $("no-offers").hidden = open.length > 0;
  $("no-orders").hidden = held.length > 0;
  sync($("offers"), open.map((offer) => ({ key: offer.order.id, ...offer, seq: 0, bid: bids.get(offer.order.id) })), offerCard);
  sync($("orders"), held.map((order) => ({ key: order.id, ...order })), orderCard);
  tick();
}

function head(order) {
  return el(
    "div",
    { class: "row" },
    el("b", {}, both(order.category)),
    el("span", { class: `tag s${order.severity}` }, `${order.severity} 级`),
    el("span", { class: "tag" }, zh(order.state)),
    el("span", { class: "soft grow" }, order.zone ?? ""),
  );
}

function offerCard({ order, closes_at, eta_s, distance_m, mode, bid }) {
  const label = bid === "in" ? "已报名，等结果 bid is in" : bid ? "抢单中 …" : "抢单 GRAB";
  return el(
    "div",
    { class: "card", "data-order": order.id },
    head(order),
    el("div", {}, addressText(order.address)),
    order.description ? el("div", { class: "soft" }, order.description) : null,
    el(
      "div",
      { class: "row" },
      el("span", { class: "grow" }, `${(distance_m / 1000).toFixed(1)} km · 约 ${Math.ceil(eta_s / 60)} 分钟 min`),
      el("span", { class: "count", "data-until": closes_at }, ""),
      el("span", { class: "soft" }, mode === "sealed" ? "近者得 nearest wins" : "先到先得 first wins"),
    ),
    el("button", { class: "grab", disabled: Boolean(bid), on: { click: () => grab(order.id) } }, label),
    el("button", { disabled: Boolean(bid), on: { click: () => decline(order.id) } }, "不接 ", el("small", {}, "decline")),
  );
}

function decline(order) {
  command({ type: "decline", order });
  offers.delete(order);
  draw();
}

function orderCard(order) {
  const arrival = order.clocks.arrival;
  return el(
    "div",
    { class: "card", "data-order": order.id },
    head(order),
    el("div", {}, addressText(order.address)),
    order.description ? el("div", { class: "soft" }, order.description) : null,
    order.contact ? el("div", {}, `${order.contact.name ?? ""} ${order.contact.phone ?? ""}`) : null,
    order.location ? el("div", { class: "mono soft" }, `${order.location.lon}, ${order.location.lat}`) : null,
    arrival && !arrival.stopped_at
      ? el("div", {}, "到场时限 arrival due in ", el("span", { class: "count", "data-until": arrival.due_at }, ""))
      : null,
    order.unverified ? el("div", { class: "bad" }, "到场位置未证实 arrival not proved") : null,
    el("div", { class: "row" }, ...steps(order)),
  );
}

function steps(order) {
  const button = (words, english, act, cls = "") =>
    el("button", { class: cls, on: { click: act } }, `${words} `, el("small", {}, english));
  const made = [];
  if (["claimed", "suspended"].includes(order.state)) {
    made.push(button("出发", "set off", () => progress(order.id, "en_route"), "main"));
  }
  if (["claimed", "en_route", "suspended"].includes(order.state)) {
    made.push(button("到场", "arrived", () => progress(order.id, "arrived"), order.state === "en_route" ? "main" : ""));
  }
  if (order.state === "arrived") {
    const warmth = el("input", { class: "short", inputmode: "decimal", placeholder: "室温 °C", "aria-label": "temperature" });
    const note = el("input", { class: "grow", placeholder: "处理情况 what was done", "aria-label": "note" });
    const resolve = () => {
      const evidence = { ...(note.value ? { note: note.value } : {}), ...(warmth.value ? { temperature_c: Number(warmth.value) } : {}) };
      if (Number.isNaN(evidence.temperature_c)) return notice("室温要填数字 the temperature is a number", true);
      return progress(order.id, "resolved", { evidence });
    };
    made.push(warmth, note, button("办结", "resolved", resolve, "main"));
  }
  if (order.state !== "suspended") {
    const why = el("select", { "aria-label": "why" }, ...["resident_absent", "waiting_part", "waiting_utility"].map((reason) => el("option", { value: reason }, zh(reason))));
    made.push(why, button("中止", "suspend", () => progress(order.id, "suspended", { reason: why.value })));
  }
  return made;
}

function tick() {
  for (const spot of document.querySelectorAll("[data-until]")) {
    const seconds = (Date.parse(spot.dataset.until) - Date.now() - aheadMs) / 1000;
    spot.textContent = clockText(seconds);
    spot.classList.toggle("bad", seconds < 0);
  }
}
setInterval(tick, 250);
