"""The :class:`~stackctl.observed.ports.Images` of Docker."""

from __future__ import annotations

from typing import Any

from stackctl.adapters.docker.client import Client, translated
from stackctl.errors import EngineError


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
        """See :meth:`Images.pull`."""
        try:
            with translated():
                self._client.sdk.images.pull(
                    image if ":" in image.rsplit("/", 1)[-1] or "@" in image else f"{image}:latest"
                )
        except EngineError as error:
            raise EngineError(
                f"the image {image} is not available locally and cannot be pulled: {error.message}",
                hint="build it, correct its name, or log in to its registry ('docker login')",
            ) from error
