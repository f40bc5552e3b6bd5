"""Operations: one module for each resource. Importing this package registers them all."""
