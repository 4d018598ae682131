"""Once, on an upgrade of Fleet: clear what older Fleets have left, and unblock what they block."""

from cleaner.migration.migrate import Migration, MigrationCluster, Terms

__all__ = ["Migration", "MigrationCluster", "Terms"]
