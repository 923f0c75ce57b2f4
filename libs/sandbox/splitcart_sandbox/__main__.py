"""``python -m splitcart_sandbox``: the verbs of the sandbox without the rest of the splitcart command."""

from splitcart_sandbox.commands import app

if __name__ == "__main__":
    app()
