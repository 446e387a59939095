"""Both doors of the API: the control socket, and the console's port where the configuration names one."""

from __future__ import annotations

from typing import Any

import trio

from node.config import NodeConfig
from node.door import Door
from node.serving import names_of, serve_console, serve_control


async def serve(
    metered: Any, app: Any, config: NodeConfig, stopping: trio.Event, *, task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    """`metered`: the API with what it is measured by, for the socket alone. Started once both can be reached."""
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, metered, config.control, stopping)
        if config.console is not None:
            door = Door.of(app, config.people, *names_of(config.console))
            await nursery.start(serve_console, door, config.console)
        task_status.started()
