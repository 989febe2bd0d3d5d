"""Seeded simulation: the engine's own code, several processes of it, on a loop with virtual time; docs/reliability.md."""
