"""The tree of errors: one code and one status each, and all of them in its docstring."""

import re

from dispatch import errors
from dispatch.errors import DispatchError


def tree() -> list[type[DispatchError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DispatchError)]


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in tree()]
    assert len(codes) == len(set(codes))


def test_the_docstring_lists_each_error_with_its_status_and_code() -> None:
    listed = dict(re.findall(r"[├└]── (\w+)\s+(\d+  \w+)", errors.__doc__ or ""))
    assert listed == {kind.__name__: f"{kind.status}  {kind.code}" for kind in tree() if kind is not DispatchError}


def test_without_a_detail_the_error_says_what_its_class_says() -> None:
    for kind in tree():
        assert str(kind()) == (kind.__doc__ or "").split("\n")[0]
