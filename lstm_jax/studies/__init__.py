"""Studies: many training runs, and the tables that compare them."""
