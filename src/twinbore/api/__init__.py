"""The EC2 API: signature check, codec from botocore's model, operations, errors.

`operation.py` says what an operation is, `ops/` has one module for each resource, `codec.py` turns HTTP into requests
and answers into XML, `app.py` wires them. Nothing imports this package but the command line.
"""
