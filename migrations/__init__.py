"""The schema's history: SQL files `0001_name.sql`, forward only, applied by `dispatch.store.migrate`."""
