"""Problems and plans in VROOM's JSON (github.com/VROOM-Project/vroom, docs/API.md), with soft deadlines added.

More members of a job than VROOM has: `due` and `weight` (soft), `optional` (a visit that gives way). Members that
VROOM has and that are not kept here are refused by name, never passed over.
"""
