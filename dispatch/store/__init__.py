"""PostgreSQL, the only place that knows it: connections, one transaction per fact, SQL by subject.

`Database.transaction` is the edge that commits; what happens inside it gets a `Tx` and never commits itself.
"""

from dispatch.store.database import Contended, Database, OutcomeUnknown, TryAgain
from dispatch.store.tx import Tx, Win

__all__ = ["Contended", "Database", "OutcomeUnknown", "TryAgain", "Tx", "Win"]
