"""A city's day in virtual time, with the engine's own steps: `qiangdan simulate`, `replay` and `--compare`.

    scenario   a folder is read: zones, crews, reports, travel            behaviour   what crews do with an offer
    agenda     what happens next, in virtual time                         policies    who is sent where by the machine
    day        the steps of the engine on a store in memory, and the crews' lives around them
    results    visits.csv and the figures                                 page        two or more policies side by side

Intake, offers, bids, assignment, visits are the functions that the server runs; here they run on
`dispatch.store.memory` and in the agenda's time. What is simulated is what the server cannot see: people.
The same scenario, behaviour, policy and seed give the same visits, byte for byte.
"""
