"""The Chinese words for the codes of the wire: one word for one thing, the word of docs/glossary.md, on every screen.

The web apps have the same words beside their English ones, in `web/src/shared/wire-words.ts`; a test compares them.
"""

STATES = {
    "unzoned": "待定位",
    "offered": "待抢",
    "claimed": "已接单",
    "en_route": "在途",
    "arrived": "已到场",
    "resolved": "已办结",
    "closed": "已关闭",
    "held": "挂单",
    "suspended": "已挂起",
    "transferred": "已转办",
    "merged": "已并单",
    "cancelled": "已取消",
}
"""Of an order."""

FAULTS = {
    "radiator_air": "暖气片窝气",
    "valve_closed": "阀门未开",
    "filter_clogged": "过滤器堵塞",
    "low_temperature": "室温不达标",
    "no_heat": "完全不热",
    "leak": "跑冒滴漏",
    "no_pressure": "压力不足",
    "noise": "管道异响",
    "burst": "爆管",
}
"""The categories that are known by name; an intake may send others, which are shown as they are."""

CLOCKS = {"hand_down": "接单", "arrival": "到场", "resolve": "办结", "transfer": "转办回执", "call_back": "回访"}

CLAIMS = {"grab": "抢单", "optimizer": "系统派单", "dispatcher": "调度员指派"}
"""How an order came to its crew."""

CHANNELS = {
    "wechat": "微信",
    "enterprise_phone": "企业电话",
    "hotline_12345": "12345",
    "hotline_12319": "12319",
    "walk_in": "来访",
    "sensor": "室温传感器",
    "telemetry": "站端遥测",
    "door_to_door": "访民问暖",
}

GRAB_REASONS = {
    "won": "抢到了",
    "taken": "已被别人抢走",
    "outbid": "有人能更早到",
    "closed": "已经截止",
    "not_eligible": "您不符合条件",
    "at_capacity": "您手上的单已满",
    "off_shift": "您不在班",
    "rate_limited": "点得太快",
    "unknown_order": "没有这张单",
}

OFFERS_CLOSED = {"taken": "已被抢走", "assigned": "已派给别人", "withdrawn": "已撤回", "expired": "已过期"}

SUSPEND_REASONS = {"resident_absent": "用户不在家", "waiting_part": "等配件", "waiting_utility": "等其他单位"}
