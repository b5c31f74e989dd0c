"""The benchmark: ways of reaching the same files, the same work in each, ratios to native.

Absolute figures say more about the machine and its neighbours than about errorfs. So every way
does the same work within the same round, one after the other, and what is told is the ratio to the
plain directory in that round: the median over the rounds, with the least and the greatest.
"""
