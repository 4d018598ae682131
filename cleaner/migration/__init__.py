"""Once, on an upgrade of Fleet: clear what older Fleets have left, and unblock what they block."""
