"""Who a token can be for."""

from dispatch.store.connect import Connection


async def has_city(connection: Connection, city_id: str) -> bool:
    """Return whether there is a city of this id."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM city WHERE city_id = $1)", city_id))


async def has_subject(connection: Connection, city_id: str, *, role: str, subject: str) -> bool:
    """Return whether the city has a user of this role, or a crew, of this id."""
    if role == "crew":
        found = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM crew WHERE city_id = $1 AND crew_id = $2)", city_id, subject
        )
    else:
        found = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM account WHERE city_id = $1 AND user_id = $2 AND role = $3)",
            *(city_id, subject, role),
        )
    return bool(found)
