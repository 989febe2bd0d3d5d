"""`python -m dispatch.cli`, as the supervisor starts its children."""

from dispatch.cli import main

if __name__ == "__main__":
    main()
