"""The :class:`~stackctl.observed.ports.Images` of Docker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, Queue
from threading import Thread
from typing import Any

from stackctl.adapters.docker.client import Client, translated
from stackctl.errors import EngineError

_STALLED = 600.0
"""Seconds without any event after which a pull is given up; a large layer is verified and unpacked in less."""


class DockerImages:
    """The local images of the Docker Engine."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def image_id(self, image: str) -> str | None:
        """See :meth:`Images.image_id`."""
        found = self._image(image)
        return None if found is None else str(found["Id"])

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """See :meth:`Images.exposed_ports`."""
        found = self._image(image) or {}
        ports = (found.get("Config") or {}).get("ExposedPorts") or {}
        return tuple(sorted(int(port.split("/")[0]) for port in ports if port.endswith("/tcp")))

    def _image(self, image: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        with translated():
            try:
                return dict(self._client.sdk.api.inspect_image(image))  # type: ignore[no-untyped-call]
            except NotFound:
                return None

    def pull(self, image: str) -> None:
        """See :meth:`Images.pull`; it has no end of its own, but must go on."""
        events: Queue[Mapping[str, Any] | EngineError | None] = Queue()
        # The SDK waits without a timeout, in a read that nothing ends: so it is done in a thread that may be left.
        Thread(target=self._pull, args=(image, events.put), daemon=True).start()
        why: str | None = None
        try:
            while why is None and (event := events.get(timeout=_STALLED)) is not None:
                why = event.message if isinstance(event, EngineError) else event.get("error")
        except Empty:
            why = f"no progress for {_STALLED / 60:.0f} minutes"
        if why is not None:
            raise EngineError(
                f"the image {image} cannot be pulled: {why}",
                hint="build it, correct its name, or log in to its registry ('docker login')",
            )

    def _pull(self, image: str, put: Callable[[Mapping[str, Any] | EngineError | None], None]) -> None:
        end: EngineError | None = EngineError("the engine's answer ended early")
        try:
            with translated():
                for event in self._client.sdk.api.pull(image, stream=True, decode=True):
                    put(event)
            end = None
        except EngineError as error:
            end = error
        finally:
            put(end)
