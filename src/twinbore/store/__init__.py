"""The store: resources, secrets and observations on disk, in SQL that SQLite and PostgreSQL both take.

Everything that was answered with success is here and on disk. Writers go through `Database.write`, one transaction a
request; readers through `Database.read`, a consistent snapshot. Rows come and go as the dataclasses of `model`.
"""
