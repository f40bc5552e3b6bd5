"""The agent of one gateway host: plan, apply, observe, record. It has no state of its own."""
