"""What must hold in a tree: one function for each kind of condition, each true to the letter in three places.

``validate`` calls them on the edited tree, ``propose_fix`` on every candidate, and a regression test carries their
source. So the functions here use the standard library only, take plain objects and plain facts, and return sentences:
what does not hold, empty when all is well.
"""
