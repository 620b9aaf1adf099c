"""Words for codes: what people read in place of a stable code."""
