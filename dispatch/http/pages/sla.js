import { $, api, both, clockText, el, notice, signIn, sync } from "./common.js";

const EVERY_MS = 5000;
const CLOCKS = ["hand_down", "arrival", "resolve", "transfer", "call_back"];
let token, byZone = false;

signIn("sla", (given) => {
  token = given;
  look();
});

async function look() {
  clearTimeout(look.timer);
  try {
    const since = $("since").value;
    const from = since ? `?from=${encodeURIComponent(new Date(Date.now() - Number(since) * 3600e3).toISOString())}` : "";
    const [summary, atRisk, breached] = await Promise.all([
      api(`/sla/summary${from}`, token),
      api("/sla/clocks?state=at_risk&limit=100", token),
      api("/sla/clocks?state=breached&limit=500", token),
    ]);
    showSummary(summary.items);
    showClocks("at_risk", atRisk);
    showClocks("breached", { ...breached, items: breached.items.filter((row) => !row.stopped_at) });
    $("state").textContent = `更新于 updated ${new Date().toLocaleTimeString("zh-CN")}`;
    $("state").className = "tag met";
  } catch (error) {
    $("state").textContent = "未更新 not updated";
    $("state").className = "tag breached";
    notice(error.message, true);
    if (error.status === 401 || error.status === 403) return;
  }
  look.timer = setTimeout(look, EVERY_MS);
}

function showSummary(items) {
  const rows = [];
  for (const clock of CLOCKS) {
    const own = items.filter((item) => item.clock === clock);
    if (!own.length) continue;
    const sum = (name) => own.reduce((total, item) => total + item[name], 0);
    // Percentiles of zones do not add up to one of the city, so the city's row has none.
    const [met, late] = [sum("met"), sum("breached")];
    const whole = { clock, zone: "全市 city", count: sum("count"), met, share: met + late ? met / (met + late) : null, at_risk: sum("at_risk"), breached: late };
    rows.push({ ...(own.length === 1 ? { ...own[0], zone: whole.zone } : whole), key: clock, total: true });
    if (byZone) rows.push(...own.map((item) => ({ ...item, zone: item.zone ?? "未定 none", key: `${clock} ${item.zone}` })));
  }
  sync($("summary"), rows, summaryRow);
}

function summaryRow(row) {
  const time = (seconds) => el("td", { class: "n" }, seconds == null ? "—" : clockText(seconds));
  const share = row.share == null ? "—" : `${(row.share * 100).toFixed(1)} %`;
  return el(
    "tr",
    {},
    el("td", {}, row.total ? el("b", {}, both(row.clock)) : ""),
    el("td", {}, row.zone),
    el("td", { class: "n" }, row.count),
    el("td", { class: "n" }, row.met),
    el("td", { class: "n" }, el("span", { class: `tag ${row.share == null ? "" : row.share >= 0.95 ? "met" : row.share >= 0.8 ? "at_risk" : "breached"}` }, share)),
    time(row.p50),
    time(row.p90),
    time(row.p99),
    el("td", { class: "n" }, row.at_risk),
    el("td", { class: "n" }, row.breached),
  );
}

function showClocks(state, { items, next }) {
  $(`${state}-count`).textContent = `${items.length}${next ? "+" : ""}`;
  sync($(state), items.slice(0, 100).map((row) => ({ key: `${row.order} ${row.clock}`, ...row, remaining_s: Math.round(row.remaining_s) })), clockRow);
}

function clockRow(row) {
  return el(
    "tr",
    {},
    el("td", {}, both(row.clock)),
    el("td", {}, el("span", { class: `tag s${row.severity}` }, row.severity)),
    el("td", {}, row.zone ?? "—"),
    el("td", { class: "mono" }, row.order),
    el("td", { class: `n count${row.remaining_s < 0 ? " bad" : ""}` }, clockText(row.remaining_s)),
  );
}

$("since").addEventListener("change", look);
$("zones").addEventListener("click", () => {
  byZone = !byZone;
  look();
});
