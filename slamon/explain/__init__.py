"""`slamon explain`: why a number is what it is, from the events and the agreements alone."""
