"""What an operator sees of a running Twinbore: logs."""
