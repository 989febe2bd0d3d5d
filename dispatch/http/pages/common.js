// What the plain pages share: signing in, a socket that comes back, words, and building elements without markup.

export const $ = (id) => document.getElementById(id);

/** Make an element; text goes in as text, never as markup. `on` holds event handlers. */
export function el(tag, { on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  for (const [name, handler] of Object.entries(on)) made.addEventListener(name, handler);
  made.append(...children.filter((child) => child != null).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/**
 * Make the children of `parent` those of `items`, each built anew only where its `sign` has changed: a button under a
 * finger, or a field in which somebody types, is not replaced.
 */
export function sync(parent, items, build) {
  const known = (parent.known ??= new Map());
  const wanted = new Map();
  items.forEach((item, place) => {
    const old = known.get(item.key);
    const sign = JSON.stringify(item);
    const node = old && old.sign === sign ? old.node : build(item);
    wanted.set(item.key, { sign, node });
    if (old && old.node !== node && old.node.parentNode === parent) old.node.replaceWith(node);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  parent.known = wanted;
}

export function notice(text, bad = false) {
  const box = $("notice");
  box.textContent = text;
  box.className = bad ? "bad" : "";
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => (box.hidden = true), 6000);
}

/** Show the sign-in form until there is a token, then call `start(token)`. A link may carry it: #token=... */
export function signIn(page, start) {
  const key = `qiangdan.${page}`;
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(key, given);
    history.replaceState(null, "", location.pathname);
  }
  const begin = (token) => {
    $("signin").hidden = true;
    $("work").hidden = false;
    start(token);
  };
  $("signin").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = $("token").value.trim();
    if (!token) return;
    sessionStorage.setItem(key, token);
    begin(token);
  });
  $("signout").addEventListener("click", () => {
    sessionStorage.removeItem(key);
    location.reload();
  });
  const kept = sessionStorage.getItem(key);
  if (kept) begin(kept);
}

/** Call the API; throws an Error with the problem's sentence. */
export async function api(path, token, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/v1${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(read.detail || `HTTP ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return read;
}

const FINAL = { 4401: "令牌无效 this token is not valid here", 4409: "已在别处登录 signed in elsewhere", 4403: "来源不符 wrong origin" };
const PING_MS = 20000;
const SILENCE_MS = 45000;

/** A socket that comes back by itself, with growing and jittered pauses; `hello` makes each connection's first message. */
export class Line {
  constructor(path, { hello, heard, state }) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    Object.assign(this, { hello, heard, state, failures: 0, open: false });
    this.connect();
    setInterval(() => this.watch(), 5000);
    addEventListener("online", () => this.open || this.connect());
  }

  connect() {
    if (this.over || (this.socket && this.socket.readyState < 2)) return;
    clearTimeout(this.retry);
    this.state("connecting");
    const socket = (this.socket = new WebSocket(this.url, "qiangdan.v1"));
    this.heardAt = this.pingedAt = Date.now();
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.hello() }));
    socket.onmessage = (event) => {
      this.heardAt = Date.now();
      const message = JSON.parse(event.data);
      if (message.type === "welcome" || message.type === "snapshot") {
        this.open = true;
        this.failures = 0;
        this.state("online");
      }
      this.heard(message);
    };
    socket.onclose = (event) => socket === this.socket && this.lost(event);
  }

  lost(event) {
    this.open = false;
    if (FINAL[event.code]) {
      this.over = true;
      this.state("over", FINAL[event.code]);
      return;
    }
    this.failures += 1;
    this.state("offline");
    const most = Math.min(10000, 300 * 2 ** this.failures);
    this.retry = setTimeout(() => this.connect(), most * (0.5 + Math.random() / 2));
  }

  watch() {
    if (!this.open) return;
    if (Date.now() - this.heardAt > SILENCE_MS) {
      // Half-open: its close would never be answered, so do not wait for it.
      const dead = this.socket;
      this.socket = null;
      dead.onclose = null;
      dead.close();
      this.lost({ code: 1006 });
    } else if (Date.now() - this.pingedAt > PING_MS) {
      this.pingedAt = Date.now();
      this.send({ type: "ping" });
    }
  }

  /** Send if there is a connection; returns whether there was. */
  send(message) {
    if (!this.open || this.socket.readyState !== 1) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
}

/** A random id; `crypto.randomUUID` is missing on plain http pages. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const WORDS = {
  radiator_air: "暖气片窝气", valve_closed: "阀门未开", filter_clogged: "过滤器堵塞", low_temperature: "室温不达标",
  no_heat: "完全不热", leak: "跑冒滴漏", no_pressure: "压力不足", noise: "管道异响", burst: "爆管",
  unzoned: "待定位", offered: "待抢", claimed: "已接单", en_route: "在途", arrived: "已到场", resolved: "已办结",
  closed: "已关闭", held: "挂单", suspended: "中止", transferred: "已转办", merged: "已合并", cancelled: "已取消",
  hand_down: "接单", arrival: "到场", resolve: "办结", transfer: "转办", call_back: "回访",
  off: "休班", idle: "空闲", busy: "忙碌",
  won: "抢单成功", taken: "已被抢走", outbid: "他人更近", not_eligible: "不符合条件", at_capacity: "手上已满",
  off_shift: "不在班", rate_limited: "操作太快", unknown_order: "没有此单", expired: "已过期", withdrawn: "已撤回", assigned: "已派单",
  resident_absent: "用户不在家", waiting_part: "等配件", waiting_utility: "等其他单位",
  hotline_12345: "12345", hotline_12319: "12319", wechat: "微信", enterprise_phone: "企业电话", walk_in: "来访",
};

/** Chinese first, the code beside; a code without a word stays as it is. */
export const both = (code) => (WORDS[code] ? `${WORDS[code]} ${code}` : String(code ?? "—"));
export const zh = (code) => WORDS[code] ?? String(code ?? "—");

export const addressText = (address) =>
  !address ? "" : typeof address.text === "string" ? address.text : Object.values(address).filter((v) => typeof v !== "object").join(" ");

/** Seconds as 4:05 or -1:02:03. */
export function clockText(seconds) {
  const whole = Math.abs(Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return `${seconds < -0.5 ? "-" : ""}${h ? `${h}:${two(m)}` : m}:${two(s)}`;
}
