"""An examination as a report: for the terminal, for machines, and as one page. Whatever is foreign in it is inert."""
