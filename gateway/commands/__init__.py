"""The commands of the gateway's area, one module each: options, a call, and words for the result.

A command is `command` in its module, found through the entry-point group `preau.commands`. It
returns its exit status, or nothing for 0, and lets the project's errors pass to `gateway.cli`.
"""
