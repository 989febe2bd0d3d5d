"""REST and sockets: thin. Reads what came, calls the engine, renders what came of it."""
