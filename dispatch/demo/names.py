"""Names of the made-up city: districts, compounds, streets, people."""

import random

DISTRICTS = ("道里", "道外", "南岗", "香坊", "平房", "松北")
"""Real names of Harbin's inner districts, so that the demo reads like a city; the borders are made up."""
NUMERALS = ("一", "二", "三")

_COMPOUND_FIRST = (
    "松江",
    "群力",
    "红旗",
    "学府",
    "哈西",
    "爱建",
    "锦绣",
    "金河",
    "江畔",
    "融府",
    "泰山",
    "闽江",
    "和兴",
    "文昌",
    "安发",
    "保利",
    "祥安",
    "通达",
    "汇龙",
    "北岸",
    "远大",
    "康泰",
    "冰城",
    "丁香",
)
_COMPOUND_LAST = ("家园", "新城", "花园", "小区", "嘉苑", "名邸", "公馆", "雅居", "北苑", "南苑")
_STREETS = (
    "中山路",
    "学府路",
    "红旗大街",
    "和兴路",
    "西大直街",
    "东大直街",
    "友谊路",
    "经纬街",
    "安升街",
    "哈平路",
    "文昌街",
    "通达街",
    "新阳路",
    "长江路",
    "宣化街",
    "南直路",
)
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = (
    "秀英",
    "桂兰",
    "淑珍",
    "玉梅",
    "建国",
    "志强",
    "德山",
    "丽华",
    "凤琴",
    "晓东",
    "海燕",
    "国庆",
    "文博",
    "雪",
    "磊",
    "敏",
)


def compound_names(rng: random.Random, count: int) -> tuple[str, ...]:
    """Return `count` different names of compounds, at most 240."""
    every = [first + last for first in _COMPOUND_FIRST for last in _COMPOUND_LAST]
    return tuple(rng.sample(every, count))


def street_address(rng: random.Random) -> str:
    """Return a street and a number in it."""
    return f"{rng.choice(_STREETS)}{rng.randint(1, 400)}号"


def person_name(rng: random.Random) -> str:
    """Return the name of somebody who does not exist."""
    return rng.choice(_SURNAMES) + rng.choice(_GIVEN)


def phone_number(rng: random.Random) -> str:
    """Return eleven digits that look like a mobile number and are none: no operator has the prefix 120."""
    return f"120{rng.randint(0, 99_999_999):08d}"
