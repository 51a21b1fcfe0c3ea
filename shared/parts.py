"""What the moving parts of a service have in common: named points at which a test may pause or kill them."""

from collections.abc import Awaitable, Callable

Points = Callable[[str], Awaitable[None]]
"""Called with the name of a crash point each time one is passed."""


async def no_points(_: str) -> None:
    """In production nobody waits at a crash point."""
