from sheetsim.model import op_table as op_table  # fills the table that expressions are made by
