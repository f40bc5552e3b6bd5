"""The vocabulary of Twinbore: resources, tunnel options, states, addressing, desired and observed state.

Everything here is pure: frozen dataclasses, enums, tables and functions without I/O, clock or randomness. Every other
package may import `model`; `model` imports none of them.
"""
