"""The wheel's build hook: builds the web apps into it, with Node from PATH or, where there is none, from a wheel."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from dispatch import web_build


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the project's own builder has no name here
    """Builds `web/` where it has changed, and puts what git ignores into the wheel."""

    def dependencies(self) -> list[str]:
        """Ask for Node only where it will be needed and is not there."""
        needed = not os.environ.get(web_build.SKIP) and web_build.is_stale() and web_build.good_node() is None
        return [web_build.NODE_WHEEL] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files of the wheel are listed."""
        build_data["artifacts"].append("dispatch/http/site/")
        if os.environ.get(web_build.SKIP):
            self.app.display_warning(f"the web apps are left out or as they were ({web_build.SKIP} is set)")
        elif web_build.is_stale():
            self.app.display_waiting("Building the web apps ...")
            try:
                web_build.build()
            except web_build.WebBuildFailed as error:
                sys.exit(str(error))
