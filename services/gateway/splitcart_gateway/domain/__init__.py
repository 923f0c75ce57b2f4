"""Pure rules of the gateway: places, stores near, queries, ranking, words for people. No I/O and no clock."""
