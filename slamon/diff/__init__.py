"""What a change of agreements does to what was judged, before it is merged: in terms, in verdicts, and in money."""
