"""The table of idempotency keys, each with the response that is stored for it.

It is no entity: the specification does not know it, and no route shows it.
"""

import sqlalchemy as sa

from src.core.database import Base

idempotency_keys = sa.Table(
    "_idempotency_keys",
    Base.metadata,
    # A hash of the sender, the method, the path and the key.
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),  # of query and body
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # With `auth`, the rows that were created and shown: [["order", "0190…"]].
    sa.Column("created", sa.JSON),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
)
