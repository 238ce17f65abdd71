"""The flasher's commands: found by `preau` through entry points."""
