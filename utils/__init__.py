"""Parts that know no dataset; another project could use each of them unchanged."""
