"""${message}

% for what in config.attributes.get("destroyed", {}).get(up_revision, ()):
DESTRUCTIVE: drops ${what}.
% endfor
Revises: ${repr(down_revision)}
Created: ${create_date}
"""

<%
import re
used = set(re.findall(r"\b(sa|op)\.", f"{upgrades or ''}{downgrades or ''}"))
%>\
from collections.abc import Sequence

% if "sa" in used:
import sqlalchemy as sa
% endif
% if "op" in used:
from alembic import op
% endif
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
