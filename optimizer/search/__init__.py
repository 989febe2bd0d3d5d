"""The compiled local search. `arrays` says what it works on, `annealing` is its loop."""
