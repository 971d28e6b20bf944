"""The functional core of Tuttu: rules, profiles and decisions as pure functions.

Nothing below this package does I/O, reads a clock, draws a random number or logs. The visitor, the event and `now`
come in; values come out. So the same code runs in the gateway, in `tuttu rules test` and in a replay of old events.
"""
