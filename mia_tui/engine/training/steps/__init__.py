"""How steps are done: compiled or from a recording where that gains, and whether they wait for cores."""
