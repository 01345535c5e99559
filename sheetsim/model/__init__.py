from sheetsim.model import ops as ops  # fills the table that expressions are made by
