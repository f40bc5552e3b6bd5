"""The command line: `twinbore up`, `down`, `status`, `doctor`, `plug`, `unplug`, `demo`.

This is where everything is put together: settings, store, API, agent and engines. Nothing imports this package.
"""
