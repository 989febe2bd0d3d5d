"""What breaks in a heated city: the categories of faults, how often each is reported, and what residents say.

The mix follows what heating companies publish (DOMAIN.md): most reports are air in the radiator, a forgotten valve, a
clogged filter or a cold room; then leaks, bursts, no pressure, noise.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class FaultKind:
    """One category of fault: its wire code, how grave it is, who can mend it and how often it is reported."""

    code: str
    severity: int
    required_skills: tuple[str, ...]
    share: float
    descriptions: tuple[str, ...]


class Fault(NamedTuple):
    """One reported fault; unpacks in this order."""

    category: str
    severity: int
    description: str
    required_skills: tuple[str, ...]


FAULT_KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        code="radiator_air",
        severity=1,
        required_skills=(),
        share=0.27,
        descriptions=(
            "暖气片上半截不热，里面有咕噜声，可能窝气了",
            "刚供暖，卧室暖气片一半热一半凉，请来放气",
            "暖气片里有气，放气阀拧不动",
        ),
    ),
    FaultKind(
        code="valve_closed",
        severity=1,
        required_skills=(),
        share=0.17,
        descriptions=(
            "家里暖气一点不热，邻居家都热，不知道是不是阀门没开",
            "夏天装修关过阀门，现在找不到在哪里开",
            "入户阀门锈住了，打不开",
        ),
    ),
    FaultKind(
        code="filter_clogged",
        severity=2,
        required_skills=("pipework",),
        share=0.14,
        descriptions=(
            "地热进水管热，回水管凉，师傅说要清洗过滤器",
            "去年也是过滤器堵了，今年又不热了",
            "分水器上的温度越来越低，可能过滤网堵了",
        ),
    ),
    FaultKind(
        code="low_temperature",
        severity=2,
        required_skills=(),
        share=0.20,
        descriptions=(
            "室内只有16度，家里有老人，请来测温",
            "冷山墙的房间不到15度，晚上睡觉要盖两床被",
            "顶楼，室温17度，连续三天不达标",
            "孩子写作业的屋子不到18度，麻烦上门看看",
        ),
    ),
    FaultKind(
        code="no_heat",
        severity=3,
        required_skills=("pipework",),
        share=0.08,
        descriptions=(
            "全屋暖气都是凉的，整个单元都不热",
            "从昨天晚上开始暖气就没有温度了",
            "供暖第一天到现在一直不热，家里有婴儿",
        ),
    ),
    FaultKind(
        code="leak",
        severity=4,
        required_skills=("pipework",),
        share=0.08,
        descriptions=(
            "暖气片接头处滴水，已经用盆接着了",
            "地热分水器漏水，地板泡了一块",
            "管道井里往外渗水，楼道地面都湿了",
        ),
    ),
    FaultKind(
        code="no_pressure",
        severity=3,
        required_skills=("pipework", "station"),
        share=0.03,
        descriptions=(
            "整栋楼高层都不热，物业说是压力不够",
            "压力表指针掉到底了，六楼以上都凉",
        ),
    ),
    FaultKind(
        code="noise",
        severity=1,
        required_skills=(),
        share=0.02,
        descriptions=(
            "暖气管道半夜咚咚响，睡不着觉",
            "立管里一直有哗哗的流水声",
        ),
    ),
    FaultKind(
        code="burst",
        severity=5,
        required_skills=("pipework", "welding"),
        share=0.01,
        descriptions=(
            "暖气管爆了，热水往外喷，快来人",
            "楼下马路冒热气，热水淌了一地，可能主管道爆了",
        ),
    ),
)
"""Every category of fault of the demo, the only table of them."""

SKILLS: tuple[str, ...] = tuple(sorted({skill for kind in FAULT_KINDS for skill in kind.required_skills}))
"""Every skill that some fault asks for."""


def random_fault(rng: random.Random) -> Fault:
    """Draw one fault from the mix."""
    [kind] = rng.choices(FAULT_KINDS, weights=[kind.share for kind in FAULT_KINDS])
    return Fault(kind.code, kind.severity, rng.choice(kind.descriptions), kind.required_skills)
