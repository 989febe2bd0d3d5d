/** The start page's words. */
import { dictionary } from "@/shared/language";

export const t = dictionary(
  {
    title: "抢单",
    what: "供热抢修实时派单：报修一到，片区的维修人员同时看到，抢单接走，15 分钟内到门口。",
    crew: "维修人员",
    crewWhat: "手机上接单、抢单、到场、办结",
    console: "调度台",
    consoleWhat: "实时地图、工单队列、指派与改派",
    sla: "时限看板",
    slaWhat: "10 分钟接单、15 分钟到场，哪里快超时",
    demo: "这是演示城市：点一下就以演示身份进入",
    demoWait: "演示城市正在准备…",
    api: "接口文档",
    ready: "引擎正常",
    notReady: "引擎还没有准备好",
    unreachable: "连不上引擎",
  },
  {
    title: "Qiangdan",
    what: "Heating repairs, dispatched as they are reported: the technicians of the zone all see a report at once, one grabs it, and a crew is at the door within 15 minutes.",
    crew: "Technician",
    crewWhat: "Offers, grabs, arrival and result on the phone",
    console: "Dispatcher",
    consoleWhat: "The live map, the queue, who goes where",
    sla: "Wallboard",
    slaWhat: "10 minutes to hand down, 15 to the door, and what will be late",
    demo: "This is a demo city: one tap signs you in as somebody of it",
    demoWait: "The demo city is being set up…",
    api: "API documents",
    ready: "The engine is up",
    notReady: "The engine is not ready yet",
    unreachable: "The engine cannot be reached",
  },
);
