"""The rights that each command needs: one table, for `check`, for the docs and for whoever writes roles. Pure, no I/O."""

from cleaner.rights.right import Access, Right, Use, Where
from cleaner.rights.roles import Role, Rule, manifests, more, roles, rules
from cleaner.rights.table import rights

__all__ = ["Access", "Right", "Role", "Rule", "Use", "Where", "manifests", "more", "rights", "roles", "rules"]
