"""${message}

% for what in config.attributes.get("destroyed", {}).get(up_revision, ()):
DESTRUCTIVE: drops ${what}.
% endfor
Revises: ${repr(down_revision)}
Created: ${create_date}
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    """Move the schema one revision up."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Move the schema one revision down."""
    ${downgrades if downgrades else "pass"}
