import { $ } from "./common.js";

async function look() {
  let text = "无法连接 not reachable", good = false;
  try {
    const answer = await fetch("/readyz");
    good = answer.ok;
    text = good ? "运行正常 ready" : `未就绪 not ready: ${(await answer.json()).detail}`;
  } catch { /* the text stands */ }
  $("state").textContent = text;
  $("state").className = `tag ${good ? "met" : "breached"}`;
}

look();
setInterval(look, 5000);
