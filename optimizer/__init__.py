"""Problem in, plan out; imports geo only."""
