"""The kernel's tables, step by step, run by the owner role before a service starts."""

from alembic import op


def run_script(sql: str) -> None:
    """Several statements at once, which the driver takes only outside a prepared statement; in the migration's transaction."""
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda raw: raw.execute(sql))  # type: ignore[union-attr]
