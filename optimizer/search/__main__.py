"""`python -m optimizer.search` has the search compiled, so that the first plan need not wait for it."""

from optimizer.solving import ready

if __name__ == "__main__":
    ready()
