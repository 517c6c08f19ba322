"""What the record costs, beside what others cost: `make bench`. Only the ratios of one run mean anything."""
