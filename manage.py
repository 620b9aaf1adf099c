"""Django's command line; runs uninstalled too."""

import sys
from pathlib import Path


def main() -> None:
    """Put both source roots on the path and run the command."""
    root = Path(__file__).resolve().parent
    sys.path[:0] = [str(root), str(root / "platform")]
    from django.core.management import execute_from_command_line

    from likeness import env

    env.use_settings()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
