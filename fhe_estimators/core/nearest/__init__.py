"""The classes of the nearest rows, without their distances.

Which of two rows is nearer is the sign of a form that is linear in the row that is asked
for: one table. `Forms` are scores of all rows, rounded together, so that comparisons never
contradict each other; `plan` says which rows have to be compared, `vote_graph` adds up who
is among the nearest.
"""

from fhe_estimators.core.nearest._forms import Forms
from fhe_estimators.core.nearest._module import votes_module
from fhe_estimators.core.nearest._plan import Plan, plan
from fhe_estimators.core.nearest._votes import vote_graph

__all__ = ["Forms", "Plan", "plan", "vote_graph", "votes_module"]
