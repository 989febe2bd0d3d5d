"""Seeded simulation: several processes of the engine's own code in virtual time; see docs/reliability.md."""
