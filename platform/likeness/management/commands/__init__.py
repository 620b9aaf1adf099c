"""Commands for operators and for the stack itself."""
