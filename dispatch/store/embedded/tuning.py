"""The settings of our server: durable whatever the folder says, sized to the machine, reachable by its socket only."""

import psutil

MEGABYTE = 1_000_000


def server_settings() -> dict[str, str]:
    """Return the settings for the server's command line, where they win over all that is stored in the folder."""
    memory_mb = psutil.virtual_memory().total // MEGABYTE
    buffers_mb = max(64, min(1_024, memory_mb // 8))
    return {
        # What was confirmed is on disk. `dispatch.store.migrate.check_durability` insists on these.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        # Nobody but us, and not over TCP.
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        # Many short transactions, few large reads.
        "shared_buffers": f"{buffers_mb}MB",
        "max_wal_size": "2GB",
        "min_wal_size": "128MB",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "autovacuum_naptime": "15s",
        # Sentences in `failures` are found by their English words.
        "lc_messages": "C",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "cluster_name": "qiangdan",
    }
