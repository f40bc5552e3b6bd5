"""Customer gateway devices: the configuration that a user carries from the service to the router on site.

* `view`: what such a configuration is made of, gathered by the caller; nothing here reads the store.
* `xml`: `CustomerGatewayConfiguration`, the machine-readable form in every description of a connection.
* `catalogue`: the device types on offer; `render`: the sample configuration for one of them.

Every text has the pre-shared keys in clear: it goes to the caller who asked for it, and to no log.
"""
